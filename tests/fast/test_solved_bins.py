"""The record counts the bins that were solved event by event; a training run bounds its spikes."""

import numpy as np
import pytest
import torch

from delayprop.fast import Spikes, propagate
from delayprop.fast.nn.autograd import Record
from delayprop.fast.solving import bound
from delayprop.fast.solving.bound import bounded_spikes
from tests.support.networks.spike_bounds import assert_average_counts, assert_bounded, busy_layer, spikes_of

DURATION, BIN = 63.75, 1.0


def solved_by(
    times: list[list[float]], w: list[list[float]], delay: float = 0.0, recurrent: bool = False
) -> tuple[Spikes, Record]:
    """One trial; `times`: of each source, which has no delay. `delay`: of a recurrent layer."""
    weights = torch.tensor(w, dtype=torch.float64)
    d = torch.zeros_like(weights)
    d[len(times):] = delay
    post = weights.shape[1]
    constants = (torch.full((post,), value, dtype=torch.float64) for value in (20.0, 5.0, 1.0, 0.0))
    spikes = Spikes.from_trains([[np.array(train) for train in times]], DURATION)
    emitted, _, record = propagate(spikes, weights, d, *constants, recurrent=recurrent, bin_width=BIN)
    return emitted, record


def test_only_bins_that_may_hold_a_spike_are_solved() -> None:
    """The first neuron receives nothing that could reach its threshold; the second spikes once."""
    emitted, record = solved_by([[10.3]], [[0.5, 8.0]])
    assert emitted.counts().tolist() == [[0, 1]] and 10 < float(emitted.times) < 20
    assert record.solved_bins.shape == (1, 2)
    assert record.solved_bins[0, 0] == 0
    assert 1 <= record.solved_bins[0, 1] <= 3
    assert solved_by([[DURATION - 0.25]], [[0.5]])[1].solved_bins.tolist() == [[1]], "a spike arrives in the last bin"


@pytest.mark.parametrize("delay", [0.01, 3.0])
def test_a_bin_of_a_recurrent_layer_counts_once(delay: float) -> None:
    """Spikes that arrive in their own bin change predictions, but a bin is solved once."""
    emitted, record = solved_by([[10.3]], [[12.0, 12.0], [-0.1, 0.3], [0.3, -0.1]], delay, recurrent=True)
    spiking = [len(set(np.floor(np.array(train) / BIN))) for train in emitted.to_lists()[0]]
    assert sum(spiking) >= 2
    for solved, least in zip(record.solved_bins[0], spiking, strict=True):
        assert least <= solved <= least + 3


@pytest.mark.parametrize("neurons", [1, 5, 40], ids=["one", "a few", "two packs"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_the_bound_is_exact(recurrent: bool, neurons: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_bounded(recurrent, neurons, monkeypatch)


def test_the_bound_of_a_long_trial_is_one_spike_per_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "PER_TRIAL", 1)
    with bounded_spikes(), pytest.raises(ArithmeticError, match="more than 20 spikes each in a trial of 20 ms"):
        spikes_of(busy_layer(False, 2))


@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_the_bound_is_that_of_the_average_in_each_trial(recurrent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_average_counts(recurrent, monkeypatch)
