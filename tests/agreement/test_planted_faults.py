"""Faults that gradients of other systems have had, planted in ours: the checks must find each one.

Every fault must be found by checks of two kinds that share nothing, and no check may find anything where nothing is
planted. Where a check finds nothing, the fault is one that it cannot see by its nature, and the table says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import reference
from fast.run import run_case
from spec import Case, Result, case_from_text, case_to_dict, load_case
from tests import ROOT
from tests.agreement.test_agreement import ties
from tests.support.faults.catalogue import FAULTS, Fault
from tests.support.faults.planting import findings, plant
from tests.support.networks.strategies import families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.truth import Problem, gradient, simulate

KIND = {
    "finite differences": "truth",
    "conformance": "truth",
    "identity A": "symmetry",
    "identity B": "symmetry",
    "identity C": "symmetry",
    "tangent": "tangent",
    "agreement": "other implementation",
}
"""The checks; those of one kind share what they rest on."""

BLIND: dict[str, set[str]] = {
    "flipped sign of the delay gradient": {"identity A", "identity C"},
    "same slope before and after the reset": {"identity A"},
    "no jump at the first spike": set(),
    "no tau_syn in the weight gradient": {"identity B", "identity C"},
    "delay cut to whole ms": {"identity A", "identity C"},
    "adjoint looked up at t, not at t + d": {"identity A"},
    "1e-3 added to a denominator": {"identity A"},
    "0.1 % error": {"identity A"},
    "no jump at the last spike": {"identity A"},
    "lambda_V left out of the delay gradient": {"identity A", "identity C"},
    "reset gradient from the wrong side of the spike": {"identity B", "identity C"},
    "flipped sign of the threshold gradient": {"identity B", "identity C"},
    "flipped sign of the gradient by tau_syn": {"identity A", "identity C"},
}
"""A scales voltages: it knows nothing of times, and a jump scaled by any factor is fair to it, also one scaled by 0
after which the membrane does nothing more. B and C know nothing of
weights, C nothing of delays. The tangent follows the events of the reference: a fault in these it cannot see."""

HIDDEN = {"name": "hidden", "kind": "lif", "size": 2, "tau_mem": [9.0, 11.0], "tau_syn": [4.0, 5.0]}
OUT = {"name": "out", "size": 2, "tau_mem": [12.0, 10.0], "tau_syn": [5.0, 6.0]}
LOSSES: list[tuple[str, dict]] = [
    ("lif", {"kind": "spike_time_mse", "targets": [[9.0, 12.0], [8.0, 12.0, 15.0]]}),
    ("lif", {"kind": "cross_entropy", "readout": "first_spike_time", "label": 1, "time_scale": 3.0}),
    ("li", {"kind": "cross_entropy", "readout": "max_voltage", "label": 0}),
]


def problem(kind: str, loss: dict) -> Case:
    """A tiny network: several spikes a neuron, inhibition, resets that are not 0, delays that are no whole ms."""
    spiking = {"threshold": [1.2, 1.0], "reset": [0.1, -0.4]} if kind == "lif" else {}
    first = {"weights": [[4.0, 2.1], [1.7, 3.6], [-1.2, 2.4]], "delays": [[0.6, 2.3], [1.7, 0.9], [3.2, 1.4]]}
    second = {"weights": [[2.4, 1.3], [1.1, 1.6]], "delays": [[1.3, 2.8], [4.6, 0.7]]}
    document = {
        "format": "eventprop-case/1",
        "duration": 30.0,
        "populations": [
            {"name": "in", "kind": "input", "size": 3},
            {**HIDDEN, "threshold": [1.0, 0.8], "reset": [-0.3, 0.2]},
            {**OUT, **spiking, "kind": kind},
        ],
        "connections": [
            {"source": "in", "target": "hidden", **first},
            {"source": "hidden", "target": "out", **second},
        ],
        "inputs": {"in": [[0.7, 4.1, 9.3], [1.9, 6.4], [3.3]]},
        "loss": {**loss, "population": "out"},
    }
    return case_from_text(json.dumps(document))


def truth(case: Case) -> Result:
    """The result of a simulation at 50 digits, differentiated by differences."""
    found = simulate(Problem.from_case(case))
    return Result(found.loss, found.spikes, found.kappa, found.readout, gradient(case), ())


def gather(more: bool = False) -> dict:
    """What the checks hold a copy against, found with nothing planted; more: on ties and every family too."""
    runs = {"truth": truth, "reference": reference.run, "fast": run_case}
    problems = []
    for case in (problem(*loss) for loss in LOSSES):
        results = {name: run(case) for name, run in runs.items()}
        assert min(len(train) for train in results["truth"].spikes["hidden"]) >= 2
        problems.append(
            {"case": case_to_dict(case)} | {name: found.to_dict(case.network) for name, found in results.items()}
        )
    files = sorted((ROOT / "spec" / "conformance" / "cases").glob("*.json"))
    conformance = [case_to_dict(load_case(file)) for file in files]
    found: dict[str, list] = {"problems": problems, "conformance": conformance, "others": []}
    if more:
        del runs["truth"]
        for case in [*ties().values(), *(seeded_case(3, family) for family in families())]:
            pair = {name: run(case).to_dict(case.network) for name, run in runs.items()}
            found["others"].append({"case": case_to_dict(case), **pair})
    return found


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That, in a file."""
    path = tmp_path_factory.mktemp("evidence") / "evidence.json"
    path.write_text(json.dumps(gather()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, dict[str, float]]]:
    """What every check found in every copy, in units of what it allows; printed when all are done."""
    rows: dict[str, dict[str, float]] = {}
    yield rows
    print("\n".join([f"{'':50}" + "".join(f"{check:>20}" for check in KIND), *map(_line, rows.items())]))


def _line(row: tuple[str, dict[str, float]]) -> str:
    return f"{row[0]:50}" + "".join(f"{row[1][check]:20.1e}" for check in KIND)


@pytest.mark.check(30, control=True)
@pytest.mark.parametrize("package", ["reference", "fast"])
def test_control_nothing_is_found_where_nothing_is_planted(
    package: str, evidence: Path, table: dict, tmp_path: Path
) -> None:
    table[package] = found = findings(package, plant(None, package, tmp_path), evidence)
    assert all(found[check] <= 1.0 for check in KIND), found


@pytest.mark.check(30)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_found(fault: Fault, evidence: Path, table: dict, tmp_path: Path, measured: Measured) -> None:
    """By every check that can see it, and so by checks of at least two kinds."""
    table[str(fault)] = found = findings(fault.package, plant(fault, fault.package, tmp_path), evidence)
    caught = {check for check in KIND if found[check] > 1.0}
    measured.keep("faults", {"fault": fault.name, "package": fault.package, "found": found, "source": fault.source})
    assert len({KIND[check] for check in caught}) >= 2
    unseen = {"tangent"} if fault.file == "simulate.py" else set()
    assert caught == set(KIND) - BLIND[fault.name] - unseen, found
    measured(0, 0, 1)


def test_every_fault_is_planted_in_both_implementations() -> None:
    for package in ("reference", "fast"):
        assert [fault.name for fault in FAULTS if fault.package == package] == list(BLIND)
