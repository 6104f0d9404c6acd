"""Odd input of the kernels: edges of arrays, NaN, endless spiking."""

import pytest
import torch
from torch import Tensor

from delayprop.fast import Spikes, propagate
from tests.support.commands import python
from tests.support.tolerances import U64

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
