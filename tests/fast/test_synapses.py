"""Parts of kernels against more digits: instants at edges of bins, gradients of any number of
arrivals, ticks, crossings, polynomials, and the orders of spikes."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.cpu import gaps
from delayprop.fast.cpu.emitted import Emitted
from delayprop.fast.cpu.short_rows import FEW
from delayprop.fast.cpu.sorting import sort_by_train
from delayprop.fast.layout import instants
from delayprop.fast.layout.arrays import LANES, Others
from delayprop.fast.layout.instants import BATCH, REST_BITS, ticks_for
from delayprop.fast.physics.clock import clock_for
from delayprop.fast.physics.crossing import TOUCH, Neurons, time_to_threshold
from delayprop.fast.physics.polynomials import TERMS, flow_coefficients, integral_coefficients
from delayprop.fast.solving.tables import tables
from delayprop.spec import VOLTAGE_READOUTS, UnsupportedError
from delayprop.spec.neuron import LIF as EQUATIONS
from tests.support.convolution import convolution
from tests.support.kernels import from_python
from tests.support.tolerances import U32, U64, sum_of_arrivals


def results_near_edges(dtype: torch.dtype, below: bool) -> list[torch.Tensor]:
    """Spikes, a readout and gradients of delays and input at edges of bins, or just below them."""
    times, d = torch.tensor([2.0, 8.0], dtype=torch.float64), torch.tensor([[1.0], [3000.0]], dtype=dtype)
    if below:
        times, d = (torch.nextafter(values, torch.zeros_like(values)) for values in (times, d))
    spikes = Spikes(times.requires_grad_(), torch.tensor([0, 1, 2]), 1, 2, 4000.0)
    found = []
    for layer in (LIF(2, 1, dtype=dtype), LI(2, 1, readout="mean_voltage", dtype=dtype)):
        torch.nn.init.constant_(layer.w, 9.0)
        layer.d.data.copy_(d)
        out = layer(spikes)
        out = out.times if isinstance(out, Spikes) else out
        out.sum().backward()
        found += [out.detach(), layer.w.grad, layer.d.grad]
    return [*found, spikes.times.grad]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_an_instant_just_below_a_bin_is_no_bin_off(dtype: torch.dtype) -> None:
    """Rounded to a tick, it stays in its bin; the ring is long, so ticks are coarse."""
    at, below = (results_near_edges(dtype, below) for below in (False, True))
    assert len(at[0]) >= 2
    for one, other in zip(at, below, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-9)


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
        made = tables(EQUATIONS, constants.tobytes(), 3, width, -1.0, dtype, 8)
        assert [table.ctypes.data % 64 for table in made[1:]] == [0, 0, 0]


to_tick = from_python(instants.to_tick)
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


def test_a_crossing_is_rounded_to_a_tick_within_its_bounds() -> None:
    ticks = ticks_for(1000, 1.0)
    one = 2.0**-ticks.bits
    for n in (0, 1, 5, ticks.rest // 2, ticks.rest - 1):
        for off in (0.0, 0.25, -0.25) if n else (0.0, 0.25):
            assert to_tick((n + off) * one, 1.0, ticks) == n * one
    assert to_tick(1.0, 1.0, ticks) == 1.0 - one
    assert to_tick(5.75 * one, 5.875 * one, ticks) == 5 * one


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
    constants, _, coefficients, _ = tables(EQUATIONS, *key)
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


DTYPES = [np.float32, np.float64]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32))
def test_emitted_spikes_are_sorted_by_train(trials: int, post: int, seed: int) -> None:
    """Runs of several pieces: packs of neurons one after the other, each over all trials."""
    random = np.random.default_rng(seed)
    runs = [(trial, random.integers(0, post, random.integers(0, 6))) for _ in range(2) for trial in range(trials)]
    neuron = np.concatenate([part for _, part in runs]).astype(np.int32)
    trial, n = np.array([trial for trial, _ in runs]), len(neuron)
    numbers = np.arange(n)
    others = np.stack([numbers + 0.5, -numbers], axis=1)
    rest, I = numbers.astype(np.float32), numbers.astype(float)
    emitted = Emitted(neuron, numbers.astype(np.int32), rest, I, 2.0 * I, others)
    by_train, rank = Emitted(*(np.empty_like(part) for part in emitted)), np.empty(n, np.int64)
    offsets = np.empty(trials * post + 1, np.int64)
    sort_by_train(emitted, trial, np.cumsum([len(part) for _, part in runs]), post, offsets, rank, by_train)
    train = np.repeat(trial, [len(part) for _, part in runs]) * post + neuron
    order = np.argsort(train, kind="stable")
    assert np.diff(offsets).tolist() == np.bincount(train, minlength=trials * post).tolist()
    assert rank[order].tolist() == list(range(n))
    for sorted_, part in zip(by_train, emitted, strict=True):
        assert sorted_.tolist() == part[order].tolist()


scratch_for, put_in_order = map(from_python, (gaps.gap_scratch, gaps.put_in_order))


@pytest.mark.full
@given(st.sampled_from(DTYPES), st.integers(0, 70), st.integers(1, 65), st.integers(0, 2**32))
def test_arrivals_are_in_order_of_time(dtype: type, count: int, different: int, seed: int) -> None:
    """Up to FEW are ranked side by side, more are sorted by pieces of the bin. If a piece has more
    than FEW, up to 48 are sorted by insertion, more as a heap. The latest spike is found first. The
    earlier one goes first at one instant, but for a heap."""
    random = np.random.default_rng(seed)
    scratch = scratch_for(count, np.empty(0, dtype), Others((), (), ()))
    scratch.rest[:] = random.integers(65 - different, 65, len(scratch.rest)) / 64  # beyond `count` too
    scratch.weight[:count] = np.arange(count)
    rest: np.ndarray = np.full(count + 1, -1, dtype)
    weight = rest.copy()
    put_in_order(count, scratch, rest, weight)
    found = scratch.rest[:count]
    order = np.lexsort((-np.arange(count), found))
    assert rest.tolist() == [*found[order], -1]
    assert found[weight[:-1].astype(int)].tolist() == rest[:-1].tolist(), "each weight stays with its instant"
    assert sorted(weight[:-1]) == list(range(count))
    if count <= 48 or np.bincount((found * dtype(count)).astype(int)).max() <= FEW:
        assert weight.tolist() == [*order, -1]
