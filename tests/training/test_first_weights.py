"""Training starts with spikes: first weights are scaled on the data; silence has a remedy."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from delayprop.fast.train import main
from delayprop.fast.training.epoch import silence_warnings
from delayprop.fast.training.model import Classifier, scale_first_weights_
from delayprop.fast.training.settings import Settings
from tests.support.runs import undrawn
from tests.support.runs.reading import Capture, history, refusal
from tests.support.runs.short_runs import DURATION, letters
from tests.support.runs.written_files import write


def waves(path: Path, trials: int) -> str:
    random, up = np.random.default_rng(trials), np.arange(12)
    labels = np.arange(trials, dtype=np.uint16) % 3
    order = [up, up[::-1], 2 * np.abs(up - 5.5)]
    times = [0.004 * order[n] + 0.002 * random.random(12) + 0.02 * random.random() for n in labels]
    sorts = [np.argsort(t) for t in times]
    write(path, [t[s] for t, s in zip(times, sorts, strict=True)], [up[s] for s in sorts], labels)
    return str(path)


def test_data_with_long_delays_do_not_start_silent(tmp_path: Path, capsys: Capture) -> None:
    """The control, with weights as drawn, is silent, and its warning names the remedy."""
    data = [waves(tmp_path / "train.h5", 150), waves(tmp_path / "test.h5", 60)]
    options = ["--data", *data, "--delay", "400", "--max-delay", "500", "--duration", "500", "--lr", "0.01"]
    options += ["--delay-lr", "4", "--hidden", "24", "--epochs", "3"]
    assert undrawn.main("--task", "spikes", "--out", str(tmp_path / "run"), *options) == 0
    out = capsys.readouterr().out
    first = history(tmp_path / "run")[0]
    assert "trials of 500 ms" in out and "\nfirst weights: 3" in out and "warning" not in out
    assert first["silent"] < 0.2 and 2 < first["spikes_per_neuron"] < 5
    assert undrawn.main("--task", "spikes", "--out", str(tmp_path / "drawn"), *options, "--rate", "0") == 1
    out = capsys.readouterr().out
    assert out.count("were silent in 5 of 5 steps: no gradient passed; take smaller steps") == 3
    assert "silent 100%" in out and "; start with spikes: `--rate 3` scales the first weights\n" in out
    for wrong in (["--duration", "60"], ["--rate", "1e4"], ["--w-mean", "-1", "--w-sd", "0"]):
        said = refusal(capsys, main, "--task", "spikes", "--out", tmp_path / "no", *options, *wrong)
        assert ("`--rate` is 3 spikes" if wrong[0] == "--w-mean" else f"`{wrong[0]}` must be ") in said
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(("silent", "steps", "words"), [
    (0.92, 0, "92% of the hidden neurons were silent in this epoch: they learn nothing; take smaller steps, or let"),
    (0.4, 0, None), (1.0, 3, "all neurons of a hidden layer were silent in 3 of 5 steps: no gradient passed"),
])
def test_many_silent_neurons_are_followed_by_the_remedy(silent: float, steps: int, words: str | None) -> None:
    entry = {"silent": silent, "silent_steps": steps}
    for rate in (0.0, 3.0):
        found = silence_warnings(entry, 5, rate)
        assert len(found) == (words is not None) and all(one.startswith(words or "") for one in found)
        assert all(("--rate 3" in one) == (not rate) and "--wake 0.05" in one for one in found)


def test_only_layers_with_too_few_spikes_are_scaled() -> None:
    network = Classifier(4, 3, Settings(hidden=(6, 5), w_mean=6.0, w_sd=0.5, delay=1.0), torch.float64, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    line = scale_first_weights_(network, letters(13, 0), DURATION, 1.0)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"hidden.1.w"} and re.fullmatch(r"first weights: [\d.]+, \d[\d.]* \(scaled\) spikes .*", line)
    ratio = network.hidden_layers[1].w.detach() / before["hidden.1.w"]
    assert float(ratio.min()) == pytest.approx(float(ratio.max())) and float(ratio.min()) > 1
