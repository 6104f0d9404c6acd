"""The live certificate: residuals at rounding for exact gradients, its controls and its limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unittest import mock

import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.nn import certificate
from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.spec import VOLTAGE_READOUTS, SpecError
from tests.support.tolerances import U32, U64, identity

TRIALS = [[[1.0, 9.0], [4.0], []], [[2.5], [1.0, 12.0], [3.0]]]
DTYPES = {"float64": (torch.float64, U64), "float32": (torch.float32, U32)}


def network(dtype: torch.dtype, last: str) -> list[LIF | LI]:
    generator = torch.Generator().manual_seed(3)
    hidden = LIF(3, 8, tau_mem=20.0, tau_syn=5.0, v_reset=-0.25, dtype=dtype)
    hidden.initialise_(4.0, 1.0, 6.0, generator)
    out = LIF(8, 2, dtype=dtype) if last == "spikes" else LI(8, 2, readout=last, dtype=dtype)
    out.initialise_(1.5, 0.5, 6.0, generator)
    return [hidden, out]


def certified(
    layers: Sequence[LIF | LI], spikes: Spikes, loss_of: Callable[[Tensor], Tensor] = torch.linalg.norm
) -> Residuals:
    with watched(layers, spikes):
        found: Spikes | Tensor = spikes
        for layer in layers:
            assert isinstance(found, Spikes)
            found = layer(found)
        output = found.times if isinstance(found, Spikes) else found
        output.retain_grad()
        loss_of(output).backward()
        assert output.grad is not None
        return residuals(layers, spikes, output, output.grad)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("duration", [60.0, 14.0], ids=["whole", "cut"])
@pytest.mark.parametrize("last", [*VOLTAGE_READOUTS, "spikes"])
def test_exact_gradients_leave_rounding(last: str, duration: float, precision: str) -> None:
    """A, B and C hold; in a shortened trial a maximum lies at `T`, and its slope enters."""
    dtype, u = DTYPES[precision]
    layers, spikes = network(dtype, last), Spikes.from_trains(TRIALS, duration)
    found = certified(layers, spikes)
    record = layers[1].record
    assert record is not None and bool((record.dy_dT != 0).any()) == (last == "max_voltage" and duration == 14.0)
    assert found.A is not None and found.B is not None and found.C is not None
    assert max(found.A, found.B, found.C) <= identity(u)


def test_the_next_step_is_certified_by_itself() -> None:
    """Earlier gradients of parameters and input times do not enter, and are restored."""
    layers, spikes = network(torch.float64, "max_voltage"), Spikes.from_trains(TRIALS, 60.0)
    for _ in range(3):
        found = certified(layers, spikes)
        assert found.A is not None and found.B is not None and found.C is not None
        assert max(found.A, found.B, found.C) <= identity(U64)
    assert not spikes.times.requires_grad and spikes.times.grad is None
    assert layers[0].tau_mem.grad is None and layers[0].w.grad is not None
    once = network(torch.float64, "max_voltage")
    certified(once, spikes)
    assert once[0].w.grad is not None
    assert torch.allclose(layers[0].w.grad, 3 * once[0].w.grad, rtol=1e-12)


def test_a_wrong_gradient_is_seen() -> None:
    """The control: a flipped delay sign breaks B, a weight gradient off by 0.1 % breaks A."""
    layers, spikes = network(torch.float64, "max_voltage"), Spikes.from_trains(TRIALS, 60.0)
    with watched(layers, spikes):
        y = layers[1](layers[0](spikes))
        y.retain_grad()
        torch.linalg.norm(y).backward()
        assert layers[1].d.grad is not None and layers[1].w.grad is not None
        layers[1].d.grad.neg_()
        layers[1].w.grad.mul_(1.001)
        found = residuals(layers, spikes, y, y.grad)
    assert found.A is not None and found.B is not None
    assert found.A > 1e-5 and found.B > 1e-3


@pytest.mark.parametrize("taus", [(20.0, 5.0), (5.0, 20.0), (10.0, 10.0), (10.0, 10.0 + 1e-9)], ids=str)
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_an_integral_obeys_all_laws(readout: str, taus: tuple[float, float]) -> None:
    """Arrivals early, shortly before `T` and after it; constants in any order; several chunks."""
    out = LI(3, 4, readout=readout, tau_mem=taus[0], tau_syn=taus[1], dtype=torch.float64)
    out.initialise_(1.0, 1.0, 6.0, torch.Generator().manual_seed(5))
    spikes = Spikes.from_trains([[[1.0, 9.0, 29.0], [25.0], []], [[], [], []], [[2.5], [1.0, 12.0], [28.9]]], 30.0)
    with watched([out], spikes), mock.patch.object(certificate, "CHUNK", 8):
        y = out(spikes)
        y.retain_grad()
        torch.linalg.norm(y).backward()
        assert y.grad is not None and out.d.grad is not None
        found = residuals([out], spikes, y, y.grad)
        assert found.A is not None and found.B is not None and found.C is not None
        assert max(found.A, found.B, found.C) <= identity(U64)
        out.d.grad *= 1.001
        wrong = residuals([out], spikes, y, y.grad)
    assert wrong.B is not None and wrong.B > 1e-5 and wrong.C is not None and wrong.C > 1e-4


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_the_delays_of_every_layer_are_checked_by_c(readout: str, number: int) -> None:
    """A maximum moves with the input, so there the terms of C add up to 0 with any factor."""
    layers, spikes = network(torch.float64, readout), Spikes.from_trains(TRIALS, 60.0)
    with watched(layers, spikes):
        y = layers[1](layers[0](spikes))
        y.retain_grad()
        (y * torch.tensor([1.0, -2.0])).sum().backward()
        grad = layers[number].d.grad
        assert grad is not None
        grad.mul_(1.01)
        found = residuals(layers, spikes, y, y.grad)
    assert found.C is not None and found.C > 1e-5


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_a_missing_gradient_is_named_with_its_remedy() -> None:
    layers, spikes = network(torch.float64, "max_voltage"), Spikes.from_trains(TRIALS, 60.0)
    with pytest.raises(SpecError, match=r"`layers` must be of parameters .* `with watched"):
        residuals(layers, spikes, torch.ones(2, 2), torch.ones(2, 2))
    y = layers[1](layers[0](spikes))
    torch.linalg.norm(y).backward()
    with pytest.raises(SpecError, match=r"`dL_doutput` must be the gradient of `output`, got None; call `output"):
        residuals(layers, spikes, y, y.grad)
    with pytest.raises(SpecError, match=r"`layers` must be of parameters .* `with watched"):
        residuals(layers, spikes, y, torch.ones(2, 2))


def test_a_shift_is_measured_by_the_shortest_tau_syn() -> None:
    """Of one spike the time gradient is 0: parts that cancel, each up to `w g_w / tau_syn`."""
    layers, spikes = network(torch.float64, "max_voltage"), Spikes.from_trains([[[1.0], [], []]], 60.0)
    with torch.no_grad():
        layers[0].tau_syn.copy_(torch.tensor([2.0, *[30.0] * 7]))
        layers[1].tau_syn.fill_(40.0)
    with watched(layers, spikes):
        y = layers[1](layers[0](spikes))
        y.retain_grad()
        torch.linalg.norm(y).backward()
        grads = [(layer.w.detach(), layer.w.grad, layer.d.grad) for layer in layers]
        assert spikes.times.grad is not None and y.grad is not None and abs(float(spikes.times.grad)) < 1e-12
        spikes.times.grad += 1e-6  # the fault
        found = residuals(layers, spikes, y, y.grad)
    size = 0.0
    for (w, dL_dw, dL_dd), tau_syn in zip(grads, (2.0, 40.0), strict=True):
        assert dL_dw is not None and dL_dd is not None
        size += float(dL_dd.abs().sum() + (w * dL_dw).abs().sum() / tau_syn)
    assert found.C == pytest.approx(1e-6 / size, rel=1e-6)


def test_silence_certifies_nothing() -> None:
    layers = network(torch.float64, "mean_voltage")
    silent = certified(layers, Spikes.from_trains([[[], [], []]], 60.0), lambda y: y.sum())
    assert str(silent) == "A -  B -  C -"


def test_adjoints_too_small_for_float32_are_no_fault() -> None:
    """63 time constants before `T`, the gradient by a delay is 1e-27 of that by a weight."""
    out = LI(1, 1, readout="mean_voltage", tau_mem=10.0, tau_syn=5.0)
    out.initialise_(1.0, 0.0, 0.0)
    found = certified([out], Spikes.from_trains([[[1.0]]], 2000.0))
    assert found.C is not None and found.C <= identity(U32)
