"""The bound on spikes of a training run: exact, and absent outside of one."""

import pytest

from delayprop.fast.solving import bound
from delayprop.fast.solving.bound import bounded_spikes
from tests.support.networks.spike_bounds import assert_average_counts, assert_bounded, busy_layer, spikes_of


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
