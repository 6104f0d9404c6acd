"""Networks at the limits of floating point, with almost no events, or at odd times, each with its
expected result; odd input of the kernels: edges of arrays, NaN, endless spiking."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import delayprop.reference as reference
from delayprop.fast import Spikes, propagate
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpecError, SpikeTrains
from tests.support.commands import python
from tests.support.comparison import block_errors
from tests.support.identities import residuals
from tests.support.implementations import RUNS, Run, assert_true, every_readout, every_run
from tests.support.networks.documents import loss_of, one_response, spiking, two_neurons, wire
from tests.support.networks.documents import read as read_case
from tests.support.parameters import blocks
from tests.support.report_evidence import Measured
from tests.support.tolerances import U64, WELL_CONDITIONED, identity, relative
from tests.support.truth import gradient


def nearly_equal(delta: float) -> Callable[[str], Case]:
    """`tau_mem = tau_syn (1 + delta)`."""
    return lambda read: one_response(read, tau_syn=16.0 / (1 + delta), kind="li" if read == "max_voltage" else "lif")


def far_apart(tau_mem: float, tau_syn: float) -> Callable[[str], Case]:
    """An impulse of current, or a current that hardly decays."""
    drive = 1.5 * max(1.0, tau_mem / tau_syn)
    weights = [[drive, 0.4 * drive], [0.8 * drive, 1.1 * drive]]
    T = 60.0 if tau_mem >= 1 else 4.0

    def case(read: str) -> Case:
        neuron = ({"kind": "li"} if read == "max_voltage" else spiking()) | {"tau_mem": tau_mem, "tau_syn": tau_syn}
        return two_neurons(neuron, weights, [[1.75, 2.5], [0.3, 0.0]], [[0.5, 3.3], [1.1]], loss_of(read), T)

    return case


def lasting(T: float) -> Callable[[str], Case]:
    """100 s with spikes at both ends, or 1 us: times and integrals over T keep their digits."""
    weights, delays = [[15.0, 4.0], [3.0, 9.0]], [[1.75, 2.5], [3.0, 0.0]]
    inputs, targets = [[0.5, 99970.1], [5.0, 49990.7, 99971.0]], [[10.0, 20.0, 99990.0], [30.0, 5e4]]
    if T < 1:
        weights, delays = [[1.5e5, 4e4], [3e4, 9e4]], [[1.75e-5, 2.5e-4], [3e-5, 0.0]]
        inputs, targets = [[0.5e-4, 7e-4], [5e-4]], [[1e-4, 2e-4], [3e-4]]

    def case(read: str) -> Case:
        more: dict[str, dict] = {"spikes": {"targets": targets}, "first_spike_time": {"time_scale": T / 10}}
        neuron = {"kind": "li"} if read == "max_voltage" else spiking()
        return two_neurons(neuron, weights, delays, inputs, loss_of(read) | more.get(read, {}), T)

    return case


DELTAS = [0.0, *(s * 10.0**-k for k in (15, 12, 9, 7, 5, 3, 1) for s in (1, -1))]
LIMITS = [
    *(pytest.param(nearly_equal(delta), marks=pytest.mark.check(29), id=f"equal but for {delta}") for delta in DELTAS),
    pytest.param(far_apart(100.0, 0.01), id="impulse"), pytest.param(far_apart(0.05, 100.0), id="lasting current"),
    pytest.param(far_apart(1000.0, 1.0), marks=pytest.mark.full, id="1000 to 1"),
    pytest.param(far_apart(1.0, 1000.0), marks=pytest.mark.full, id="1 to 1000"),
    pytest.param(lasting(1e5), id="100 s"), pytest.param(lasting(1e-3), id="1 us"),
]


@every_run
@every_readout
@pytest.mark.parametrize("case_of", LIMITS)
def test_no_digit_is_lost_at_a_limit(run: Run, read: str, case_of: Callable[[str], Case], measured: Measured) -> None:
    case = case_of(read)
    measured(assert_true(case, run(case)).used, 1.0, 1)


@pytest.mark.check(29, control=True)
@pytest.mark.parametrize("delta", [1e-15, 1e-12, 1e-9, 1e-7])
def test_control_the_textbook_formula_loses_digits(delta: float, measured: Measured) -> None:
    """`(exp(-t/tau_mem) - exp(-t/tau_syn)) tau_syn/(tau_mem - tau_syn)` cancels near equality."""
    t, tau_mem, tau_syn = 7.0, 16.0 * (1 + delta), 16.0
    textbook = (math.exp(-t / tau_mem) - math.exp(-t / tau_syn)) * tau_syn / (tau_mem - tau_syn)
    off = abs(textbook / (t / 16.0 * math.exp(-t / 16.0)) - 1)
    measured(off, WELL_CONDITIONED, 1)
    assert off > WELL_CONDITIONED * 1e2


@pytest.mark.check(28)
@pytest.mark.parametrize("run", [pytest.param(RUNS["reference"], marks=pytest.mark.full), RUNS["fast"]], ids=RUNS)
def test_a_burst_of_100000_spikes(run: Run, measured: Measured) -> None:
    """No spike is dropped: an arrival brings a charge of `w tau_syn`, a spike takes `tau_mem (v_th
    - v_reset)`, the rest leaks or remains; and the gradient obeys the identities."""
    wanted = 100_000
    loss = {"kind": "spike_time_mse", "targets": [[5.0] * (wanted - 1000), [3.0]]}
    case = two_neurons(spiking(reset=0.0), [[2.0 * wanted, 30.0]], [[1.75, 2.0]], [[0.5]], loss, 200.0)
    result = run(case)
    train = result.spikes["out"][0]
    leaked = float(train[-1]) / 16.0 + 1
    assert wanted - leaked <= len(train) <= wanted
    assert np.all(np.diff(train) > 0)
    found = residuals(case, result, U64)
    assert set(found) == set("ABC") and max(found.values()) <= identity(U64)
    measured(max(found.values()), identity(U64), 1)


@pytest.mark.check(28, control=True)
def test_control_one_lost_spike_breaks_the_identities(measured: Measured) -> None:
    """The identities lack the last of a thousand spikes, which the loss reads."""
    loss = {"kind": "spike_time_mse", "targets": [[5.0] * 900, [3.0]]}
    case = two_neurons(spiking(reset=0.0), [[2000.0, 30.0]], [[1.75, 2.0]], [[0.5]], loss, 200.0)
    result = reference.run(case)
    first, second = result.spikes["out"]
    assert len(first) >= 900 and max(residuals(case, result, U64).values()) <= identity(U64)
    lost = replace(result, spikes={"out": [np.delete(first, 899), second]})
    most = max(residuals(case, lost, U64).values())
    measured(most, identity(U64), 1)
    assert most > identity(U64)


ENDLESS = [(w, -0.25, read) for w in (1e20, 1e300) for read in ("spikes", "mean_voltage")]
ENDLESS += [(15.0, float(np.nextafter(1.0, 0.0)), "spikes")]  # a reset one ulp below the threshold


@every_run
@pytest.mark.parametrize(("w", "reset", "read"), ENDLESS)
def test_endless_spiking(run: Run, w: float, reset: float, read: str) -> None:
    """A neuron that spikes faster than arithmetic resolves is an error."""
    case = two_neurons(spiking(reset=reset), [[w, None]], [[1.75, None]], [[0.5]], loss_of(read), 60.0)
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end; lower its weights"):
        run(case)


@every_run
@pytest.mark.parametrize("loss", ["spikes", "mean_voltage"])
def test_a_current_beyond_float64(run: Run, loss: str) -> None:
    """Two arrivals whose sum overflows are an error, not an endless search for a crossing."""
    case = two_neurons(spiking(), [[1.7e308, None]], [[0.0, None]], [[0.5, 0.5]], loss_of(loss), 60.0)
    with pytest.raises(ArithmeticError):
        run(case).to_dict(case.network)


def chain(read: str, delays: list) -> Case:
    """Two inputs, two hidden neurons, two readout neurons; a delay of None means no synapse."""
    weights = [[None if d is None else 3.0 + i - j for j, d in enumerate(row)] for i, row in enumerate(delays)]
    neurons = {"size": 2, "tau_mem": 16.0, "tau_syn": 8.0}
    hidden = {**neurons, "name": "hidden", "tau_mem": 12.0, "tau_syn": 6.0, **spiking()}
    out = {**neurons, "name": "out", **({"kind": "li"} if read == "max_voltage" else spiking())}
    wires = [wire("in", "hidden", [[9.0, 2.0], [1.0, 8.0]], 0.0), wire("hidden", "out", weights, delays)]
    return read_case(60.0, [[0.5], [3.5, 9.25]], [hidden, out], wires, {"population": "out", **loss_of(read)})


@pytest.mark.check(26)
@every_run
@every_readout
def test_no_delay(run: Run, read: str, measured: Measured) -> None:
    case = chain(read, [[0.0, 0.0], [0.0, 0.0]])
    result = run(case)
    measured(assert_true(case, result).used, 1.0, 1)
    assert result.gradients.connections[1].dL_dd.any()


@pytest.mark.check(26, control=True)
@pytest.mark.filterwarnings("ignore:.*which looks like seconds")
@every_run
def test_control_a_delay_of_a_nanosecond_is_seen(run: Run, measured: Measured) -> None:
    case = chain("spikes", [[0.0, 0.0], [0.0, 0.0]])
    found = run(chain("spikes", [[1e-6, 0.0], [0.0, 0.0]]))
    errors = block_errors(case, found.gradients, gradient(case))
    measured(max(errors.values()), relative(U64, found.kappa_min), 1)
    with pytest.raises(AssertionError):
        assert_true(case, found)


@pytest.mark.check(26)
@pytest.mark.parametrize("both", [0.0, 1e-300], ids=["0", "tiny"])
def test_a_loop_without_delay_is_refused(both: float) -> None:
    """Spikes would be endless at one instant; with any delay a loop takes time."""
    loop = [Connection("a", "b", [[1.0]], [[both]]), Connection("b", "a", [[1.0]], [[0.0]])]
    populations = [Population(name, "lif", 1, 10.0, 5.0, 1.0, 0.0) for name in "ab"]
    if both:
        Network(tuple(populations), tuple(loop))
        return
    with pytest.raises(SpecError, match=r"without a loop of zero total delay"):
        Network(tuple(populations), tuple(loop))


@pytest.mark.check(27)
@every_run
@every_readout
@pytest.mark.parametrize("d", [60.1, 1e300], ids=["beyond T", "1e300"])
def test_a_delay_beyond_the_trial(run: Run, read: str, d: float) -> None:
    """The synapse acts like an absent one: gradient exactly 0, all other bits equal."""
    result, without = run(chain(read, [[0.7, d], [d, 0.3]])), run(chain(read, [[0.7, None], [None, 0.3]]))
    far, none = result.gradients.connections[1], without.gradients.connections[1]
    for found, cut in ((far.dL_dw, none.dL_dw), (far.dL_dd, none.dL_dd)):
        assert found[0, 1] == found[1, 0] == 0.0
        assert np.array_equal(np.diag(found), np.diag(cut))
    assert result.loss == without.loss


@pytest.mark.check(27)
@every_run
@every_readout
def test_an_input_after_the_end(run: Run, read: str) -> None:
    case = chain(read, [[0.7, 0.4], [0.2, 0.3]])
    first, second = case.inputs["in"]
    late = replace(case, inputs={"in": SpikeTrains((first, np.append(second, 60.5)))})
    result, without = run(late), run(case)
    assert result.gradients.inputs["in"][1][-1] == 0.0 and result.loss == without.loss
    assert np.array_equal(result.gradients.inputs["in"][1][:-1], without.gradients.inputs["in"][1])
    for found, cut in zip(result.gradients.connections, without.gradients.connections, strict=True):
        assert np.array_equal(found.dL_dw, cut.dL_dw) and np.array_equal(found.dL_dd, cut.dL_dd)


@pytest.mark.check(28)
@every_run
@every_readout
def test_a_silent_network(run: Run, read: str) -> None:
    w = -1.0 if read == "max_voltage" else 0.5
    result = run(two_neurons(spiking(), [[w, w]], [[1.0, 2.0]], [[0.5]], loss_of(read), 60.0))
    assert math.isfinite(result.loss) and result.kappa_min is None and result.ties == ()
    nothing = not any(np.any(values) for _, values in blocks(result.gradients))
    assert nothing == (read not in ("mean_voltage", "exp_weighted_voltage"))


@every_run
@pytest.mark.parametrize("readout", ["max_voltage", "mean_voltage", "exp_weighted_voltage", "first_spike_time"])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("given", [False, True], ids=["no input population", "no connection"])
def test_a_network_of_almost_nothing(run: Run, readout: str, size: int, given: bool) -> None:
    kind = "lif" if readout == "first_spike_time" else "li"
    constants = [np.full(size, value) for value in ((10.0, 5.0, 1.0, 0.0) if kind == "lif" else (10.0, 5.0))]
    inputs = {"in": SpikeTrains((np.array([1.0]),))} if given else {}
    populations = (Population("out", kind, size, *constants), *([Population("in", "input", 1)] if given else []))
    loss = CrossEntropy(readout, "out", 0, 5.0 if kind == "lif" else None)
    result = run(Case(Network(populations, ()), 20.0, inputs, loss))
    assert abs(result.loss - math.log(size)) <= U64
    assert not any(np.any(values) for _, values in blocks(result.gradients))


T = 20.0


def constants(post: int, dtype: torch.dtype = torch.float64, v_reset: float = 0.0) -> list[Tensor]:
    return [torch.full((post,), value, dtype=dtype) for value in (20.0, 5.0, 1.0, v_reset)]


def test_a_spike_just_below_the_edge_of_a_bin_in_float32() -> None:
    """The offset rounds to a whole bin, around the ring, for lanes with and without a neuron."""
    times = [[float(t) - 1e-9 for t in range(1, 20)]]
    w, d = torch.full((1, 3), 0.4), torch.tensor([[0.0, 0.5, 30.0]])
    found = [propagate(Spikes.from_trains([times], T), w, d, *constants(3, torch.float32))[0]]
    found.append(propagate(Spikes.from_trains([times], T), w.double(), d.double(), *constants(3))[0])
    assert torch.equal(found[0].counts(), found[1].counts()) and found[1].counts()[0, 0] > 0
    assert torch.allclose(found[0].times, found[1].times, atol=1e-4)


def test_no_source_at_all() -> None:
    silence = Spikes(torch.empty(0, dtype=torch.float64), torch.zeros(1, dtype=torch.int64), 2, 0, T)
    nothing = torch.empty(0, 2, dtype=torch.float64)
    emitted, y, _ = propagate(silence, nothing, nothing, *constants(2)[:2], readout="mean_voltage")
    assert emitted.counts().tolist() == [[0, 0], [0, 0]] and y.tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_reset_within_rounding_of_the_threshold_is_an_error(dtype: torch.dtype) -> None:
    """The neuron would spike for ever at the instant of the next arrival."""
    spikes = Spikes.from_trains([[[1.0], [8.0]]], T)
    w = torch.tensor([[7.0], [0.1]], dtype=dtype)
    tau_mem, tau_syn, v_th, v_reset = constants(1, torch.float64, 1.0 - 12 * U64)
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
        propagate(spikes, w, 0 * w, tau_mem, tau_syn, v_th, v_reset)


WITHIN_BOUNDS = """
import torch
from delayprop.fast import Spikes, propagate
taus = [torch.full((2,), value, dtype=torch.float64) for value in (20.0, 4.0)]
times = [[k + 0.9 for k in range(12)]]
w = torch.full((1, 2), 0.3, dtype=torch.float64, requires_grad=True)
d = torch.tensor([[0.5, 0.9]], dtype=torch.float64)
for readout in ("max_voltage", "mean_voltage"):
    _, y, _ = propagate(Spikes.from_trains([times], 14.0), w, d, *taus,
                        exists=torch.tensor([[True, False]]), readout=readout)
    y.sum().backward()
assert w.grad[0, 1] == 0.0 and w.grad[0, 0] != 0.0
w = torch.tensor([[2.0, 2.0], [0.3, 0.1], [-0.1, 0.2]], dtype=torch.float64, requires_grad=True)
d = torch.tensor([[0.5, 0.9], [0.001, 30.0], [0.2, 0.01]], dtype=torch.float64)
more = [torch.full((2,), value, dtype=torch.float64) for value in (1.0, 0.0)]
for readout in (None, "mean_voltage"):
    emitted, y, _ = propagate(Spikes.from_trains([times], 14.0), w, d, *taus, *more, recurrent=True, readout=readout)
    (emitted.times.sum() if y is None else y.sum()).backward()
assert len(emitted.times) > 4
"""


@pytest.mark.full
def test_a_missing_synapse_stays_within_the_ring() -> None:
    """Without the compiler, NumPy checks every index."""
    done = python("-c", WITHIN_BOUNDS, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("readout", ["max_voltage", "mean_voltage"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_gradient_that_is_no_number_stays_none(readout: str, dtype: torch.dtype) -> None:
    """NaN marks entries within the kernels; a NaN of the loss is not taken for such a mark."""
    w = torch.ones(1, 2, dtype=dtype, requires_grad=True)
    d = torch.zeros(1, 2, dtype=dtype, requires_grad=True)
    _, y, _ = propagate(Spikes.from_trains([[[1.0, 6.0]]], T), w, d, *constants(2, dtype)[:2], readout=readout)
    (y * torch.tensor([torch.nan, 1.0], dtype=dtype)).sum().backward()
    assert w.grad.isnan().tolist() == d.grad.isnan().tolist() == [[True, False]]
