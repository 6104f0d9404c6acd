"""A layer whose neurons all spike often, and its bound of `fast.solving.bound`."""

import pytest
import torch

from delayprop.fast import LIF, Spikes
from delayprop.fast.solving import bound
from delayprop.fast.solving.bound import bounded_spikes

DURATION = 20.0
OFTEN = 60.0
"""A weight with which a neuron spikes more often than a buffer of the CPU has room for at first."""


def busy_layer(recurrent: bool, neurons: int, w: float = OFTEN) -> LIF:
    """Every neuron spikes often, and each as often as any other."""
    made = LIF(1, neurons, recurrent=recurrent, tau_mem=10.0, tau_syn=5.0, dtype=torch.float64)
    filled = {"w": w, "d": 1.0, "w_rec": 0.0, "d_rec": 1.0}
    with torch.no_grad():
        for name in filled.keys() & dict(made.named_parameters()):
            getattr(made, name).fill_(filled[name])
    return made


def spikes_of(made: LIF, trials: int = 3) -> Spikes:
    return made(Spikes.from_trains([[[1.0, 4.0, 9.0]]] * trials, DURATION))


def assert_bounded(
    recurrent: bool, neurons: int, monkeypatch: pytest.MonkeyPatch, trials: int = 3, w: float = OFTEN, least: int = 41
) -> None:
    """Asserts that a layer may emit as many spikes as the bound, and not one more per neuron."""
    made = busy_layer(recurrent, neurons, w)
    free = spikes_of(made, trials)
    each = int(free.counts()[0, 0])
    assert each >= least and bool((free.counts() == each).all())
    monkeypatch.setattr(bound, "PER_MS", 0.0)
    monkeypatch.setattr(bound, "PER_TRIAL", each)
    with bounded_spikes():
        assert bool((spikes_of(made, trials).times == free.times).all())
    monkeypatch.setattr(bound, "PER_TRIAL", each - 1)
    with bounded_spikes(), pytest.raises(ArithmeticError, match=f"more than {each - 1} spikes each in a trial of 20"):
        spikes_of(made, trials)
    assert bool((spikes_of(made, trials).times == free.times).all()), "outside there is no bound"


def assert_average_counts(recurrent: bool, monkeypatch: pytest.MonkeyPatch, w: float = OFTEN) -> None:
    """Asserts that the bound holds for the average over neurons, and for each trial alone: one of
    two neurons spikes, in one of three trials."""
    made = busy_layer(recurrent, 2, w)
    with torch.no_grad():
        made.w[0, 1] = 0.0
    spikes = Spikes.from_trains([[[]], [[1.0, 4.0, 9.0]], [[]]], DURATION)
    each = int(made(spikes).counts().max())
    monkeypatch.setattr(bound, "PER_MS", 0.0)
    monkeypatch.setattr(bound, "PER_TRIAL", each / 2)
    with bounded_spikes():
        assert made(spikes).counts().tolist() == [[0, 0], [each, 0], [0, 0]]
    monkeypatch.setattr(bound, "PER_TRIAL", (each - 1) / 2)
    with bounded_spikes(), pytest.raises(ArithmeticError, match="spikes each in a trial of 20 ms"):
        made(spikes)
