"""A silent network keeps training, with one warning and a count per epoch."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from delayprop.fast import LIF, Spikes
from delayprop.fast.tasks import braille
from delayprop.fast.train import main
from delayprop.fast.training import model
from delayprop.fast.training.activity import is_silenced
from tests.support.networks.layers import TRIALS, first_layer, given_spikes, second_layer
from tests.support.runs.written_files import small_trials, write

WARNING = "warning: all neurons of a hidden layer were silent in 2 of 2 steps: no gradient passed; take smaller"


def test_a_silent_layer_counts_its_neurons_and_passes_no_gradient() -> None:
    """Only the count shows it: the loss stays constant, and nothing raises."""
    first, second = first_layer(), second_layer()
    with torch.no_grad():
        first.w.mul_(0.01)
    hidden = first(given_spikes())
    assert (given_spikes().silent(), hidden.silent()) == (0, 2)
    second(hidden).first().square().sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in (first.w, first.d, second.w, second.d))


def test_a_layer_that_gets_nothing_has_not_been_silenced() -> None:
    some, none = given_spikes(), given_spikes(TRIALS[2:])
    alone = Spikes.from_trains([[[1.0], []]], 16.0)
    pairs = [(some, some), (some, none), (none, none), (some, alone)]
    assert [is_silenced([len(spikes.times) for spikes in pair]) for pair in pairs] == [False, True, False, False]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    for seed, split in enumerate(braille.DATA.splits):
        write(tmp_path / f"braille_{split}.h5", *small_trials(8, seed))
    sizes = ["--epochs", "2", "--hidden", "4", "--batch", "4", "--delay", "300", "--drop", "0", "--stretch", "0"]
    return ["--task", "braille", "--data", str(tmp_path), "--out", str(tmp_path / "run"), *sizes]


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "control"])
def test_the_task_warns_once_an_epoch(
    silent: bool, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("delayprop.fast.training.classify.draw", lambda folder: [])
    if silent:
        monkeypatch.setattr(model, "LIF", partial(LIF, v_th=1e6))
    main(options)
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    history = (tmp_path / "run" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["silent_steps"] for line in history] == ([2, 2] if silent else [0, 0])
    assert len(warnings) == (2 if silent else 0) and all(line.startswith(WARNING) for line in warnings)
