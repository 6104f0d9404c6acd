"""Spikes of a recurrent layer that arrive in the last bin, before and after the trial ends."""

from __future__ import annotations

import torch

from delayprop.fast.nn.layers import LIF
from delayprop.fast.nn.spikes import Spikes


def spikes_of(delay: float) -> list[list[float]]:
    """Spike times of two neurons; the first, from 10.1 ms on, drives the second after `delay`.

    The trial ends at 10.9 ms, within a bin. A weak input makes the second neuron one that is solved
    event by event in this bin.
    """
    layer = LIF(2, 2, recurrent=True, dtype=torch.float64)
    assert layer.w_rec is not None and layer.d_rec is not None
    with torch.no_grad():
        layer.w.copy_(torch.tensor([[1000.0, 0.0], [0.0, 1e-3]]))
        layer.d.zero_()
        layer.w_rec.copy_(torch.tensor([[0.0, 5000.0], [0.0, 0.0]]))
        layer.d_rec.fill_(delay)
    emitted = layer(Spikes.from_trains([[[10.08], [10.1]]], duration=10.9))
    return [emitted.train(0, neuron).tolist() for neuron in (0, 1)]


def test_an_own_spike_that_arrives_after_the_end_has_no_effect() -> None:
    first, second = spikes_of(0.85)
    assert first[:3] == sorted(first)[:3] and first[2] + 0.85 < 11.0  # three arrivals after T, in its bin
    assert second == []


def test_control_an_own_spike_that_arrives_before_the_end_has_one() -> None:
    first, second = spikes_of(0.75)
    assert second and first[0] + 0.75 < second[0] < second[-1] <= 10.9
