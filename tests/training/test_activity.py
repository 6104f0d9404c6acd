"""Training starts with spikes and keeps them: first weights, the pull on spike counts, waking."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from delayprop import LIF, Spikes, spike_count_penalty, wake_
from delayprop.fast.train import main
from delayprop.fast.training.activity import is_silenced
from delayprop.fast.training.model import Classifier, scale_first_weights_
from delayprop.fast.training.settings import Settings
from tests.support.networks.layers import filled
from tests.support.refusals import assert_refused
from tests.support.runs.reading import Capture, history, refusal
from tests.support.runs.short_runs import DURATION, letters, undrawn
from tests.support.runs.written_files import write

TAU_MEM, TAU_SYN, STRENGTH = 20.0, 5.0, 0.3


def layer(w: list[list[float]], d: list[list[float]]) -> LIF:
    return filled(LIF(len(w), len(w[0]), tau_mem=TAU_MEM, tau_syn=TAU_SYN, v_th=0.8, dtype=torch.float64), w, d)


def kernel(x: float, tau_mem: float, tau_syn: float) -> float:
    """Voltage at a time `x` after the arrival of a weight of 1."""
    return tau_syn / (tau_mem - tau_syn) * (math.exp(-x / tau_mem) - math.exp(-x / tau_syn)) if x > 0 else 0.0


def test_the_pull_is_that_of_the_voltage_at_each_spike() -> None:
    """`dR/dw = sum strength (N_mean - target) / (trials v_th) kernel`, for one spike at most."""
    constants = {"tau_mem": [20.0, 12.0], "tau_syn": [5.0, 4.0], "v_th": [0.8, 1.1]}
    of = LIF(2, 2, dtype=torch.float64, **constants)  # type: ignore[arg-type]
    filled(of, [[6.0, 6.5], [1.0, 0.5]], [[1.0, 2.0], [0.5, 0.0]])
    spikes = Spikes.from_trains([[[2.0], [3.0]], [[4.0], []], [[], [1.0]]], 12.0)
    emitted = of(spikes)
    assert emitted.counts().tolist() == [[1, 1], [1, 1], [0, 0]]
    spike_count_penalty(of, emitted, 0.25, STRENGTH).backward()
    for i in range(2):
        for j in range(2):
            arrivals = [(b, t + float(of.d[i, j].detach())) for b in range(3) for t in spikes.train(b, i).tolist()]
            tau_mem, tau_syn, v_th = (values[j] for values in constants.values())
            factor = STRENGTH * (2 / 3 - 0.25) / (3 * v_th)
            expected = sum(
                factor * kernel(t_post - t_arr, tau_mem, tau_syn)
                for b, t_arr in arrivals for t_post in emitted.train(b, j).tolist()
            )
            assert float(of.w.grad[i, j]) == pytest.approx(expected, rel=1e-10)
            assert expected != 0


def test_processes_share_the_counts_and_the_trials() -> None:
    found = []
    for share in (torch.clone, lambda own: 2 * own):
        of = layer([[6.0]], [[1.0]])
        emitted = of(Spikes.from_trains([[[2.0]], [[4.0]]], 12.0))
        spike_count_penalty(of, emitted, 0.25, STRENGTH, share).backward()
        found.append(float(of.w.grad))
    assert found[0] != 0 and found[1] == pytest.approx(found[0] / 2, rel=1e-12)


def test_the_penalty_has_its_value_and_refuses_other_spikes() -> None:
    of = layer([[6.0, 6.5], [1.0, 0.5]], [[1.0, 2.0], [0.5, 0.0]])
    emitted = of(Spikes.from_trains([[[2.0], [3.0]], [[4.0], []], [[], [1.0]]], 12.0))
    assert spike_count_penalty(of, emitted, 0.25, 0.3).item() == pytest.approx(0.15 * 2 * (2 / 3 - 0.25) ** 2)
    penalty = partial(spike_count_penalty, of)
    some, counts = emitted.keep(torch.tensor([True, False])), emitted.counts()
    more = Spikes.from_trains([[[2.0, 9.0], [3.0]], [[4.0], [5.0]], [[], [1.0]]], 12.0)  # spikes of another network
    for call, words in (
        (lambda: penalty(some, 1.0, 1.0), "`emitted` must be the last spikes of the layer, got 2 spikes of 2 neurons"),
        (lambda: penalty(more, 1.0, 1.0), "`emitted` must be the last spikes of the layer, got 6 spikes of 2 neurons"),
        (lambda: penalty(counts, 1.0, 1.0), r"`emitted` must be a `delayprop\.Spikes`, got Tensor"),
        (lambda: penalty(emitted, -1.0, 1.0), "`target` must be"),
        (lambda: penalty(emitted, 1.0, math.nan), "`strength` must be"),
        (lambda: wake_(of, counts, 0.1), r"`spike_counts` must be of shape \[2\], got shape \[3, 2\]"),
        (lambda: wake_(of, counts.sum(0), math.inf), "`increment` must be a finite number"),
    ):
        assert_refused(call, words)


@pytest.mark.parametrize("target", [1.0, 6.0])
def test_counts_come_to_their_target(target: float) -> None:
    """Starts at about three spikes, so counts move downwards and upwards."""
    of = layer([[1.6, 1.7, 1.8]] * 10, [[0.0, 1.0, 2.0]] * 10)
    spikes = Spikes.from_trains([[[3.0 * i + b] for i in range(10)] for b in range(4)], 60.0)
    adam = torch.optim.Adam([of.w], lr=0.01)
    before = of(spikes).counts().double().mean(0)
    assert bool((before > 1.5).all()) and bool((before < 5.5).all())
    for _ in range(200):
        adam.zero_grad()
        emitted = of(spikes)
        spike_count_penalty(of, emitted, target, STRENGTH).backward()
        adam.step()
    assert (of(spikes).counts().double().mean(0) - target).abs().max() <= 0.5


def test_only_neurons_that_never_fired_are_woken() -> None:
    of = layer([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0]] * 2)
    assert wake_(of, torch.tensor([0.0, 5.0]), 0.25) == 1
    assert of.w.tolist() == [[1.25, 2.0], [3.25, 4.0]]
    masked = LIF(2, 2, mask=[[True, True], [False, True]]).initialise_(1.0, 0.0)
    assert wake_(masked, torch.tensor([0.0, 0.0]), 0.25) == 2
    assert masked.w.tolist() == [[1.25, 1.25], [0.0, 1.25]]


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
    assert undrawn("--task", "spikes", "--out", str(tmp_path / "run"), *options) == 0
    out = capsys.readouterr().out
    first = history(tmp_path / "run")[0]
    assert "trials of 500 ms" in out and "\nfirst weights: 3" in out and "warning" not in out
    assert first["silent"] < 0.2 and first["silent_steps"] == 0 and 2 < first["spikes_per_neuron"] < 5
    assert undrawn("--task", "spikes", "--out", str(tmp_path / "drawn"), *options, "--rate", "0") == 1
    out = capsys.readouterr().out
    assert out.count("were silent in 5 of 5 steps: no gradient passed; take smaller steps") == 3
    assert [line["silent_steps"] for line in history(tmp_path / "drawn")] == [5, 5, 5]
    assert "silent 100%" in out and "; start with spikes: `--rate 3` scales the first weights\n" in out
    for wrong in (["--duration", "-1"], ["--rate", "1e4"], ["--w-mean", "-1", "--w-sd", "0"]):
        said = refusal(capsys, main, "--task", "spikes", "--out", tmp_path / "no", *options, *wrong)
        assert ("`--rate` is 3 spikes" if wrong[0] == "--w-mean" else f"`{wrong[0]}` must be ") in said
    assert not (tmp_path / "no").exists()


def test_a_layer_is_silenced_if_it_receives_spikes_and_emits_none() -> None:
    assert all(is_silenced(counts) for counts in ([5, 0, 0], [5, 3, 0], [1, 0]))
    assert not any(is_silenced(counts) for counts in ([5, 3, 1], [0, 0, 0], [0, 2]))


def test_only_layers_with_too_few_spikes_are_scaled() -> None:
    network = Classifier(4, 3, Settings(hidden=(6, 5), w_mean=6.0, w_sd=0.5, delay=1.0), torch.float64, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    line = scale_first_weights_(network, letters(13, 0), DURATION, 1.0)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"hidden.1.w"} and re.fullmatch(r"first weights: [\d.]+, \d[\d.]* \(scaled\) spikes .*", line)
    ratio = network.hidden_layers[1].w.detach() / before["hidden.1.w"]
    assert float(ratio.min()) == pytest.approx(float(ratio.max())) and float(ratio.min()) > 1
