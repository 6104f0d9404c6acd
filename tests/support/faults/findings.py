"""The checks that look for a planted fault. A finding is a number, in units of the allowed error.

The checks run on the `reference` or `fast` that comes first on the path. They compare it with the
evidence of `evidence.py`, with the conservation identities and with the tangent.
"""

import math
import os
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, isfinite
from typing import Any
from unittest import mock

import numpy as np

from delayprop.spec import Case, Gradients, Result, case_from_text
from delayprop.spec.conformance import check
from tests.support.comparison import block_errors
from tests.support.faults.fast_alone import excluded, simulated, wrong_batch, wrong_sum
from tests.support.faults.planting import runner
from tests.support.identities import residuals
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import DOT_PRODUCT, U64, WELL_CONDITIONED, identity, relative

DIGITS = -math.log10(WELL_CONDITIONED)  # right ones of each block of the conformance set
BEYOND = 1e99  # an infinity or NaN, in JSON


def wrong_gradient(case: Case, found: Gradients, true: Result) -> float:
    return max(block_errors(case, found, true.gradients).values()) / relative(U64, true.kappa_min)


def wrong_result(case: Case, found: Result, true: Result) -> float:
    """The largest error of loss, readout, spikes and gradients; infinite where ties, or the numbers
    of spikes, differ."""
    if found.ties != true.ties:
        return inf
    pairs: list[tuple[Any, Any]] = [([found.loss], [true.loss])]
    pairs += [] if true.readout is None else [(np.ravel(found.readout), np.ravel(true.readout))]
    for name, trains in true.spikes.items():
        pairs += zip(found.spikes[name], trains, strict=True)
    if any(len(numbers) != len(others) for numbers, others in pairs):
        return inf
    errors = [abs(a - b) / max(1.0, abs(b)) for both in pairs for a, b in zip(*both, strict=True)]
    return max(wrong_gradient(case, found.gradients, true), max(errors) / relative(U64, true.kappa_min))


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


def findings(package: str, evidence: bytes) -> Iterator[tuple[str, float]]:
    run, given = runner(package), pickle.loads(evidence)
    other = "fast" if package == "reference" else "reference"
    for text, results in given["problems"]:
        case = case_from_text(text)
        found = run(case)
        yield "finite differences", wrong_gradient(case, found.gradients, results["truth"])
        for name, residual in residuals(case, found, U64).items():
            yield f"identity {name}", residual / identity(U64)
        yield "tangent", wrong_slope(case, found)
        yield "agreement", wrong_result(case, found, results[other])
        if package == "fast":
            short = as_in_training(case, found)
            yield "finite differences", wrong_gradient(case, short.gradients, results["truth"])
            yield "agreement", wrong_result(case, short, results[other])
    for case in map(case_from_text, given["neurons"] if package == "reference" else ()):
        yield "tangent", wrong_slope(case, run(case))
    for text, results in [*given["others"], *(given["neurons of fast"] if package == "fast" else ())]:
        case = case_from_text(text)
        found = run(case)
        yield "agreement", wrong_result(case, found, results[other])
        if package == "fast":
            yield "agreement", wrong_result(case, as_in_training(case, found), results[other])
    for case in map(case_from_text, given["batches"] if package == "fast" else ()):
        yield "batch", wrong_batch(case)
    if package == "fast" and os.environ.get("NUMBA_DISABLE_JIT") == "1":  # else kernels alone call it
        yield "bound", float(excluded())
    if package == "fast" and simulated():
        yield "sum of threads", wrong_sum()
    yield "conformance", 0.0 if check(run, digits=DIGITS).passed else inf


def worst(package: str, evidence: bytes, kinds: Mapping[str, str] | None = None) -> dict[str, float]:
    """The largest finding of each check; with `kinds`, by check, only until two kinds have found
    something."""
    found: dict[str, float] = {}
    for name, value in findings(package, evidence):
        if kinds is not None and len({kinds[each] for each, one in found.items() if one > 1 and each in kinds}) >= 2:
            break
        if not value <= found.get(name, -1.0):  # NaN is the worst of all
            found[name] = value if isfinite(value) else BEYOND  # nan-ok: a NaN counts as the largest error
    return found
