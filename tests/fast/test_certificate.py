"""The live certificate: residuals at rounding for exact gradients, its controls and its limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fast import LI, LIF, Spikes
from fast.nn.certificate import Residuals, residuals, watched
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
    layers: list[LIF | LI], spikes: Spikes, loss_of: Callable[[Tensor], Tensor] = torch.linalg.norm
) -> Residuals:
    with watched(layers, spikes):
        found = layers[1](layers[0](spikes))
        output = found.times if isinstance(found, Spikes) else found
        output.retain_grad()
        loss_of(output).backward()
        assert output.grad is not None
        return residuals(layers, spikes, output, output.grad)


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("duration", [60.0, 14.0], ids=["whole", "cut"])
@pytest.mark.parametrize("last", ["max_voltage", "spikes"])
def test_exact_gradients_leave_rounding(last: str, duration: float, precision: str) -> None:
    """A, B and C hold; in a shortened trial a maximum lies at `T`, and `dL/dT` enters."""
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
        assert spikes.times.grad is not None and y.grad is not None and abs(float(spikes.times.grad)) < 1e-12
        size = 0.0
        for layer in layers:
            assert layer.w.grad is not None and layer.d.grad is not None
            size += float((layer.w.detach() * layer.w.grad).abs().sum()) / 2.0
            size += float(layer.d.grad.abs().sum()) if layer is layers[0] else 0.0
        spikes.times.grad += 1e-6  # the fault
        found = residuals(layers, spikes, y, y.grad)
    assert found.C == pytest.approx(1e-6 / size, rel=1e-6)


def test_an_integral_obeys_a_only_and_silence_certifies_nothing() -> None:
    layers = network(torch.float64, "mean_voltage")
    found = certified(layers, Spikes.from_trains(TRIALS, 60.0))
    assert found.A is not None and found.A <= identity(U64)
    assert found.B is None and found.C is None
    silent = certified(layers, Spikes.from_trains([[[], [], []]], 60.0), lambda y: y.sum())
    assert str(silent) == "A -  B -  C -"
