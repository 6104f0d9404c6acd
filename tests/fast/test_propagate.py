"""Limits and records of `propagate`: width of its bins, the record of each population, the number
of bins that were solved event by event; a training run bounds its spikes."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import LI, LIF, Spikes, propagate
from delayprop.fast.cpu.bin_width import with_narrow_bins
from delayprop.fast.nn.autograd import Record
from delayprop.fast.solving import bound
from delayprop.fast.solving.bound import bounded_spikes
from delayprop.fast.solving.problem import Problem
from delayprop.spec import NEURONS
from tests.support.networks.layers import given_spikes, propagated
from tests.support.networks.spike_bounds import assert_average_counts, assert_bounded, busy_layer, spikes_of
from tests.support.refusals import assert_refused


@pytest.mark.parametrize(("duration", "most"), [(16.0, 1.0), (2.5, 0.625)])
def test_bins_are_at_most_a_quarter_of_the_shortest_time(duration: float, most: float) -> None:
    """Of a time constant, 4 ms, or of the trial."""
    spikes = given_spikes().until(duration)
    propagated(spikes, bin_width=most)
    words = f"`bin_width` must be at most a quarter of the shortest time constant and of the trial, {most}, got"
    for width in (1.01 * most, 3.0 * most):
        assert_refused(partial(propagated, spikes, bin_width=width), words)


def problem_of(
    inputs: int, post: int = 8, loop: float | None = None, delay: float = 1.0, duration: float = 1000.0,
    neuron: str = "lif", readout: str | None = None, tau_syn: float = 5.0,
) -> Problem:
    """`inputs` onto each of `post` neurons, which loops of `loop` ms join. Usual bins are 1 ms."""
    w = torch.zeros(inputs + (0 if loop is None else post), post)
    d = torch.full_like(w, delay)
    d[inputs:] = loop or 0.0
    values = {"tau_mem": 4 * tau_syn, "tau_syn": tau_syn, "v_th": 1.0, "v_reset": 0.0}
    constants = tuple(torch.full((post,), values[name]) for name in NEURONS[neuron].constants)
    spikes = torch.zeros(0, dtype=torch.float64), torch.zeros(inputs + 1, dtype=torch.int64)
    return Problem(*spikes, 1, inputs, duration, w, d, None, NEURONS[neuron], constants, readout)


@pytest.mark.parametrize(("problem", "width"), [
    (problem_of(500), 1.0), (problem_of(501), 0.5), (problem_of(1001), 0.25), (problem_of(9000), 0.0625),
    (problem_of(0), 1.0), (problem_of(0, post=1, loop=0.1), 1.0),
    (problem_of(8, 8, loop=0.1), 1.0), (problem_of(8, 9, loop=0.1), 0.5), (problem_of(8, 300, loop=0.1), 0.0625),
    (problem_of(8, 300, loop=1.0), 1.0), (problem_of(8, 300, loop=2000.0), 1.0),
    (problem_of(9000, tau_syn=20.0, duration=4000.0), 0.25),  # in another unit of time
    (problem_of(9000, duration=2.0**19), 0.5), (problem_of(9000, duration=2.0**19 + 1), 1.0),  # long trials
    (problem_of(9000, delay=2.0**14, duration=2.0**15), 0.125),  # many bins ahead, of the lanes of a pack
    (problem_of(8, 512, loop=0.1, delay=1000.0), 0.125),  # of all packs, which a recurrent layer sweeps at once
    (problem_of(9000, delay=math.inf), 0.0625), (problem_of(9000, delay=1001.0), 0.0625),
    (problem_of(9000, neuron="li", readout="mean_voltage"), 1.0),  # never solved event by event
    (problem_of(9000, neuron="li", readout="max_voltage"), 0.0625),
    (replace(problem_of(9000), bin_width=0.5), 0.5),
])
def test_sizes_and_delays_choose_the_width(problem: Problem, width: float) -> None:
    assert with_narrow_bins(problem).width == width
    if problem.bin_width is None:  # as many synapses that do not exist change nothing
        exists = torch.zeros_like(problem.w, dtype=torch.bool)
        w, d = (torch.cat([torch.full_like(part, math.nan), part]) for part in (problem.w, problem.d))
        sources = len(problem.w) + problem.sources
        masked = replace(problem, w=w, d=d, sources=sources, exists=torch.cat([exists, ~exists]))
        assert with_narrow_bins(masked).width == width


def test_a_busy_loop_has_narrow_bins() -> None:
    """Of 0.1 ms among 12 neurons: usual bins would hold several spikes of one chain of causes."""
    layer = LIF(4, 12, recurrent=True, dtype=torch.float64).initialise_(1.5, 0.3, 5.0)
    torch.nn.init.constant_(layer.d_rec, 0.1)
    layer(Spikes.from_trains([[[1.0 + n, 9.0 + 2 * n, 20.0] for n in range(4)]], 40.0))
    assert layer.record.tick == 0.5 * 2.0**-53


def test_a_bin_width_is_rounded_down_to_a_power_of_two() -> None:
    taus: dict[str, Any] = {name: torch.full((2,), 2.5, dtype=torch.float64) for name in ("tau_mem", "tau_syn")}
    for given, width in ((0.625, 0.5), (0.5, 0.5), (0.3, 0.25)):
        record = propagated(given_spikes(), readout="mean_voltage", bin_width=given, **taus)[2]
        assert record.integrated.width == width
        assert record.tick == width * 2.0**-53


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
    parts = Record(kappa, table, True, table + 0.5, table + 10, None, 1.0).split([1, 2, 1], counts)
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
