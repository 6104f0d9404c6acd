"""Faults that gradients of other systems have had, planted in ours: the checks must find each one.

Checks of two independent kinds must find every fault, and none may find anything without a fault.
A fault lists the identities that cannot see it by their nature.
"""

from pathlib import Path

import pytest

from tests import ROOT
from tests.support.faults.catalogue import AT_EDGES, CALLERS, CORE, FAULTS, ON_CUDA, Fault
from tests.support.faults.evidence import gather
from tests.support.faults.planting import findings, outcome
from tests.support.report_evidence import Measured
from tests.training.test_survival_faults import FAULTS as SURVIVAL_FAULTS

KIND = {
    "finite differences": "truth", "conformance": "truth", "tangent": "tangent", "agreement": "other implementation",
    "identity A": "symmetry", "identity B": "symmetry", "identity C": "symmetry",
}
"""The checks, by kind; checks of one kind share their basis."""

@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evidence") / "evidence.pickle"
    path.write_bytes(gather())
    return path


def test_the_text_of_every_fault_occurs_once() -> None:
    listed = [*FAULTS, *CALLERS, *ON_CUDA, *(fault for fault, _, _ in AT_EDGES + tuple(SURVIVAL_FAULTS))]
    counts = [(ROOT / one.package / one.file).read_text("utf-8").count(one.text) for one in listed]
    assert len(listed) > 100
    assert not [one for one, count in zip(listed, counts, strict=True) if count != 1]


@pytest.mark.check(30, control=True)
@pytest.mark.parametrize("package", [
    "reference", pytest.param("fast", marks=pytest.mark.full), pytest.param("cuda", marks=pytest.mark.release),
])
def test_control_no_fault_no_finding(package: str, evidence: Path, tmp_path: Path) -> None:
    found = findings(package, None, tmp_path, evidence)
    assert all(found[check] <= 1.0 for check in KIND), found


@pytest.mark.check(30)
@pytest.mark.parametrize(
    "fault", [fault if fault.name in CORE else pytest.param(fault, marks=pytest.mark.full) for fault in FAULTS], ids=str
)
def test_fault_is_found(fault: Fault, evidence: Path, tmp_path: Path, measured: Measured) -> None:
    found = findings(fault.package, fault, tmp_path, evidence)
    caught = {check for check in KIND if found[check] > 1.0}
    measured.keep("faults", {"fault": fault.name, "package": fault.package, "found": found, "source": fault.source})
    assert len({KIND[check] for check in caught}) >= 2
    blind = {f"identity {law}" for law in fault.blind}
    assert caught == set(KIND) - blind, found
    measured(0, 0, 1)


SHARED = tuple(fault for fault in FAULTS if fault.file.startswith("physics/"))


@pytest.mark.release
@pytest.mark.check(30)
@pytest.mark.parametrize(("package", "fault"),
                         [*(("fast", one) for one in CALLERS), *(("cuda", one) for one in SHARED + ON_CUDA)], ids=str)
def test_a_fault_in_a_caller_or_on_cuda_is_found(
    package: str, fault: Fault, evidence: Path, tmp_path: Path, measured: Measured
) -> None:
    found = findings(package, fault, tmp_path, evidence, KIND)
    assert len({KIND[check] for check in KIND if found.get(check, 0.0) > 1.0}) >= 2, found
    measured(0, 0, 1)


@pytest.mark.full
@pytest.mark.check(30)
@pytest.mark.parametrize(("fault", "file", "chosen"), AT_EDGES, ids=str)
def test_a_fault_at_an_edge_is_found(fault: Fault, file: str, chosen: str, tmp_path: Path, measured: Measured) -> None:
    right = outcome(None, tmp_path / "right", file, chosen, compiled=False)
    wrong = outcome(fault, tmp_path / "wrong", file, chosen, compiled=False)
    assert right.returncode == 0, right.stdout
    assert wrong.returncode == 1 and " failed" in wrong.stdout, wrong.stdout
    measured(0, 0, 1)
