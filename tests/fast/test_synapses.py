"""Synapses as the kernels read them, and their gradients, against numbers of 40 digits."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from fast.cpu.solver import _as_arrays, _pack
from fast.cpu.synapses import gradients_of_block
from fast.physics.instants import ABSENT
from fast.physics.layout import Layer
from fast.physics.polynomials import LANES
from fast.solving import packing
from fast.solving.problem import Problem
from tests.support.convolution import convolution

DURATION, WIDTH = 9.0, 0.25
TAU_MEM, TAU_SYN = 2.0, 1.0
PM, PS = WIDTH / TAU_MEM, WIDTH / TAU_SYN


def problem_of(w: np.ndarray, d: np.ndarray, exists: np.ndarray | None, readout: str | None) -> Problem:
    kind = torch.from_numpy(w).dtype
    values = (torch.full((w.shape[1],), value, dtype=kind) for value in (TAU_MEM, TAU_SYN, 1.0, 0.0))
    return Problem(
        times=torch.zeros(0, dtype=torch.float64), offsets=torch.zeros(len(w) + 1, dtype=torch.int64), trials=1,
        sources=len(w), duration=DURATION, w=torch.from_numpy(w), d=torch.from_numpy(d),
        exists=None if exists is None else torch.from_numpy(exists), constants=tuple(values), readout=readout,
    )


def packed(problem: Problem) -> Layer:
    layer: Layer = _as_arrays(packing.layer(problem, int(packing.longest_delay(problem))))
    for part in layer.synapses:
        part.fill(7)  # what the memory held before
    _pack(problem, layer)
    return layer


def drawn(seed: int, sources: int, post: int, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, delays and which synapses exist: delays at edges of bins, just before them, and
    longer than the trial among them."""
    rng = np.random.default_rng(seed)
    d = rng.uniform(0.0, 1.3 * DURATION, (sources, post))
    d = np.where(rng.random(d.shape) < 0.3, np.round(d / WIDTH) * WIDTH, d).astype(dtype)
    d = np.where(rng.random(d.shape) < 0.1, np.nextafter(d, dtype(0.0)), d)
    return rng.normal(size=d.shape).astype(dtype), d, rng.random(d.shape) < 0.8


def behind(rates: tuple[float, ...], r: Fraction) -> float:
    """A convolution of exponentials at `-r`."""
    with mpmath.workdps(40):
        return float(convolution(rates, -float(r)) * (-mpmath.mpf(float(r))) ** (len(rates) - 1))


DRAWN = st.integers(0, 3), st.sampled_from([1, 31, 32, 33, 70]), st.integers(0, 2**32)
READOUT = st.sampled_from([None, "mean_voltage"])


@given(*DRAWN, st.sampled_from([np.float32, np.float64]), READOUT)
@example(1, 33, 0, np.float32, "mean_voltage")
def test_synapses_hold_their_delay_and_the_flow_behind_it(
    sources: int, post: int, seed: int, dtype: type, readout: str | None
) -> None:
    w, d, exists = drawn(seed, sources, post, dtype)
    problem = problem_of(w, d, exists, readout)
    layer, u = packed(problem), float(np.finfo(dtype).eps)
    ticks, last = layer.ticks, problem.clock.last
    for source, number, lane in np.ndindex(sources, len(layer.constants), LANES):
        j, (delay, *found) = number * LANES + lane, [p[number, source, lane] for p in layer.synapses[:4]]
        if readout:
            found.append(layer.synapses.w_rab[number, source, lane])
        if j >= post or not exists[source, j] or d[source, j] >= (last + 1) * WIDTH:
            assert delay == ABSENT and not any(found)
            continue
        in_ticks = Fraction(float(d[source, j])) / Fraction(WIDTH) * (ticks.rest + 1)
        in_its_bin = in_ticks % (ticks.rest + 1) <= ticks.rest  # the last half of a tick is rounded down
        assert abs(delay - in_ticks) <= (Fraction(1, 2) if in_its_bin else 1)
        assert delay >> ticks.bits == int(d[source, j] / WIDTH)
        r = Fraction(int(delay & ticks.rest), ticks.rest + 1)
        true = [1.0, behind((PS,), r), behind((PM, PS), r), behind((0.0, PM, PS), r)]
        assert found == pytest.approx([float(w[source, j]) * one for one in true[: len(found)]], rel=4 * u, abs=1e-300)


@given(*DRAWN, READOUT)
@example(1, 33, 0, "mean_voltage")
def test_gradients_are_the_adjoint_taken_on_to_the_arrivals(
    sources: int, post: int, seed: int, readout: str | None
) -> None:
    w, d, exists = drawn(seed, sources, post, np.float64)
    layer = packed(problem_of(w, d, exists, readout))
    sums = np.random.default_rng(seed).normal(size=(len(layer.constants), sources, (5 if readout else 2) * LANES))
    dL_dw, dL_dd = np.full((2, sources, len(layer.constants) * LANES), 7.0)
    for number in range(len(layer.constants)):
        gradients_of_block(number, sums[number], layer, dL_dw, dL_dd)
    for source, j in np.ndindex(dL_dw.shape):
        number, lane = divmod(j, LANES)
        delay = layer.synapses.delay[number, source, lane]
        if delay == ABSENT:
            assert dL_dw[source, j] == dL_dd[source, j] == 0.0
            continue
        r = Fraction(int(delay & layer.ticks.rest), layer.ticks.rest + 1)
        of_V, of_I, *of_readout = sums[number, source].reshape(-1, LANES)[:, lane]
        lambda_V = behind((PM,), r) * of_V
        lambda_I = PS * behind((PM, PS), r) * of_V + behind((PS,), r) * of_I
        difference = lambda_V - lambda_I
        if readout:
            of_g, among_events, difference_among_events = of_readout
            ra, rab = behind((0.0, PM), r), behind((0.0, PM, PS), r)
            lambda_I += among_events - PM * PS * rab * of_g
            difference += difference_among_events + PM * (PS * rab - ra) * of_g
        expected = [-lambda_I / PS, w[source, j] * difference]
        assert [dL_dw[source, j], dL_dd[source, j]] == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_a_synapse_that_is_absent_does_not_lengthen_the_ring() -> None:
    d = np.array([[1.0, 8.0, 1e30, 20.0]])
    exists = np.array([[True, False, True, True]])
    assert int(packing.longest_delay(problem_of(np.ones((1, 4)), d, exists, None))) == 4
    assert int(packing.longest_delay(problem_of(np.ones((1, 4)), d, None, None))) == 32
    assert int(packing.longest_delay(problem_of(np.ones((0, 4)), np.ones((0, 4)), None, None))) == 0
