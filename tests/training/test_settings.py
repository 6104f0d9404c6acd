"""Settings: one field per option, by its name; presets give defaults; help and page show all."""

import argparse
import re
from dataclasses import fields, replace
from typing import Any

import pytest

from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.tasks.registry import CLASSIFYING
from delayprop.fast.train import main
from delayprop.fast.training.hidden_neurons import BEYOND_LIF
from delayprop.fast.training.settings import GROUPS, Settings, add_settings, kind_of_delays
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.runs.reading import Capture, printed

DEFAULT = Settings()


def parsed(arguments: list[str], preset: Settings = DEFAULT) -> Settings:
    parser = argparse.ArgumentParser()
    add_settings(parser, {"best": preset}, "best")
    return Settings.of(vars(parser.parse_args(arguments)))


@pytest.mark.parametrize("task", CLASSIFYING)
def test_every_preset_is_what_the_command_line_gives_without_a_word(task: str) -> None:
    for preset in CLASSIFYING[task].PRESETS.values():
        assert parsed([], preset) == preset


OTHER: dict[str, Any] = {
    "hidden": (7, 5), "neuron": "alif", "delays": "axonal", "readout": "mean_voltage",
    "schedule": "cosine", "constants": ("v_th=1.5", "v_reset=-0.5"), "choose": "last",
    "freeze_delays": True, "freeze_weights": True, "bias": True, "patience_on": "train",
    "loss": "relative_spike_time_mse",
    "max_delay": 200.0, "epochs": 3, "batch": 3,
    "pool": 5, "recurrent": True, "learn_constants": True, "shift": 2, "patience": 4, "certify": 9, "delay": 0.25,
}


OF_FIRST_SPIKES: dict[str, dict[str, Any]] = {
    "time_scale": {}, "loss": {}, "margin": {"loss": "relative_spike_time_mse"},
}
"""The settings that need first spikes, and what else they need."""


@pytest.mark.parametrize("name", [one.name for one in fields(Settings)])
def test_every_setting_is_an_option(name: str) -> None:
    value = OTHER.get(name, 0.125)
    if name in ("test", "out_delays"):
        off: dict[str, Any] = {name: False}
        assert parsed([f"--no-{name.replace('_', '-')}"]) == replace(DEFAULT, **off)
        return
    words = [] if value is True else [str(entry) for entry in (value if isinstance(value, tuple) else (value,))]
    words, preset = [f"--{name.replace('_', '-')}", *words], DEFAULT
    readers = [neuron for neuron, names in BEYOND_LIF.items() if name in names]
    if readers:
        for neuron in {*BEYOND_LIF} - {*readers}:
            said = f"`{words[0]}` must be left out with --neuron {neuron}, got {value}; leave it out, or take --neuron "
            with pytest.raises(SpecError, match=f"{said}{' or '.join(readers)}$"):
                parsed([*words, "--neuron", neuron])
        words, preset = [*words, "--neuron", readers[0]], replace(DEFAULT, neuron=readers[0])
    if name in OF_FIRST_SPIKES:
        with pytest.raises(SpecError, match=f"`{words[0]}` must be {getattr(DEFAULT, name)} with --"):
            parsed(words)
        preset = replace(DEFAULT, readout="first_spike_time", **OF_FIRST_SPIKES[name])
        words += ["--readout", "first_spike_time", *(["--loss", preset.loss] if name == "margin" else [])]
    assert parsed(words) == replace(preset, **{name: value})


def test_a_preset_is_named_on_the_command_line_and_help_is_printed_in_groups(capsys: Capture) -> None:
    best = printed(capsys, main, "--task", "shd", "--help")
    paper = printed(capsys, main, "--task", "shd", "--preset", "paper-ff", "--help")
    assert "--batch BATCH" in best and "(default: 256)" in paper and best != paper
    titles = [line.removesuffix(":") for line in best.splitlines() if re.fullmatch(r"[a-z ]+:", line)]
    assert titles[1:] == list(GROUPS)
    of_sequence = set(re.findall(r"^ +(--[\w-]+)", printed(capsys, main, "--task", "sequence", "--help"), re.MULTILINE))
    assert {"--seed", "--out", "--epochs", "--lr", "--device", "--dtype", "--freeze-delays", "--jitter"} <= of_sequence


def test_help_and_page_show_every_setting_in_its_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(one.name for one in fields(Settings))
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (`--.*) \|$", page, re.MULTILINE))
    assert list(rows) == list(GROUPS)
    for group, names_of_group in GROUPS.items():
        options = {"--no-test" if name == "test" else f"--{name.replace('_', '-')}" for name in names_of_group}
        assert set(re.findall(r"`(--[\w-]+)`", rows[group])) == options


def test_delays_of_loops_are_delays_too() -> None:
    kinds = [
        kind_of_delays({"freeze_delays": True, "delay": 0.0, "recurrent": True, "rec_delay": delay})
        for delay in (10.0, LEAST_RECURRENT_DELAY)
    ]
    assert kinds == ["as drawn, in loops alone", "none"]
