"""Odd input of the kernels: edges of arrays, NaN, endless spiking."""

import pytest
import torch
from torch import Tensor

from delayprop.fast import Spikes, propagate
from delayprop.spec import SpecError

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
    assert emitted.counts().tolist() == [[0, 0], [0, 0]] and y is not None and y.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_no_neuron_is_refused() -> None:
    spikes, nothing = Spikes.from_trains([[[1.0]]], T), torch.empty(1, 0, dtype=torch.float64)
    with pytest.raises(SpecError, match=r"`w` must be of shape .* at least one neuron"):
        propagate(spikes, nothing, nothing, *constants(0))


def test_bins_too_wide_for_the_polynomials_are_refused() -> None:
    spikes, w = Spikes.from_trains([[[0.1]]], 0.5), torch.ones(1, 1, dtype=torch.float64)
    with pytest.raises(SpecError, match=r"`bin_width` must be at most a quarter .* 0.125, got 0.2"):
        propagate(spikes, w, 0 * w, *constants(1), bin_width=0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_reset_within_rounding_of_the_threshold_is_an_error(dtype: torch.dtype) -> None:
    """The neuron would spike for ever at the instant of the next arrival."""
    u = torch.finfo(dtype).eps / 2
    spikes = Spikes.from_trains([[[1.0], [8.0]]], T)
    w = torch.tensor([[7.0], [0.1]], dtype=dtype)
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end"):
        propagate(spikes, w, 0 * w, *constants(1, dtype, 1.0 - 12 * u))
