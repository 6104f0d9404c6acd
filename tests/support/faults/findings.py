"""The checks that look for a planted fault. A finding is a number, in units of the allowed error.

The checks run on the `reference` or `fast` that comes first on the path. They compare it with the
evidence of `evidence.py`, with the conservation identities and with the tangent.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, isfinite
from unittest import mock

import numpy as np

from delayprop.spec import Case, ConnectionGradient, Gradients, Result, case_from_text
from delayprop.spec.population import CONSTANTS, FILE_NAMES
from tests.support.comparison import block_errors
from tests.support.faults.fast_alone import excluded, simulated, wrong_batch, wrong_sum
from tests.support.faults.planting import runner
from tests.support.identities import residuals
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import DOT_PRODUCT, U64, identity, relative

BEYOND = 1e99  # an infinity or NaN, in JSON
KEYS = {FILE_NAMES.get(constant, constant): constant for constant in CONSTANTS}


def gradients(document: dict) -> Gradients:
    """The gradients of a printed result; 0 where no synapse is."""

    def matrix(rows: list[list[float | None]]) -> np.ndarray:
        return np.array([[0.0 if number is None else number for number in row] for row in rows])

    found = document["gradients"]
    return Gradients(
        tuple(ConnectionGradient(matrix(c["weights"]), matrix(c["delays"])) for c in found["connections"]),
        {
            name: {KEYS.get(key, key): np.array(values) for key, values in by.items()}
            for name, by in found["populations"].items()
        },
        {name: [np.array(train) for train in trains] for name, trains in found["inputs"].items()},
    )


def wrong_gradient(case: Case, found: Gradients, expected: dict) -> float:
    return max(block_errors(case, found, gradients(expected)).values()) / relative(U64, expected["kappa_min"])


def wrong_result(case: Case, found: Result, expected: dict) -> float:
    """The largest error of loss, readout, spikes and gradients; infinite where ties, or the numbers
    of spikes, differ."""
    document, errors = found.to_dict(case.network), []
    if document["ties"] != expected["ties"]:
        return inf
    pairs = [([document["loss"]], [expected["loss"]]), (document["readout"] or [], expected["readout"] or [])]
    for name, trains in expected["spikes"].items():
        pairs += zip(document["spikes"][name], trains, strict=True)
    for numbers, others in pairs:
        if len(numbers) != len(others):
            return inf
        errors += [abs(a - b) / max(1.0, abs(b)) for a, b in zip(numbers, others, strict=True)]
    limit = relative(U64, expected["kappa_min"])
    return max(wrong_gradient(case, found.gradients, expected), max(errors) / limit)


def wrong_slope(case: Case, found: Result) -> float:
    """The gradient times a random direction against the tangent along it, without an adjoint."""
    off, size = dot_product(case, found.gradients, random_direction(found.gradients, 0))
    return off / (size or 1.0) / DOT_PRODUCT


def as_in_training(case: Case, found: Result) -> Result:
    """The result with gradients of a run without learned constants: kernels take a shorter path."""
    from delayprop.fast.nn.network import Network

    def synapses_only(network: Network) -> Network:
        for synapses in network.synapses:
            synapses.requires_grad_()
        return network

    with mock.patch.object(Network, "requires_grad_", synapses_only):
        short = runner("fast")(case).gradients
    gradients = replace(found.gradients, connections=short.connections, inputs=short.inputs)
    return replace(found, gradients=gradients)


def findings(package: str, evidence: dict) -> Iterator[tuple[str, float]]:
    run = runner(package)
    other = "fast" if package == "reference" else "reference"
    for problem in evidence["problems"]:
        case = case_from_text(json.dumps(problem["case"]))
        found = run(case)
        yield "finite differences", wrong_gradient(case, found.gradients, problem["truth"])
        for name, residual in residuals(case, found, U64).items():
            yield f"identity {name}", residual / identity(U64)
        yield "tangent", wrong_slope(case, found)
        yield "agreement", wrong_result(case, found, problem[other])
        if package == "fast":
            short = as_in_training(case, found)
            yield "finite differences", wrong_gradient(case, short.gradients, problem["truth"])
            yield "agreement", wrong_result(case, short, problem[other])
    for document in evidence["neurons"] if package == "reference" else ():
        case = case_from_text(json.dumps(document))
        yield "tangent", wrong_slope(case, run(case))
    for problem in [*evidence["others"], *(evidence["neurons of fast"] if package == "fast" else ())]:
        case = case_from_text(json.dumps(problem["case"]))
        found = run(case)
        yield "agreement", wrong_result(case, found, problem[other])
        if package == "fast":
            yield "agreement", wrong_result(case, as_in_training(case, found), problem[other])
    for document in evidence["batches"] if package == "fast" else []:
        yield "batch", wrong_batch(case_from_text(json.dumps(document)))
    if package == "fast" and os.environ.get("NUMBA_DISABLE_JIT") == "1":  # else kernels alone call it
        yield "bound", float(excluded())
    if package == "fast" and simulated():
        yield "sum of threads", wrong_sum()
    for document in evidence["conformance"]:
        case = case_from_text(json.dumps(document))
        yield "conformance", wrong_result(case, run(case), document["expected"])


def worst(package: str, evidence: dict, kinds: Mapping[str, str] | None = None) -> dict[str, float]:
    """The largest finding of each check; with `kinds`, by check, only until two kinds have found
    something."""
    found: dict[str, float] = {}
    for check, value in findings(package, evidence):
        if kinds is not None and len({kinds[name] for name, one in found.items() if one > 1 and name in kinds}) >= 2:
            break
        if not value <= found.get(check, 0.0):  # NaN is the worst of all
            found[check] = value if isfinite(value) else BEYOND  # nan-ok: a NaN counts as the largest error
    return found
