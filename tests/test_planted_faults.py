"""Faults that gradients of other systems had, planted in ours: the checks must find each one.

Every fault must be found by two checks that share nothing, and no check may find anything where nothing is planted. A check
that is blind to a fault by its nature must stay blind: the table below is exact.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reference
from fast.run import run_case
from spec import (
    Case,
    Connection,
    CrossEntropy,
    Network,
    Population,
    Result,
    SpikeTimeMSE,
    SpikeTrains,
    case_to_dict,
    load_case,
)
from tests.planting import FAULTS, ROOT, Fault, excesses, plant
from tests.truth import Problem, gradient, simulate

CHECKS = ("finite differences", "identity A", "identity B", "identity C", "agreement", "conformance")


def problems() -> list[Case]:
    """Tiny networks with several spikes a neuron, inhibition, resets that are not 0 and delays that are no whole ms."""
    given = Population("in", "input", 3)
    hidden = Population("hidden", "lif", 2, [9.0, 11.0], [4.0, 5.0], [1.0, 0.8], [-0.3, 0.2])
    lif = Population("out", "lif", 2, [12.0, 10.0], [5.0, 6.0], [1.2, 1.0], [0.1, -0.4])
    li = Population("out", "li", 2, [12.0, 10.0], [5.0, 6.0])
    first = Connection("in", "hidden", [[4.0, 2.1], [1.7, 3.6], [-1.2, 2.4]], [[0.6, 2.3], [1.7, 0.9], [3.2, 1.4]])
    second = Connection("hidden", "out", [[2.4, 1.3], [1.1, 1.6]], [[1.3, 2.8], [4.6, 0.7]])
    inputs = {"in": SpikeTrains([[0.7, 4.1, 9.3], [1.9, 6.4], [3.3]])}
    spiking, reading = Network((given, hidden, lif), (first, second)), Network((given, hidden, li), (first, second))
    return [
        Case(spiking, 30.0, inputs, SpikeTimeMSE("out", SpikeTrains([[9.0, 12.0], [8.0, 12.0, 15.0]]))),
        Case(spiking, 30.0, inputs, CrossEntropy("first_spike_time", "out", 1, 3.0)),
        Case(reading, 30.0, inputs, CrossEntropy("max_voltage", "out", 0)),
    ]


def _truth(case: Case) -> Result:
    truth = simulate(Problem.from_case(case))
    return Result(truth.loss, truth.spikes, truth.kappa, truth.readout, gradient(case), ())


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the checks hold a copy against, gathered with nothing planted."""
    path = tmp_path_factory.mktemp("evidence") / "evidence.json"
    runs = {"truth": _truth, "reference": reference.run, "fast": run_case}
    rows = [
        {"case": case_to_dict(case)} | {name: run(case).to_dict(case.network) for name, run in runs.items()}
        for case in problems()
    ]
    conformance = [load_case(file) for file in sorted((ROOT / "spec" / "conformance").glob("*.json"))]
    path.write_text(json.dumps({"problems": rows, "conformance": [case_to_dict(case) for case in conformance]}))
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.package}: {fault.name}")
def test_x(fault: Fault, evidence: Path, tmp_path: Path) -> None:
    found = excesses(fault.package, plant(fault, fault.package, tmp_path), evidence)
    print(fault.package, fault.name, {k: f"{v:.1e}" for k, v in found.items()})


@pytest.mark.parametrize("package", ["reference", "fast"])
def test_control(package: str, evidence: Path, tmp_path: Path) -> None:
    found = excesses(package, plant(None, package, tmp_path), evidence)
    print(package, {k: f"{v:.1e}" for k, v in found.items()})
