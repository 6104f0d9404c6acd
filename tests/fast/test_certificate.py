"""The live certificate: residuals at rounding for exact gradients, its controls and its limits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.nn import certificate
from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.fast.nn.wiring import DELAYS
from delayprop.spec import VOLTAGE_READOUTS
from tests.support.networks.layers import LONG, wired
from tests.support.refusals import assert_refused
from tests.support.tolerances import U32, U64, identity

TRIALS = [[[1.0, 9.0], [4.0], []], [[2.5], [1.0, 12.0], [3.0]]]
DTYPES = {"float64": (torch.float64, U64), "float32": (torch.float32, U32)}
SPIKES = Spikes.from_trains(TRIALS, 60.0)
INTEGRALS = ["mean_voltage", "exp_weighted_voltage"]


def network(last: str, dtype: torch.dtype = torch.float64, recurrent: bool = False) -> list[LIF | LI]:
    generator = torch.Generator().manual_seed(3)
    hidden = LIF(3, 8, tau_mem=20.0, tau_syn=5.0, v_reset=-0.25, recurrent=recurrent, dtype=dtype)
    hidden.initialise_(4.0, 1.0, 6.0, generator)
    if recurrent:
        hidden.initialise_recurrent_(0.3, 0.5, 2.0, generator)
    out = LIF(8, 2, dtype=dtype) if last == "spikes" else LI(8, 2, readout=last, dtype=dtype)
    out.initialise_(1.5, 0.5, 6.0, generator)
    return [hidden, out]


@contextmanager
def differentiated(
    layers: Sequence[LIF | LI], spikes: Spikes, loss_of: Callable[[Tensor], Tensor] = torch.linalg.norm
) -> Iterator[Callable[[], Residuals]]:
    """Gradients that may be changed, and a function that certifies them."""
    with watched(layers, spikes):
        output = torch.nn.Sequential(*layers)(spikes)
        output = output.times if isinstance(output, Spikes) else output
        output.retain_grad()
        loss_of(output).backward()
        yield lambda: residuals(layers, spikes, output, output.grad)


def certified(layers: Sequence[LIF | LI], spikes: Spikes = SPIKES) -> Residuals:
    with differentiated(layers, spikes) as found:
        return found()


def assert_exact(found: Residuals, u: float = U64) -> None:
    """Asserts A, B and C at rounding."""
    assert all(residual is not None and residual <= identity(u) for residual in vars(found).values()), found


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("duration", [60.0, 14.0], ids=["whole", "cut"])
@pytest.mark.parametrize("last", [*VOLTAGE_READOUTS, "spikes"])
def test_exact_gradients_leave_rounding(last: str, duration: float, precision: str) -> None:
    """In a shortened trial a maximum lies at `T`, and its slope enters."""
    dtype, u = DTYPES[precision]
    layers = network(last, dtype)
    assert_exact(certified(layers, Spikes.from_trains(TRIALS, duration)), u)
    assert bool((layers[1].record.dy_dT != 0).any()) == (last == "max_voltage" and duration == 14.0)


def test_the_next_step_is_certified_by_itself() -> None:
    """Earlier gradients of parameters and input times do not enter, and are restored."""
    layers, once, spikes = network("max_voltage"), network("max_voltage"), Spikes.from_trains(TRIALS, 60.0)
    for _ in range(3):
        assert_exact(certified(layers, spikes))
    assert not spikes.times.requires_grad and spikes.times.grad is None
    assert layers[0].tau_mem.grad is None and layers[0].w.grad is not None
    certified(once, spikes)
    assert torch.allclose(layers[0].w.grad, 3 * once[0].w.grad, rtol=1e-12)


def test_the_weights_and_delays_of_a_loop_are_in_the_identities() -> None:
    """Controls: a fault of its weights breaks A, one of its delays breaks B."""
    layers = network("exp_weighted_voltage", recurrent=True)
    with differentiated(layers, SPIKES) as certify:
        found = certify()
        assert_exact(found)
        layers[0].d_rec.grad[2, 0] += 1e-6
        off = certify()
        assert off.A == found.A and off.B > identity(U64)
        layers[0].w_rec.grad[0, 1] *= 1 + 1e-6
        layers[0].w_rec.grad[2, 0] += 1e-6
        assert certify().A > identity(U64)


@pytest.mark.parametrize("taus", [(20.0, 5.0), (5.0, 20.0), (10.0, 10.0), (10.0, 10.0 + 1e-9)], ids=str)
@pytest.mark.parametrize("readout", INTEGRALS)
def test_an_integral_obeys_all_laws(readout: str, taus: tuple[float, float]) -> None:
    """Arrivals early, shortly before `T` and after it; constants in any order; several chunks."""
    out = LI(3, 4, readout=readout, tau_mem=taus[0], tau_syn=taus[1], dtype=torch.float64)
    out.initialise_(1.0, 1.0, 6.0, torch.Generator().manual_seed(5))
    spikes = Spikes.from_trains([[[1.0, 9.0, 29.0], [25.0], []], [[], [], []], [[2.5], [1.0, 12.0], [28.9]]], 30.0)
    with differentiated([out], spikes) as certify, mock.patch.object(certificate, "CHUNK", 8):
        assert_exact(certify())
        out.d.grad *= 1.001
        wrong = certify()
        out.w.grad *= 1.001
        assert certify().A > 1e-5 > wrong.A
    assert wrong.B > 1e-5 and wrong.C > 1e-4


@pytest.mark.parametrize("readout", INTEGRALS)
def test_an_integral_has_nothing_of_absent_synapses(readout: str) -> None:
    """Nor of their weights and delays, whatever a file has left there."""
    mask = torch.tensor([[True, False], [False, True], [True, True]])
    out = LI(3, 2, readout=readout, mask=mask, dtype=torch.float64)
    out.initialise_(1.0, 1.0, 6.0, torch.Generator().manual_seed(5))
    with torch.no_grad():
        out.w[~mask], out.d[~mask] = 5.0, 3.0
    assert_exact(certified([out], Spikes.from_trains(TRIALS, 14.0)))


@pytest.mark.parametrize("delays", DELAYS)
def test_masks_and_shared_delays_are_in_the_identities(delays: str) -> None:
    layers = wired(delays)
    with differentiated(layers, LONG, lambda y: torch.linalg.norm(y - 0.1)) as certify:
        assert_exact(certify())
        layers[0].d.grad.mul_(1.01)
        assert certify().B > 1e-6


def test_with_a_spike_at_the_end_only_the_scale_of_weights_is_checked() -> None:
    """Also with one of a hidden layer: it leaves the trial if all times grow, or are later."""
    layers = network("mean_voltage")
    T = float(layers[0](SPIKES).times.detach().max())
    found = certified(layers, SPIKES.until(T))
    assert layers[0].record.spikes_at_end and not layers[1].record.spikes_at_end
    assert found.A <= identity(U64) and found.B is found.C is None


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("readout", INTEGRALS)
def test_the_delays_of_every_layer_are_checked_by_c(readout: str, number: int) -> None:
    """A maximum moves with the input, so there the terms of C add up to 0 with any factor."""
    layers = network(readout)
    with differentiated(layers, SPIKES, lambda y: (y * torch.tensor([1.0, -2.0])).sum()) as certify:
        layers[number].d.grad.mul_(1.01)
        assert certify().C > 1e-5


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_missing_gradient_is_named_with_its_remedy() -> None:
    layers, ones = network("max_voltage"), torch.ones(2, 2)
    outside = r"`layers` has no gradient for a parameter, or for input times; .* `with watched"
    assert_refused(lambda: residuals(layers, SPIKES, ones, ones), outside)
    y = layers[1](layers[0](SPIKES))
    torch.linalg.norm(y).backward()
    words = r"`dL_doutput` must be the gradient of `output`, got None; call `output"
    assert_refused(lambda: residuals(layers, SPIKES, y, y.grad), words)
    assert_refused(lambda: residuals(layers, SPIKES, y, ones), outside)


def test_a_shift_is_measured_by_the_shortest_tau_syn() -> None:
    """Of one spike the time gradient is 0: parts that cancel, each up to `w g_w / tau_syn`."""
    layers, spikes = network("max_voltage"), Spikes.from_trains([[[1.0], [], []]], 60.0)
    layers[0].tau_syn.copy_(torch.tensor([2.0, *[30.0] * 7]))
    layers[1].tau_syn.fill_(40.0)
    with differentiated(layers, spikes) as certify:
        size = 0.0
        for layer, tau_syn in zip(layers, (2.0, 40.0), strict=True):
            size += float(layer.d.grad.abs().sum() + (layer.w.detach() * layer.w.grad).abs().sum() / tau_syn)
        assert abs(float(spikes.times.grad)) < 1e-12
        spikes.times.grad += 1e-6  # the fault
        assert certify().C == pytest.approx(1e-6 / size, rel=1e-6)


def test_silence_certifies_nothing() -> None:
    with differentiated(network("mean_voltage"), Spikes.from_trains([[[], [], []]], 60.0), torch.sum) as certify:
        assert str(certify()) == "A -  B -  C -"


def test_adjoints_too_small_for_float32_are_no_fault() -> None:
    """63 time constants before `T`, the gradient by a delay is 1e-27 of that by a weight."""
    out = LI(1, 1, readout="mean_voltage", tau_mem=10.0, tau_syn=5.0).initialise_(1.0, 0.0, 0.0)
    assert certified([out], Spikes.from_trains([[[1.0]]], 2000.0)).C <= identity(U32)
