"""Instants in ticks, crossings and polynomials, in exact arithmetic."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from delayprop.fast.layout import instants
from delayprop.fast.layout.arrays import LANES, Others
from delayprop.fast.layout.instants import BATCH, REST_BITS, ticks_for
from delayprop.fast.physics.clock import clock_for
from delayprop.fast.physics.crossing import TOUCH, Neurons, time_to_threshold
from delayprop.fast.physics.polynomials import TERMS, flow_coefficients, integral_coefficients
from delayprop.fast.solving.tables import tables
from delayprop.spec import UnsupportedError
from delayprop.spec.neuron import LIF
from tests.support.convolution import convolution
from tests.support.kernels import from_python
from tests.support.tolerances import U32, U64

arrival_of, in_bins, instant_of, time_of, to_tick = map(
    from_python, (instants.arrival_of, instants.in_bins, instants.instant_of, instants.time_of, instants.to_tick),
)
crossing_of = from_python(time_to_threshold)


@pytest.mark.parametrize("longest", [0, 1, 13, 14, 15, 100, 1006, 1007, 5000, 100_000])
def test_a_ring_has_room_for_a_batch_and_a_rest_its_digits(longest: int) -> None:
    ticks = ticks_for(longest, 1.0)
    assert ticks.bins > longest + BATCH and ticks.bins & (ticks.bins - 1) == 0
    assert ticks.slot == (ticks.bins - 1) << ticks.bits and ticks.slot | ticks.rest <= np.iinfo(np.int64).max
    assert ticks.bits == REST_BITS or (ticks.bits >= 40 and (ticks.slot | ticks.rest).bit_length() == 63)
    assert Fraction(ticks.rest * 2.0**-ticks.bits) == Fraction(ticks.rest, 2**ticks.bits), "every rest is a number"


def test_too_long_a_delay_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="`d` must be at most 8388590 bins long, got one of 8388608 bins"):
        ticks_for(2**23, 1.0)


@pytest.mark.full
@given(st.integers(0, 2000), st.data())
def test_the_sum_of_a_spike_and_a_delay_is_exact(longest: int, data: st.DataObject) -> None:
    """In a ring that wraps, up to the last tick of a bin."""
    ticks = ticks_for(longest, 1.0)
    bin_, delay = data.draw(st.integers(0, 10**6)), data.draw(st.integers(0, longest))
    q, r = (data.draw(st.integers(0, ticks.rest) | st.sampled_from([0, 1, ticks.rest])) for _ in range(2))
    time = np.int64(time_of(bin_, float(Fraction(q, ticks.rest + 1)), ticks))
    slot, rest, carried = arrival_of(np.int64(delay << ticks.bits | r), time, ticks)
    exact = bin_ + delay + Fraction(q + r, ticks.rest + 1)
    assert slot == int(exact) % ticks.bins and Fraction(float(in_bins(rest, ticks))) == exact - int(exact)
    assert carried == (q + r > ticks.rest)


def test_a_crossing_is_rounded_to_a_tick_within_its_bounds() -> None:
    ticks = ticks_for(1000, 1.0)
    one = 2.0**-ticks.bits
    for n in (0, 1, 5, ticks.rest // 2, ticks.rest - 1):
        for off in (0.0, 0.25, -0.25) if n else (0.0, 0.25):
            assert to_tick((n + off) * one, 1.0, ticks) == n * one
    assert to_tick(1.0, 1.0, ticks) == 1.0 - one
    assert to_tick(5.75 * one, 5.875 * one, ticks) == 5 * one


def test_a_half_tick_is_rounded_to_the_even_one() -> None:
    ticks = ticks_for(1000, 1.0)
    for n in (0, 1, 2, 3, 1000, 1001):
        for off in (0.0, 0.25, 0.5, 0.75):
            assert instant_of(2, (n + off) / (ticks.rest + 1), ticks) == (2 << ticks.bits) + np.rint(n + off)
    assert instant_of(2, np.nextafter(1.0, 0.0), ticks) == (2 << ticks.bits) + ticks.rest


LANE, V_TH = 3, 1.0


def voltage(V: float, I: float, x: float, pm: float, ps: float) -> mpmath.mpf:
    return V * mpmath.exp(-pm * x) + I * pm * x * convolution((pm, ps), x)


def current(I: float, x: float, ps: float) -> mpmath.mpf:
    return I * mpmath.exp(-ps * x)


def highest(V: float, I: float, x_end: float, pm: float, ps: float) -> mpmath.mpf:
    """The largest voltage up to `x_end`: there, or before it, where it meets the current."""
    low, high = mpmath.mpf(0), mpmath.mpf(x_end)
    if voltage(V, I, x_end, pm, ps) <= current(I, x_end, ps):
        return voltage(V, I, x_end, pm, ps)
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if voltage(V, I, middle, pm, ps) < current(I, middle, ps) else (low, middle)
    return voltage(V, I, low, pm, ps)


def check(V: float, I: float, x_end: float, pm: float, ps: float) -> float:
    """The crossing, in bins, or -1, as the kernels find it; asserts that it is one."""
    values, clock = np.array([[1 / pm], [1 / ps], [V_TH], [0.0]]), clock_for(1.0, 10.0)
    key = np.repeat(values, LANES, axis=1).tobytes(), LANES, 1.0, -1.0, np.float64, len(clock.terms)
    constants, _, coefficients, _ = tables(LIF, *key)
    u = clock.u
    with mpmath.workdps(40):
        V_end, I_end = float(voltage(V, I, x_end, pm, ps)), float(current(I, x_end, ps))
        neurons = Neurons(constants[0], coefficients[0], Others((), (), ()), clock.terms, u)
        ends = [(V, I), (V_end, I_end)]
        levels = [(v - V_TH, pm * (i - v)) for v, i in ends]
        x = crossing_of(V, I, (0.0, 0.0), *levels, x_end, LANE, neurons)
        top = highest(V, I, x_end, pm, ps)
        slack = 8 * u * (abs(V) + abs(I) * pm * x_end + V_TH)
        if x < 0:
            assert x == -1 and top <= V_TH * (1 + TOUCH * u) + slack
            return x
        assert 0 <= x <= x_end and top >= V_TH - slack
        V_x, I_x = voltage(V, I, x, pm, ps), current(I, x, ps)
        slope = pm * (I_x - V_x)
        assert abs(V_x - V_TH) <= u * pm * abs(ps * I_x + slope) / 2 + slack
        assert slope >= -slack, "it rises"
        return x


@pytest.mark.full
@given(
    st.floats(-3, 1, exclude_max=True), st.floats(-12, 4), st.floats(1e-6, 1),
    st.sampled_from([1 / 80, 1 / 20, 1 / 4]), st.sampled_from([1 / 80, 1 / 20, 1 / 4]),
)
@example(-3.0, 15.0, 1.0, 1 / 80, 1 / 4)  # a current beyond all that networks have
@example(0.0, 15.0, 1e-6, 1 / 4, 1 / 4)
def test_crossings_lie_at_threshold(V: float, above: float, x_end: float, pm: float, ps: float) -> None:
    """`above`: power of ten of the current beyond the threshold."""
    check(V, 1.0 + 10.0**above, x_end, pm, ps)


@given(st.floats(-15, -1), st.floats(0.05, 0.95), st.sampled_from([(1 / 20, 1 / 5), (1 / 5, 1 / 20), (1 / 10, 1 / 10)]))
def test_grazing_crossings(beyond: float, x_peak: float, rates: tuple[float, float]) -> None:
    """The voltage peaks at `x_peak`, 10^beyond above its threshold: there it equals the current."""
    pm, ps = rates
    with mpmath.workdps(40):
        I = float((V_TH + mpmath.mpf(10) ** beyond) * mpmath.exp(ps * x_peak))
        driven = voltage(0.0, I, x_peak, pm, ps)
        V = float((current(I, x_peak, ps) - driven) * mpmath.exp(pm * x_peak))
    assume(V < V_TH)
    x = check(V, I, 1.0, pm, ps)
    assert x < 0 or x <= x_peak + math.sqrt(64 * U64)
    if 10.0**beyond > 100 * U64:
        assert x >= 0


NAMES = ["A", "AB", "B", "RA", "RAB", "RAA", "RAAB", "RABB", "RB"]
"""Of the flow of `lif`, and of an integral; a letter is an exponential that is convolved."""

ROUNDING = 4  # in u: truncation, at most 1, and rounding of some coefficients
PRECISIONS = [(TERMS[4], U32), (TERMS[8], U64)]
"""Terms, and the error that they stay below."""


@pytest.mark.parametrize(("terms", "u"), PRECISIONS)
@pytest.mark.parametrize(("pm", "ps", "r"), [(0.25, 0.25, 0.25), (0.05, 0.2, 0.001), (0.2, 0.05, 0.0),
                                             (0.125, 0.125 * (1 + 1e-9), 0.01), (1e-7, 0.25, 1e-5)])
def test_polynomials_are_right_to_rounding(pm: float, ps: float, r: float, terms: int, u: float) -> None:
    A = np.array([[[-pm, pm], [0.0, -ps]]])
    of_integral = integral_coefficients(np.array([pm]), np.array([ps]), r, terms)
    found = np.concatenate([flow_coefficients(A, A[:0, None], False, terms), of_integral])
    assert found.shape == (len(NAMES), terms, 1)
    if u == U32:
        found = found.astype(np.float32).astype(np.float64)
    with mpmath.workdps(40):
        for number, name in enumerate(NAMES):
            rates = tuple({"A": pm, "B": ps, "R": -r}[letter] for letter in name)
            for x in np.linspace(-1.0, 1.0, 21):
                true = convolution(rates, x) * (pm if name == "AB" else 1)
                value = np.polynomial.polynomial.polyval(x, found[number, :, 0])
                assert abs(value / true - 1) <= ROUNDING * u, (number, x)


@pytest.mark.parametrize(("terms", "u"), PRECISIONS)
def test_control_a_term_less_is_not_enough(terms: int, u: float) -> None:
    A = np.array([[[-0.25, 0.25], [0.0, -0.25]]])
    with mpmath.workdps(40):
        found = flow_coefficients(A, A[:0, None], False, terms)[0, :-1, 0]
        error = abs(np.polynomial.polynomial.polyval(1.0, found) / convolution((0.25,), 1.0) - 1)
        assert error > 20 * u
