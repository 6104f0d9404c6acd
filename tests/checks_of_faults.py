"""The checks that a planted fault has to pass by, each a number: what it finds, in units of what it allows.

`python -m tests.checks_of_faults PACKAGE EVIDENCE.json` runs them all on the `reference` or `fast` that is imported first.
The evidence was gathered beforehand with nothing planted: cases, their gradients by finite differences at 50 digits, and
what either implementation says of them.

Three checks need no other gradient. They are the symmetries of the model: of the unit of voltage (A), of the unit of time
(B) and of the origin of time (C). With `p g_p` summed over parameters `p` and their gradients:

    A   w g_w + v_th g_v_th + v_reset g_v_reset = y dL/dy of a voltage, 0 of spike times
    B   d g_d + tau_mem g_tau_mem + tau_syn g_tau_syn + t_in g_t_in = t_k dL/dt_k
    C   g_t_in = dL/dt_k
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib import import_module
from math import exp, fsum, inf
from pathlib import Path

import numpy as np

from spec import Case, ConnectionGradient, CrossEntropy, Gradients, PopulationGradient, SpikeTimeMSE, case_from_text
from tests.comparison import block_errors, gradient_limit

IDENTITY_LIMIT = 1e-12  # rounding of some hundred terms, in units of the sum of their absolute values
CONSTANTS = {"tau_mem": "tau_mem", "tau_syn": "tau_syn", "v_th": "threshold", "v_reset": "reset"}


def gradients(document: dict) -> Gradients:
    """The gradients of a printed result; 0 where no synapse is."""

    def matrix(rows: list[list[float | None]]) -> np.ndarray:
        return np.array([[0.0 if number is None else number for number in row] for row in rows])

    found = document["gradients"]
    return Gradients(
        tuple(ConnectionGradient(matrix(c["weights"]), matrix(c["delays"])) for c in found["connections"]),
        {
            name: PopulationGradient(*(np.array(p[key]) if key in p else None for key in CONSTANTS.values()))
            for name, p in found["populations"].items()
        },
        {name: [np.array(train) for train in trains] for name, trains in found["inputs"].items()},
    )


def gradient_excess(case: Case, found: dict, expected: dict) -> float:
    """The largest error of a block of the gradient."""
    errors = block_errors(case, gradients(found), gradients(expected))
    return max(errors.values()) / gradient_limit(expected["kappa_min"])


def result_excess(case: Case, found: dict, expected: dict) -> float:
    """The largest error of anything in the result."""
    limit = gradient_limit(expected["kappa_min"])
    errors = [abs(found["loss"] - expected["loss"]) / (abs(expected["loss"]) or 1.0)]
    pairs = [(found["readout"] or [], expected["readout"] or [])]
    for name, trains in expected["spikes"].items():
        pairs += zip(found["spikes"][name], trains, strict=True)
    for numbers, others in pairs:
        if len(numbers) != len(others):
            return inf
        errors += [abs(a - b) / case.duration for a, b in zip(numbers, others, strict=True)]
    return max(gradient_excess(case, found, expected), max(errors) / limit)


def identities(case: Case, found: dict) -> dict[str, float]:
    """A, B and C, each the sum of its terms in units of the sum of their absolute values."""
    by = gradients(found)
    scale, time = [], []
    for connection, gradient in zip(case.network.connections, by.connections, strict=True):
        scale += (connection.w * gradient.dL_dw)[connection.exists].tolist()
        time += (connection.d * gradient.dL_dd)[connection.exists].tolist()
    for name, gradient in by.populations.items():
        population = case.network.population(name)
        for constant in CONSTANTS:
            values = getattr(population, constant)
            if values is not None:
                terms = time if constant.startswith("tau") else scale
                terms += (values * getattr(gradient, f"dL_d{constant}")).tolist()
    shift = [g for trains in by.inputs.values() for train in trains for g in train.tolist()]
    for name, trains in by.inputs.items():
        for times, train in zip(case.inputs[name], trains, strict=True):
            time += (times * train).tolist()
    by_spike, by_readout = loss_derivatives(case, found)
    scale += [-y * dL_dy for y, dL_dy in by_readout]
    time += [-t * dL_dt for t, dL_dt in by_spike]
    shift += [-dL_dt for _, dL_dt in by_spike]
    named = {"identity A": scale, "identity B": time, "identity C": shift}
    return {name: abs(fsum(terms)) / fsum(map(abs, terms)) / IDENTITY_LIMIT for name, terms in named.items()}


def loss_derivatives(case: Case, found: dict) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """`(t_k, dL/dt_k)` of every spike that the loss reads, and `(y_j, dL/dy_j)` of every voltage."""
    loss = case.loss
    trains = found["spikes"][loss.population]
    if isinstance(loss, SpikeTimeMSE):
        pairs = [pair for train, targets in zip(trains, loss.targets, strict=True) for pair in zip(train, targets)]
        return [(t, t - float(target)) for t, target in pairs], []
    assert isinstance(loss, CrossEntropy)
    y = found["readout"]
    total = fsum(exp(other - max(y)) for other in y)
    by_readout = [(y_j, exp(y_j - max(y)) / total - (j == loss.label)) for j, y_j in enumerate(y)]
    if loss.time_scale is None:
        return [], by_readout
    first = [
        (train[0], -dL_dy / loss.time_scale) for train, (_, dL_dy) in zip(trains, by_readout, strict=True) if train
    ]
    return first, []


def excesses(package: str, evidence: dict) -> dict[str, float]:
    """The largest excess that each check finds in the implementation."""
    run = import_module("reference").run if package == "reference" else import_module("fast.run").run_case
    rows: list[dict[str, float]] = []
    for problem in evidence["problems"]:
        case = case_from_text(json.dumps(problem["case"]))
        found = run(case).to_dict(case.network)
        other = problem["fast" if package == "reference" else "reference"]
        rows.append(
            {
                "finite differences": gradient_excess(case, found, problem["truth"]),
                **identities(case, found),
                "agreement": result_excess(case, found, other),
            }
        )
    for document in evidence["conformance"]:
        case = case_from_text(json.dumps(document))
        found = run(case).to_dict(case.network)
        rows.append({"conformance": result_excess(case, found, document["expected"])})
    return _largest(rows)


def _largest(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    largest: dict[str, float] = {}
    for row in rows:
        for name, value in row.items():
            largest[name] = max(value, largest.get(name, 0.0))
    return largest


if __name__ == "__main__":
    name, path = sys.argv[1:]
    found = excesses(name, json.loads(Path(path).read_text(encoding="utf-8")))
    print(json.dumps({"module": import_module(name).__file__, "excesses": found}))
