"""Rasters, and arguments of snnTorch, Norse and SpikingJelly, get an answer with the name here."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from delayprop.fast import LI, LIF, first_spike_time, joined, spike_time_mse
from delayprop.fast.nn.certificate import watched
from delayprop.fast.nn.interchange import case_of
from delayprop.fast.nn.other_tools import KEYWORDS
from delayprop.spec import Connection, SpecError
from tests.support.networks.layers import first_layer

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
        "mask": r"a layer has every synapse; `Connection\(..., exists=mask\)`", "dropout": "`spikes.keep.mask.` drops",
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
