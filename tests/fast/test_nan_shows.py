"""A NaN in an upstream gradient stays NaN or raises. The gradient of a layer is linear in it, so an
entry that depends on a NaN or an infinity must not be finite."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from delayprop.fast import LI, Spikes, joined, propagate
from delayprop.spec import VOLTAGE_READOUTS
from tests.support.networks.layers import first_layer, learned_spikes, second_layer

BAD = (float("nan"), float("inf"), float("-inf"))


Net = tuple[dict[str, Tensor], Callable[[], Tensor]]
"""Tensors by name, and a function that computes an output from them."""


def learned(spikes: Spikes, *layers: nn.Module) -> dict[str, Tensor]:
    return {"times": spikes.times, **dict(nn.Sequential(*layers).requires_grad_().named_parameters())}


def one_layer(dtype: torch.dtype) -> Net:
    spikes, layer = learned_spikes(), first_layer(dtype)
    return learned(spikes, layer), lambda: layer(spikes).times


def without_time_constants(dtype: torch.dtype) -> Net:
    """The kernels then take another path."""
    given, out = one_layer(dtype)
    for name in ("0.tau_mem", "0.tau_syn"):
        given.pop(name).requires_grad_(False)
    return given, out


def readout(name: str, dtype: torch.dtype) -> Net:
    torch.manual_seed(1)
    spikes, layer = learned_spikes(), LI(3, 2, readout=name, tau_mem=9.0, tau_syn=4.0, dtype=dtype)
    return learned(spikes, layer.initialise_(1.0, 0.5, 3.0)), lambda: layer(spikes).flatten()


def recurrent(dtype: torch.dtype) -> Net:
    spikes, layer = learned_spikes(), first_layer(dtype)
    w = torch.cat([layer.w, 0.4 * layer.w[:2]]).detach().requires_grad_()
    d = torch.cat([layer.d, layer.d[:2] + 0.5]).detach().requires_grad_()
    constants = (layer.tau_mem, layer.tau_syn, layer.v_th, layer.v_reset)
    given = {"times": spikes.times, "w": w, "d": d}
    return given, lambda: propagate(spikes, w, d, *constants, recurrent=True)[0].times


def three_layers(dtype: torch.dtype) -> Net:
    """The gradient passes the autograd of torch, and a connection past a layer."""
    torch.manual_seed(2)
    spikes, first, second = learned_spikes(), first_layer(dtype), second_layer(dtype)
    out = LI(5, 2, readout="max_voltage", tau_mem=9.0, tau_syn=4.0, dtype=dtype).initialise_(1.0, 0.5, 3.0)
    return learned(spikes, first, second, out), lambda: out(joined([spikes, second(first(spikes))])).flatten()


NETS: dict[str, Callable[[torch.dtype], Net]] = {
    "one layer": one_layer,
    "without time constants": without_time_constants,
    **{name: lambda dtype, name=name: readout(name, dtype) for name in VOLTAGE_READOUTS},  # type: ignore[misc]
    "recurrent": recurrent,
    "three layers": three_layers,
}


def came_through(out: Tensor, given: dict[str, Tensor], upstream: Tensor) -> dict[str, np.ndarray] | None:
    try:
        found = torch.autograd.grad(out, list(given.values()), upstream.to(out.dtype), retain_graph=True)
    except ArithmeticError:
        return None
    return {name: one.numpy() for name, one in zip(given, found, strict=True)}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy warns in uncompiled kernels
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", NETS)
def test_nothing_finite_comes_of_nan_or_infinity(name: str, dtype: torch.dtype) -> None:
    """Each upstream entry in turn, alone and among finite entries."""
    given, run = NETS[name](dtype)
    out, moved = run(), dict.fromkeys(given, 0)
    entries = len(out)
    assert entries >= 2
    for n in range(entries):
        one = torch.zeros(entries, dtype=torch.float64)
        one[n] = 1.0
        plain = came_through(out, given, one)
        for others in (0.0, 1.0):
            for bad in BAD:
                upstream = torch.full((entries,), others, dtype=torch.float64)
                upstream[n] = bad
                found = came_through(out, given, upstream)
                for what, gradient in plain.items():
                    moved[what] += int((gradient != 0).sum())
                    if found is not None:
                        finite = np.isfinite(found[what]) & (gradient != 0)
                        # nan-ok: only the message selects by it
                        assert not finite.any(), f"{bad} in entry {n} came out of {what} as {found[what][finite]}"
    missing = [what for what, count in moved.items() if not count]
    assert not missing, f"nothing was tested for {missing}"
