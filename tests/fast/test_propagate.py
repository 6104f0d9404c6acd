"""Limits and records of `propagate`: width of its bins, dtypes, the record of each population, and
the number of bins that were solved event by event; a training run bounds its spikes."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import LI, Spikes, propagate
from delayprop.fast.nn.autograd import Record
from delayprop.fast.solving import bound
from delayprop.fast.solving.bound import bounded_spikes
from tests.support.networks.layers import given_spikes, propagated
from tests.support.networks.spike_bounds import assert_average_counts, assert_bounded, busy_layer, spikes_of
from tests.support.refusals import assert_refused


@pytest.mark.parametrize(("duration", "most"), [(16.0, 1.0), (2.5, 0.625)])
def test_bins_are_at_most_a_quarter_of_the_shortest_time(duration: float, most: float) -> None:
    """Of a time constant, 4 ms, or of the trial; results do not depend on the width."""
    spikes = given_spikes().until(duration)
    plain = propagated(spikes)[0].times
    for width in (most, 0.9 * most, 0.1):
        assert torch.allclose(propagated(spikes, bin_width=width)[0].times, plain, rtol=1e-12, atol=0)
    words = f"`bin_width` must be at most a quarter of the shortest time constant and of the trial, {most}, got"
    for width in (1.01 * most, 3.0 * most):
        assert_refused(partial(propagated, spikes, bin_width=width), words)


def test_a_bin_width_is_rounded_down_to_a_power_of_two() -> None:
    taus: dict[str, Any] = {name: torch.full((2,), 2.5, dtype=torch.float64) for name in ("tau_mem", "tau_syn")}
    for given, width in ((0.625, 0.5), (0.5, 0.5), (0.3, 0.25)):
        record = propagated(given_spikes(), readout="mean_voltage", bin_width=given, **taus)[2]
        assert record.integrated.width == width
        assert record.step.tick == width * 2.0**-53


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_readout_has_the_dtype_of_the_weights(dtype: torch.dtype) -> None:
    times, y, _ = propagated(given_spikes(), dtype, readout="max_voltage")
    assert y.dtype == dtype and times.times.dtype == torch.float64


@pytest.mark.parametrize(("readout", "integral"), [("max_voltage", False), ("mean_voltage", True),
                                                   ("exp_weighted_voltage", True), (None, False)])
def test_a_record_keeps_the_problem_of_an_integral_alone(readout: str | None, integral: bool) -> None:
    problem = propagated(given_spikes(), readout=readout)[2].integrated
    assert (problem is not None) == integral and (problem is None or problem.readout == readout)


def test_a_layer_that_never_spikes_shows_no_kappa() -> None:
    layer = LI(3, 2, readout="max_voltage")
    layer(given_spikes())
    assert repr(layer.record) == "Record(trials 3, neurons 2, spikes 0, ties 0)"
    assert repr(propagated(given_spikes())[2]) == "Record(trials 3, neurons 2, spikes 10, kappa_min 0.073, ties 0)"


def test_each_population_has_a_record_of_its_own() -> None:
    """Two trials of populations of 1, 2 and 1 neurons; `kappa` says which spike it is of."""
    counts = torch.tensor([[2, 1, 0, 1], [0, 3, 1, 1]])
    kappa = np.array([0.0, 0.1, 1.0, 3.0, 11.0, 11.1, 11.2, 12.0, 13.0])
    table = np.arange(8).reshape(2, 4)
    parts = Record(kappa, table, True, table + 0.5, table + 10, None).split([1, 2, 1], counts)
    assert [part.kappa.tolist() for part in parts] == [[0.0, 0.1], [1.0, 11.0, 11.1, 11.2, 12.0], [3.0, 13.0]]
    assert [part.ties.tolist() for part in parts] == [[[0], [4]], [[1, 2], [5, 6]], [[3], [7]]]
    assert [part.dy_dT.tolist() for part in parts] == [[[0.5], [4.5]], [[1.5, 2.5], [5.5, 6.5]], [[3.5], [7.5]]]
    assert parts[1].solved_bins.tolist() == [[11, 12], [15, 16]] and all(part.spikes_at_end for part in parts)
    assert [part.kappa_min for part in parts] == [0.0, 1.0, 3.0]


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
