"""Polynomials of the kernels, and the time of a crossing within a bin, against exact numbers."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from delayprop.fast.layout.arrays import LANES, Others
from delayprop.fast.physics.clock import clock_for
from delayprop.fast.physics.crossing import TOUCH, Neurons, time_to_threshold
from delayprop.fast.physics.polynomials import TERMS, flow_coefficients, integral_coefficients
from delayprop.fast.solving.tables import tables
from delayprop.spec.neuron import LIF
from tests.support.convolution import convolution
from tests.support.kernels import from_python

DTYPES = [np.float32, np.float64]
LANE, V_TH = 3, 1.0
called = from_python(time_to_threshold)


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


def check(dtype: type, V: float, I: float, x_end: float, pm: float, ps: float) -> float:
    """The crossing, in bins, or -1, as the kernels find it; asserts that it is one."""
    values, clock = np.array([[1 / pm], [1 / ps], [V_TH], [0.0]]), clock_for(1.0, 10.0, dtype)
    constants, _, coefficients, _ = tables(LIF, np.repeat(values, LANES, axis=1).tobytes(), LANES, 1.0, -1.0, dtype)
    u = clock.u
    with mpmath.workdps(40):
        V_end, I_end = float(voltage(V, I, x_end, pm, ps)), float(current(I, x_end, ps))
        neurons = Neurons(constants[0], coefficients[0], Others((), ()), clock.terms, u)
        ends = [(V, I), (V_end, I_end)]
        levels = [(v - V_TH, pm * (i - v)) for v, i in ends]
        x = called(V, I, (0.0, 0.0), *levels, x_end, LANE, neurons)
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


@given(
    st.sampled_from(DTYPES), st.floats(-3, 1, exclude_max=True), st.floats(-12, 4), st.floats(1e-6, 1),
    st.sampled_from([1 / 80, 1 / 20, 1 / 4]), st.sampled_from([1 / 80, 1 / 20, 1 / 4]),
)
@example(np.float64, -3.0, 15.0, 1.0, 1 / 80, 1 / 4)  # a current beyond all that networks have
@example(np.float32, 0.0, 15.0, 1e-6, 1 / 4, 1 / 4)
def test_crossings_lie_at_threshold(dtype: type, V: float, above: float, x_end: float, pm: float, ps: float) -> None:
    """`above`: power of ten of the current beyond the threshold."""
    check(dtype, V, 1.0 + 10.0**above, x_end, pm, ps)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.floats(-15, -1), st.floats(0.05, 0.95), st.sampled_from([(1 / 20, 1 / 5), (1 / 5, 1 / 20), (1 / 10, 1 / 10)]))
def test_grazing_crossings(dtype: type, beyond: float, x_peak: float, rates: tuple[float, float]) -> None:
    """The voltage peaks at `x_peak`, 10^beyond above its threshold: there it equals the current."""
    pm, ps = rates
    with mpmath.workdps(40):
        I = float((V_TH + mpmath.mpf(10) ** beyond) * mpmath.exp(ps * x_peak))
        driven = voltage(0.0, I, x_peak, pm, ps)
        V = float((current(I, x_peak, ps) - driven) * mpmath.exp(pm * x_peak))
    assume(V < V_TH)
    x = check(dtype, V, I, 1.0, pm, ps)
    assert x < 0 or x <= x_peak + math.sqrt(64 * clock_for(1.0, 10.0, dtype).u)
    if 10.0**beyond > 100 * clock_for(1.0, 10.0, dtype).u:
        assert x >= 0


NAMES = ["A", "AB", "B", "RA", "RAB", "RAA", "RAAB", "RABB", "RB"]
"""Of the flow of `lif`, and of an integral; a letter is an exponential that is convolved."""

ROUNDING = 4  # in u: truncation, at most 1, and rounding of some coefficients


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("pm", "ps", "r"), [(0.25, 0.25, 0.25), (0.05, 0.2, 0.001), (0.2, 0.05, 0.0),
                                             (0.125, 0.125 * (1 + 1e-9), 0.01), (1e-7, 0.25, 1e-5)])
def test_polynomials_are_right_to_rounding(pm: float, ps: float, r: float, dtype: type) -> None:
    u = float(np.finfo(dtype).eps) / 2
    A = np.array([[[-pm, pm], [0.0, -ps]]])
    of_integral = integral_coefficients(np.array([pm]), np.array([ps]), r, dtype)
    found = np.concatenate([flow_coefficients(A, A[:0, None], False, dtype), of_integral]).astype(np.float64)
    assert found.shape == (len(NAMES), TERMS[np.dtype(dtype).itemsize], 1)
    with mpmath.workdps(40):
        for number, name in enumerate(NAMES):
            rates = tuple({"A": pm, "B": ps, "R": -r}[letter] for letter in name)
            for x in np.linspace(-1.0, 1.0, 21):
                true = convolution(rates, x) * (pm if name == "AB" else 1)
                value = np.polynomial.polynomial.polyval(x, found[number, :, 0])
                assert abs(value / true - 1) <= ROUNDING * u, (number, x)


def test_control_a_term_less_is_not_enough() -> None:
    A = np.array([[[-0.25, 0.25], [0.0, -0.25]]])
    with mpmath.workdps(40):
        for dtype in (np.float32, np.float64):
            found = flow_coefficients(A, A[:0, None], False, dtype)[0, :-1, 0].astype(np.float64)
            error = abs(np.polynomial.polynomial.polyval(1.0, found) / convolution((0.25,), 1.0) - 1)
            assert error > 10 * float(np.finfo(dtype).eps)
