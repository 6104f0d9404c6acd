"""Refusals of `Spikes`, losses, rasters and words of other tools: argument, value and remedy."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import LI, LIF, FirstSpikeTime, Spikes, cross_entropy, first_spike_time, joined, spike_time_mse
from delayprop.fast.nn.certificate import watched
from delayprop.fast.nn.interchange import case_of
from delayprop.fast.nn.other_tools import KEYWORDS
from delayprop.spec import Connection, SpecError
from tests.support.networks.layers import DURATION, first_layer, given_spikes, trains
from tests.support.refusals import Refusals, assert_refused

NAN, INF = float("nan"), float("inf")


def from_events(**changed: Any) -> Callable[[], Spikes]:
    plain: dict[str, Any] = {"times": [1.0, 2.0], "neurons": [0, 1], "trials": [0, 0], "size": 2, "duration": 5.0}
    return lambda: Spikes.from_events(**{**plain, **changed})


def from_dense(raster: torch.Tensor) -> Callable[[], Spikes]:
    return lambda: Spikes.from_dense(raster, 1.0)


def by_hand(times: list[float], offsets: list[int]) -> Callable[[], Spikes]:
    """Learned times need not come from a constructor of data; kernels index with the offsets."""
    return lambda: Spikes(torch.tensor(times, dtype=torch.float64), torch.tensor(offsets), 1, 3, DURATION)


SPIKES, LABELS, THREE = given_spikes(), torch.tensor([0, 1, 1]), [trains([1.0], [], [])] * 3
MASK = r"`neurons` must be boolean, of shape \[3, 3\] or \[3\], got torch"
REFUSED: Refusals = [
    (lambda: Spikes.from_trains([], 9.0), "`trials` must be a list of at least one trial, got none"),
    (lambda: Spikes.from_trains([[[1.0]], [[1.0], []]], 9.0),
     r"`trials\[1\]` must be 1 trains, as in trials\[0\], got 2; give \[\] for a silent neuron"),
    (lambda: Spikes.from_trains([[[1.0]], [[2.0, 1.0]]], 9.0),
     r"`trials\[1\]\[0\]\[1\]` must be at least the time before it, 2.0, got 1.0; sort the times"),
    (lambda: Spikes.from_trains([[torch.tensor([2.0, 1.0])]], 9.0), r"`trials\[0\]"),
    (lambda: Spikes.from_trains([[[-1.0]]], 9.0), r"`trials\[0\]\[0\]\[0\]` .* got -1.0"),
    (lambda: Spikes.from_trains([[[NAN]]], 9.0), r"`trials\[0\]\[0\]\[0\]` .* got nan"),
    (lambda: Spikes.from_trains([[1.0]], 9.0), r"`trials\[0\]\[0\]` .* got 1.0; give a list"),
    (lambda: Spikes.from_trains([[[1.0]]], 0.0), "`duration` must be a finite number above 0"),
    (lambda: SPIKES.until(0.0), "`duration` must be a finite number above 0"),
    (lambda: SPIKES[1:1], "`trials` must be at least one trial, got none"),
    (from_events(neurons=[0, 2]), r"`neurons\[1\]` must be from 0 to 1, got 2"),
    (from_events(trials=[0, -1]), r"`trials\[1\]` must be from 0 to"),
    (from_events(neurons=[0]), r"`neurons` must be whole numbers, one per time"),
    (from_events(neurons=[0.0, 1.0]), r"`neurons` must be whole numbers"),
    (from_events(neurons=np.array([0.0, 1.5])), r"`neurons` must be whole numbers"),
    (from_events(unit="min"), "`unit` must be one of"),
    (from_events(times=[1.0, -2.0]), r"`times\[.\]` must be finite and at least 0"),
    (from_events(times=[1.0, NAN]), r"`times\[.\]` must be finite"),
    (from_events(size=0), "`size` must be a whole number from 1"),
    (from_dense(torch.zeros(3, 4)), r"`raster` must be of shape \[trials, steps, neurons\], got \[3, 4\]"),
    (from_dense(torch.tensor([[[0.0], [0.5]]])), r"`raster\[0, 1, 0\]` must be a whole number of at least 0, got 0.5"),
    (from_dense(torch.tensor([[[-1]]])), r"`raster\[0, 0, 0\]` must be a whole number"),
    (from_dense(torch.full((1, 1, 1), NAN)), r"`raster\[0, 0, 0\]` must be a whole number"),
    (by_hand([NAN, 3.0], [0, 2, 2, 2]), r"`times\[0\]` must be finite and at least 0 \(ms\)"),
    (by_hand([-1.0, 3.0], [0, 2, 2, 2]), r"`times\[0\]` must be finite and at least 0 \(ms\)"),
    (by_hand([3.0, 1.0], [0, 2, 2, 2]), r"`times\[1\]` must be at least .* got 1.0"),
    (lambda: replace(SPIKES, times=SPIKES.times.float()),
     r"`times` must be a float64 tensor .*, got torch.float32 \[7\]; give times as `.double\(\)`"),
    (by_hand([1.0, 3.0], [0, 2, 2, 5]), "`offsets` must be ascending from 0 to 2"),
    (by_hand([1.0, 3.0], [0, 2, 1, 2]), "`offsets` must be ascending from 0 to 2"),
    (by_hand([1.0, 3.0], [0, 2]), r"`offsets` must be int64 of shape \[4\]"),
    (lambda: joined([SPIKES, given_spikes([[[1.0]]])]),
     r"`parts\[1\]` must be 3 trials of 16.0 ms, as in parts\[0\], got 1 trials of 16.0 ms; join"),
    (lambda: joined([SPIKES, replace(SPIKES, duration=9.0)]), "got 3 trials of 9.0 ms"),
    (lambda: joined([]), "`parts` must be a list of at least one `Spikes`, got none"),
    (partial(SPIKES.keep, torch.ones(3)), MASK),
    (partial(SPIKES.keep, torch.ones(2, 3, dtype=torch.bool)), MASK),
    (partial(SPIKES.keep, torch.ones(4, dtype=torch.bool)), MASK),
    (lambda: SPIKES.keep([True] * 3),  # type: ignore[arg-type]
     "`neurons` must be a tensor on cpu, as the spikes, got list"),
    (lambda: SPIKES.to(torch.float32),  # type: ignore[arg-type]
     "`device` must be a torch device or its name, got torch.float32; times are float64"),
    (lambda: SPIKES.to_dense(0.0), r"`dt` must be a finite number above 0 \(ms\)"),
    (lambda: replace(SPIKES, duration=5.5).to_dense(1.0), r"`times` must be at most `duration`, 5\.5"),
    (lambda: SPIKES.plot(3), "`trial` must be a whole number from 0 to 2, got 3; count from 0"),
    (lambda: SPIKES.plot([0, 3]), "`trial` must be a whole number from 0 to 2, got 3"),
    (lambda: SPIKES.plot([]), "`trials` must be at least one trial"),
    (lambda: cross_entropy(SPIKES, LABELS),  # type: ignore[arg-type]
     r"`y` must be a readout, .* got Spikes; read spikes by an `LI` layer, or by `first_spike_time"),
    (lambda: first_spike_time(SPIKES, LABELS),  # type: ignore[arg-type]
     r"`time_scale` must be a finite number above 0 \(ms\), got a tensor; labels come later: `cross_entropy"),
    (lambda: spike_time_mse(SPIKES, THREE[:1]),
     r"`targets` must be 3 entries \(trials\) of 3 trains \(neurons\), got \[3\]; give \[\] for a free neuron"),
    (lambda: spike_time_mse(SPIKES, [trains([1.0])] * 3), r"`targets` .* got \[1, 1, 1\]"),
    (lambda: spike_time_mse(SPIKES, [[[NAN], [], []]] * 3), r"`targets\[0\]\[0\]\[0\]` must be a finite .* got nan"),
    (lambda: spike_time_mse(SPIKES, [[[]] * 3, [[]] * 3, [[], [], ["soon"]]]),
     r"`targets\[2\]\[2\]\[0\]` .* got 'soon'"),
    (lambda: spike_time_mse(SPIKES, [1.0, 2.0, 3.0]),  # type: ignore[list-item]
     r"`targets\[0\]` must be a list of spike trains, one per neuron, got 1.0"),
    (lambda: spike_time_mse(SPIKES, 1.0),  # type: ignore[arg-type]
     r"`targets` must be a list of target trains, one entry per trial, got 1.0"),
    *((lambda scale=scale: first_spike_time(SPIKES, scale),
       r"`time_scale` must be a finite number above 0 \(ms\), got") for scale in (0.0, -1.0, NAN, INF, "4")),
    (lambda: FirstSpikeTime(0.0), r"`time_scale` must be a finite number above 0 \(ms\), got"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_refusal_names_argument_value_and_remedy(call: Callable[[], object], words: str) -> None:
    assert_refused(call, words)


@pytest.mark.parametrize("moved", [-0.5, 5.0, 25.0], ids=["below 0", "past the next", "past the end"])
def test_times_that_an_optimiser_has_moved_are_checked_again(moved: float) -> None:
    """A step in place on `spikes.times` bypasses the constructor; unchecked, a spike is lost."""
    spikes = given_spikes()
    spikes.times[0] = moved
    assert_refused(lambda: first_layer()(spikes), r"`times\[\d\]` must be")


TAKES_SPIKES: dict[str, Callable[[Any], object]] = {
    "spikes": lambda spikes: first_layer()(spikes),
    "spikes of a readout": lambda spikes: LI(3, 2, readout="max_voltage")(spikes),
    "spikes to start with": lambda spikes: first_layer().initialise_for_(spikes, rate=1.0),
    "spikes to certify": lambda spikes: watched([first_layer()], spikes).__enter__(),
    "spikes of a case": lambda spikes: case_of([LI(3, 2, readout="max_voltage")], spikes, 0, 0),
    "spikes of a loss": lambda spikes: spike_time_mse(spikes, []),
    "spikes of first times": lambda spikes: first_spike_time(spikes, 1.0),
    "parts[0]": lambda spikes: joined([spikes]),
}


@pytest.mark.parametrize("name", TAKES_SPIKES)
def test_a_raster_is_no_spikes_and_the_constructor_is_named(name: str) -> None:
    name, call = re.escape(name.split()[0]), TAKES_SPIKES[name]
    dense = r"Tensor \[100, 8, 3\]; `Spikes.from_dense\(raster, dt\)` .*\[trials, steps, neurons\]; use `raster.swap"
    for given, words in ((torch.zeros(100, 8, 3), dense), ([[1.0]], "list; `Spikes.from_trains` makes one of times")):
        with pytest.raises(SpecError, match=f"`{name}` must be a `delayprop.Spikes`, got {words}"):
            call(given)


@pytest.mark.parametrize("layer", [LIF, partial(LI, readout="max_voltage")], ids=["LIF", "LI"])
def test_an_argument_of_another_tool_is_answered(layer: Any) -> None:
    own = inspect.signature(layer).parameters
    for word, (expected, remedy) in KEYWORDS.items():
        if word not in own:
            with pytest.raises(SpecError) as refusal:
                layer(**{word: 0.9})
            assert str(refusal.value) == f"`{word}` must be {expected}, got 0.9; {remedy}"
    assert {"pre", "post", "tau_mem", "tau_syn", "max_delay", "dtype"} <= {*own} - {*KEYWORDS}
    with pytest.raises(TypeError, match="unexpected keyword argument 'gamma'"):
        layer(3, 2, gamma=0.9)


def test_the_answers_name_the_argument_that_takes_the_place() -> None:
    for word, words in {
        "beta": r"must be given as `tau_mem` \(ms\), got 0.9; `tau_mem = -dt / math.log",
        "threshold": "must be given as `v_th`, got 0.9", "refractory": "there is no refractory period; a `v_reset`",
        "bias": "subtract a constant current from `v_th` and `v_reset`, which is exact; docs/from-other-tools.md",
        "d_max": "left out, got 0.9; `layer.initialise_.w_mean, w_std, d_max.` draws",
        "delay_max": r"given as `max_delay` \(ms\), got 0.9; rename it: an upper bound",
        "sparsity": r"given as `mask`, got 0.9; booleans, `\[pre, post\]`", "dropout": "`spikes.keep.mask.` drops",
    }.items():
        with pytest.raises(SpecError, match=f"`{word}` .*{words}"):
            LIF(3, 2, **{word: 0.9})  # type: ignore[arg-type]


def test_functions_that_draw_and_connections_answer_too() -> None:
    layer, w = LIF(3, 2, recurrent=True), [[1.0]]
    calls: list[tuple[Callable[..., object], str, str]] = [
        (layer.initialise_, "mean", "w_mean"), (layer.initialise_, "std", "w_std"),
        (layer.initialise_recurrent_, "std", "w_std"), (partial(Connection, "a", "b", w, 1.0), "mask", "exists"),
        (partial(Connection, "a", "b", d=1.0), "weights", "w"), (partial(Connection, "a", "b", w), "delays", "d"),
    ]
    for call, word, here in calls:
        with pytest.raises(SpecError, match=f"`{word}` must be given as `{here}`, got "):
            call(**{word: w})
    assert layer.initialise_(w_mean=1.0, w_std=0.0) is layer and Connection("a", "b", w, 1.0, exists=[[True]]).exists
