"""The checks that a planted fault has to pass by, each a number: what it finds, in units of what it allows.

`python -m tests.support.faults.findings PACKAGE EVIDENCE.json` runs all of them on the `reference` or `fast` that comes first
on the path. The evidence was gathered beforehand, with nothing planted: cases, their gradients by differences at 50
digits, and what each implementation says of them.

Three checks need no other gradient. They are the symmetries of the model: the unit of voltage (A), the unit of time (B)
and the origin of time (C). With sums over all parameters:

    A   w dL/dw + v_th dL/dv_th + v_reset dL/dv_reset = y dL/dy for a voltage y, 0 for spike times
    B   d dL/dd + tau_mem dL/dtau_mem + tau_syn dL/dtau_syn + t_in dL/dt_in = t_k dL/dt_k
    C   dL/dt_in = dL/dt_k
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from math import exp, fsum, inf, isfinite
from pathlib import Path

import numpy as np

from spec import Case, ConnectionGradient, Gradients, PopulationGradient, Result, SpikeTimeMSE, case_from_text
from tests.support.comparison import CONSTANTS, block_errors, gradient_blocks, gradient_limit
from tests.support.tangent import directional_derivative, random_direction
from tests.support.tolerances import DOT_PRODUCT, U64, identity

BEYOND = 1e99  # what is infinite or no number, in JSON
KEYS = ("tau_mem", "tau_syn", "threshold", "reset")


def gradients(document: dict) -> Gradients:
    """The gradients of a printed result; 0 where no synapse is."""

    def matrix(rows: list[list[float | None]]) -> np.ndarray:
        return np.array([[0.0 if number is None else number for number in row] for row in rows])

    found = document["gradients"]
    return Gradients(
        tuple(ConnectionGradient(matrix(c["weights"]), matrix(c["delays"])) for c in found["connections"]),
        {
            name: PopulationGradient(*(np.array(constants[key]) for key in KEYS if key in constants))
            for name, constants in found["populations"].items()
        },
        {name: [np.array(train) for train in trains] for name, trains in found["inputs"].items()},
    )


def wrong_gradient(case: Case, found: Gradients, expected: dict) -> float:
    """The largest error of a block."""
    errors = block_errors(case, found, gradients(expected))
    return max(errors.values()) / gradient_limit(expected["kappa_min"])


def wrong_result(case: Case, found: Result, expected: dict) -> float:
    """The largest error of anything in a result."""
    document, errors = found.to_dict(case.network), []
    pairs = [([document["loss"]], [expected["loss"]]), (document["readout"] or [], expected["readout"] or [])]
    for name, trains in expected["spikes"].items():
        pairs += zip(document["spikes"][name], trains, strict=True)
    for numbers, others in pairs:
        if len(numbers) != len(others):
            return inf
        errors += [abs(a - b) / max(1.0, abs(b)) for a, b in zip(numbers, others, strict=True)]
    limit = gradient_limit(expected["kappa_min"])
    return max(wrong_gradient(case, found.gradients, expected), max(errors) / limit)


def broken_identities(case: Case, found: Result) -> dict[str, float]:
    """The terms of A, B and C that should add up to 0, of the sum of their absolute values."""
    by = found.gradients
    scale: list[float] = []
    time: list[float] = []
    shift: list[float] = []
    for connection, gradient in zip(case.network.connections, by.connections, strict=True):
        scale += (connection.w * gradient.dL_dw)[connection.exists].tolist()
        time += (connection.d * gradient.dL_dd)[connection.exists].tolist()
    for name, constants in by.populations.items():
        for constant in CONSTANTS:
            values = getattr(case.network.population(name), constant)
            if values is not None:
                terms = time if constant.startswith("tau") else scale
                terms += (values * getattr(constants, f"dL_d{constant}")).tolist()
    for name, trains in by.inputs.items():
        shift += chain(*(train.tolist() for train in trains))
        time += chain(*((t * g).tolist() for t, g in zip(case.inputs[name], trains, strict=True)))
    by_spike, by_readout = loss_derivatives(case, found)
    scale += [-y * dL_dy for y, dL_dy in by_readout]
    time += [-t * dL_dt for t, dL_dt in by_spike]
    shift += [-dL_dt for _, dL_dt in by_spike]
    named = {"identity A": scale, "identity B": time, "identity C": shift}
    return {name: abs(fsum(terms)) / (fsum(map(abs, terms)) or 1.0) / identity(U64) for name, terms in named.items()}


def loss_derivatives(case: Case, found: Result) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """`(t_k, dL/dt_k)` of every spike that the loss reads, and `(y_j, dL/dy_j)` of every voltage."""
    loss, trains = case.loss, found.spikes[case.loss.population]
    if isinstance(loss, SpikeTimeMSE):
        pairs = chain(*map(zip, trains, loss.targets))
        return [(t, t - target) for t, target in pairs], []
    assert found.readout is not None
    exps = [exp(y - max(found.readout)) for y in found.readout]
    dL_dy = [e / fsum(exps) - (j == loss.label) for j, e in enumerate(exps)]
    if loss.time_scale is None:
        return [], list(zip(found.readout, dL_dy, strict=True))
    return [(train[0], -g / loss.time_scale) for train, g in zip(trains, dL_dy, strict=True) if len(train)], []


def wrong_slope(case: Case, found: Result) -> float:
    """The gradient times a random direction against the tangent of the loss along it: forward in time, no adjoint."""
    direction = random_direction(found.gradients, 0)
    by, moves = gradient_blocks(case, found.gradients), gradient_blocks(case, direction)
    terms = [float(g * move) for name in by for g, move in zip(by[name], moves[name], strict=True)]
    difference = fsum([*terms, -directional_derivative(case, direction)])
    return abs(difference) / (fsum(map(abs, terms)) or 1.0) / DOT_PRODUCT


def findings(package: str, evidence: dict) -> Iterator[tuple[str, float]]:
    """What each check finds in the implementation, case by case."""
    run: Callable[[Case], Result] = import_module("reference").run
    if package == "fast":
        run = import_module("fast.run").run_case
    other = "fast" if package == "reference" else "reference"
    for problem in evidence["problems"]:
        case = case_from_text(json.dumps(problem["case"]))
        found = run(case)
        yield "finite differences", wrong_gradient(case, found.gradients, problem["truth"])
        yield from broken_identities(case, found).items()
        yield "tangent", wrong_slope(case, found)
        yield "agreement", wrong_result(case, found, problem[other])
    for problem in evidence["others"]:
        case = case_from_text(json.dumps(problem["case"]))
        yield "agreement", wrong_result(case, run(case), problem[other])
    for document in evidence["conformance"]:
        case = case_from_text(json.dumps(document))
        yield "conformance", wrong_result(case, run(case), document["expected"])


if __name__ == "__main__":
    name, path = sys.argv[1:]
    worst: dict[str, float] = {}
    for check, value in findings(name, json.loads(Path(path).read_text(encoding="utf-8"))):
        if not value <= worst.get(check, 0.0):  # NaN is the worst of all
            worst[check] = value if isfinite(value) else BEYOND  # nan-ok: a NaN counts as the largest error
    print(json.dumps({"module": import_module(name).__file__, "findings": worst}))
