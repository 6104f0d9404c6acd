"""Synapses as kernels read them, and gradients of any number of arrivals, against more digits."""

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from delayprop.fast import LI, Spikes
from delayprop.fast.cpu.solver import _packed
from delayprop.fast.layout.arrays import LANES, Layer
from delayprop.fast.layout.instants import ABSENT
from delayprop.fast.solving import packing
from delayprop.fast.solving.problem import Problem
from delayprop.fast.solving.tables import tables
from delayprop.spec import VOLTAGE_READOUTS
from delayprop.spec.neuron import LIF
from tests.support.convolution import convolution
from tests.support.tolerances import U32, U64, sum_of_arrivals

WIDTH = 0.25


class Drawn(NamedTuple):
    """A problem, its synapses packed, and the readout's rate per bin (0 without an integral)."""

    problem: Problem
    layer: Layer
    rate: float


def drawn(seed: int, sources: int, post: int, dtype: type, duration: float, readout: str | None) -> Drawn:
    """Delays are at edges of bins, just before them, and longer than the trial, among others.
    Every neuron has constants of its own; with each third seed all are equal."""
    rng = np.random.default_rng(seed)
    d = rng.uniform(0.0, 1.3 * duration, (sources, post))
    d = np.where(rng.random(d.shape) < 0.3, rng.integers(0, 4, d.shape) * WIDTH, d).astype(dtype)
    d = np.where(rng.random(d.shape) < 0.3, np.nextafter(d, dtype(0.0)), d)
    d = np.where(rng.random(d.shape) < 0.05, dtype(duration + WIDTH), d)  # the end of the last bin
    spread = np.zeros((2, post)) if seed % 3 == 0 else rng.uniform(0.0, 3.0, (2, post))
    tau_mem, tau_syn = (np.array([[2.0], [1.0]]) + spread).astype(dtype)
    given = [rng.normal(size=d.shape).astype(dtype), d, rng.random(d.shape) < 0.8]
    constants = [tau_mem, tau_syn, np.ones(post, dtype), np.zeros(post, dtype)]
    w, d_, exists, *neurons = map(torch.from_numpy, [*given, *constants])
    problem = Problem(
        times=torch.zeros(0, dtype=torch.float64), offsets=torch.zeros(sources + 1, dtype=torch.int64), trials=1,
        sources=sources, duration=duration, w=w, d=d_, exists=exists, constants=tuple(neurons), readout=readout,
        bin_width=WIDTH, neuron=LIF,
    )
    layer = packing.layer(problem, int(packing.longest_delay(problem)), problem.clock.in_precision(dtype))
    for part in layer.synapses:
        part.fill_(7)  # what the memory held before
    return Drawn(problem, _packed(problem, layer), max(problem.rate, 0.0))


def behind(rates: tuple[float, ...], r: Fraction) -> float:
    """A convolution of exponentials at `-r`."""
    with mpmath.workdps(40):
        return float(convolution(rates, -float(r)) * (-mpmath.mpf(float(r))) ** (len(rates) - 1))


DRAWN = st.builds(
    drawn, st.integers(0, 2**32), st.integers(0, 2), st.sampled_from([1, 31, 32, 33, 70]),
    st.sampled_from([np.float32, np.float64]), st.sampled_from([9.0, 120.0, 300.0]),
    st.sampled_from([None, "mean_voltage", "exp_weighted_voltage"]),
)
NARROW = drawn(1, 2, 33, np.float32, 120.0, "exp_weighted_voltage")
WIDE = drawn(1, 2, 70, np.float64, 300.0, "exp_weighted_voltage")


@pytest.mark.full
@given(DRAWN)
@example(NARROW)
@example(WIDE)
def test_synapses_hold_their_delay_and_the_flow_behind_it(case: Drawn) -> None:
    problem, layer, rate = case
    (sources, post), ticks, u = problem.w.shape, layer.ticks, float(np.finfo(problem.dtype).eps)
    rounded = packing.instants(*packing.split(problem.d, problem), ticks).numpy()
    for source, number, lane in np.ndindex(sources, len(layer.constants), LANES):
        j, (delay, *found) = number * LANES + lane, [part[number, source, lane] for part in layer.synapses[:4]]
        if problem.readout:
            found.append(layer.synapses.w_y[number, source, lane])
        if j >= post or not problem.exists[source, j] or problem.d[source, j] >= (problem.clock.last + 1) * WIDTH:
            assert delay == ABSENT and not any(found)
            continue
        assert delay == rounded[source, j]
        r, w = Fraction(int(delay & ticks.rest), ticks.rest + 1), float(problem.w[source, j])
        pm, ps = (WIDTH / float(constant[j]) for constant in problem.constants[:2])
        true = [1.0, behind((ps,), r), pm * behind((pm, ps), r), pm * behind((-rate, pm, ps), r)]
        assert found == pytest.approx([w * one for one in true[: len(found)]], rel=4 * u, abs=1e-300)


def test_a_delay_just_below_a_bin_stays_in_its_bin() -> None:
    """Delays of the drawn problems; at both precisions."""
    for dtype, duration in ((np.float32, 120.0), (np.float64, 300.0)):
        problem, layer, _ = drawn(1, 2, 70, dtype, duration, None)
        below = problem.d.numpy() == np.nextafter(dtype(WIDTH), dtype(0.0))
        below &= problem.exists.numpy()
        delays = layer.synapses.delay.transpose(1, 0, 2).reshape(2, -1)[:, :70][below]
        tick = max(2.0**-layer.ticks.bits, float(np.finfo(dtype).epsneg))
        assert below.any() and (delays == round((1.0 - tick) * 2**layer.ticks.bits)).all()


def test_an_absent_synapse_does_not_lengthen_the_ring() -> None:
    problem = drawn(0, 1, 1, np.float64, 9.0, None).problem
    d, exists = torch.tensor([[1.0, 8.0, 1e30, 20.0]]).double(), torch.tensor([[True, False, True, True]])
    for given_, of, bins in ((exists, d, 4), (None, d, 32), (None, d[:0], 0)):
        assert int(packing.longest_delay(replace(problem, d=of, exists=given_))) == bins


def test_gradients_have_no_room_for_neurons_that_are_not_there() -> None:
    layer = LI(3, 33, readout="mean_voltage")
    layer(Spikes.from_trains([[[1.0], [2.0], []]], 20.0))[0].sum().backward()
    for parameter in (layer.w, layer.d):
        assert parameter.grad.is_contiguous()
        assert parameter.grad.untyped_storage().nbytes() == parameter.numel() * parameter.element_size()


TAU_MEM, TAU_SYN, D, W, T = 20.0, 5.0, 3.25, 0.5, 1000.0


def convolved(rates: tuple[np.longdouble, ...], s: np.ndarray) -> np.ndarray:
    """The convolution of exponentials of different rates, by partial fractions."""
    others = [np.prod([q - p for q in rates if q != p]) for p in rates]
    return sum((np.exp(-p * s) / of for p, of in zip(rates, others, strict=True)), np.zeros_like(s))


def terms_of(readout: str, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`lambda_I`, `lambda_V - lambda_I` and `lambda_V` at arrivals, in 64 binary digits, of one
    readout neuron without input but these; the largest voltage is that at `T`."""
    pm, ps, s = 1 / np.longdouble(TAU_MEM), 1 / np.longdouble(TAU_SYN), T - arrivals.astype(np.longdouble)
    if readout == "max_voltage":
        lambda_V, lambda_I = -pm * np.exp(-pm * s), -ps * pm * convolved((pm, ps), s)
        return lambda_I, lambda_V - lambda_I, lambda_V
    r = np.longdouble(0.0 if readout == "mean_voltage" else 1 / T)
    g, follows = np.exp(-r * T) / T, pm / (pm + r)  # the driving term at T; the part of it that lambda_V follows
    difference = -follows * g * (pm * convolved((pm, ps), s) + r * convolved((-r, ps), s))
    lambda_I = -g * ps * pm * convolved((-r, pm, ps), s)
    return lambda_I, difference, lambda_I + difference


def spikes_of(until: float, count: int, trials: int, readout: str) -> Spikes:
    """Trains of one neuron whose arrivals end at `until`; those of a maximum all arrive while the
    voltage still rises at `T`."""
    rng = np.random.default_rng(count)
    first, last = (T - 8.0, T - 1.0) if readout == "max_voltage" else (D, until * T)
    # On ticks of float32, so both precisions read one network.
    times = np.round(np.sort(rng.uniform(first, last, (trials, count)), axis=1) * 2**12) / 2**12 - D
    return Spikes(torch.from_numpy(times.ravel()), torch.arange(trials + 1) * count, trials, 1, T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("readout", VOLTAGE_READOUTS)
@pytest.mark.parametrize(("count", "trials", "until"), [
    (1, 1, 0.9), (33, 7, 0.7), (1000, 32, 0.9),
    *(pytest.param(*large, marks=pytest.mark.full) for large in [(1, 256, 0.1), (1000, 256, 0.7), (10**6, 1, 0.9)]),
])
def test_errors_of_many_arrivals(count: int, trials: int, until: float, readout: str, dtype: torch.dtype) -> None:
    spikes = spikes_of(until, count, trials, readout)
    layer = LI(1, 1, readout=readout, tau_mem=TAU_MEM, tau_syn=TAU_SYN).to(dtype)
    torch.nn.init.constant_(layer.w, W)
    torch.nn.init.constant_(layer.d, D)
    times = spikes.times.requires_grad_()
    layer(spikes).sum().backward()
    lambda_I, difference, lambda_V = terms_of(readout, times.detach().numpy() + D)
    u = U32 if dtype == torch.float32 else U64
    # A maximum adds lambda_V and lambda_I apart; an integral, their difference.
    of_d = W * (abs(lambda_V) + abs(lambda_I) if readout == "max_voltage" else abs(difference))
    allowed = sum_of_arrivals(u, count * trials, T)  # bins of 1 ms
    assert abs(float(layer.w.grad) + TAU_SYN * lambda_I.sum()) <= allowed * TAU_SYN * abs(lambda_I).sum()
    assert abs(float(layer.d.grad) - W * difference.sum()) <= allowed * of_d.sum()
    assert (abs(times.grad.numpy() - W * difference) <= sum_of_arrivals(u, 1, T) * of_d).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_begin_at_a_cache_line(dtype: type) -> None:
    """A load of 64 bytes across two lines is slower."""
    constants = np.array([[20.0] * 3, [5.0] * 3, [1.0] * 3, [0.0] * 3])
    for width in (0.25, 0.5, 1.0):
        assert [t.ctypes.data % 64 for t in tables(LIF, constants.tobytes(), 3, width, -1.0, dtype, 8)[1:]] == [0, 0, 0]
