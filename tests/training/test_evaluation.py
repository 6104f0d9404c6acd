"""Numbers that a person reads: of an evaluation, its splits and baseline, in a bar."""

import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from torch import Tensor

from delayprop import SpecError, Spikes, confusion_matrix, plot_confusion
from delayprop.fast.data.spike_data import held_out
from delayprop.fast.evaluate import known_and_new
from delayprop.fast.training import progress
from delayprop.fast.training.evaluation import Evaluation, correct, count_baseline, evaluate
from delayprop.fast.training.processes import Processes
from tests.support.runs.reading import Capture, Patch, calls, history, screen
from tests.support.runs.short_runs import classification, trained, trials_of

DURATION = 10.0


class Answers(torch.nn.Module):
    """Answers the number of spikes in channel 0, nothing where there are 3; loss is the label."""

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        return torch.nn.functional.one_hot(spikes.counts()[:, 0], 4)[:, :3].double(), []

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        return labels.double().mean()


def test_rows_are_classes_and_columns_answers() -> None:
    found = evaluate(Answers(), trials_of([[1], [1], [3], [2], [1]], [2, 2, 2, 0, 1]), DURATION, 2, Processes())
    assert found.confusion == [[0, 0, 1, 0], [0, 1, 0, 0], [0, 2, 0, 1]]
    assert (found.correct, found.trials, found.accuracy) == (1, 5, 0.2)
    assert found.loss == pytest.approx(1.4), "a mean over trials, not over the batches of 2, 2 and 1"


def test_an_answer_is_right_only_if_strictly_the_largest() -> None:
    """For every class: silence, a tie with another output, and a lower right output are wrong."""
    y = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 2.0], [3.0, 1.0, 2.0], [-3.0, -1.0, -2.0], [1.0, 2.0, 3.0]])
    found = [correct(y, torch.full((5,), label)).tolist() for label in range(3)]
    assert found == [[False, False, True, False, False], [False, False, False, True, False], [False] * 4 + [True]]


def test_a_confusion_matrix_of_one_batch_and_its_picture() -> None:
    y = torch.tensor([[0.0, 2.0, 1.0], [3.0, 3.0, 1.0], [0.0, 0.0, 5.0], [0.0, 4.0, 0.0]])
    matrix = confusion_matrix(y.requires_grad_(), torch.tensor([1, 0, 0, 2]))
    assert matrix.tolist() == [[0, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]] and matrix.dtype == torch.int64
    axes = pyplot.subplots()[1]
    assert plot_confusion(matrix, axes) is axes
    assert axes.images[0].get_array().tolist() == [[0, 0, 50, 50], [0, 100, 0, 0], [0, 100, 0, 0]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "class")
    assert plot_confusion(matrix) is not axes
    pyplot.close("all")


def test_what_makes_no_confusion_matrix() -> None:
    y = torch.zeros(2, 3)
    for labels in (torch.zeros(1), torch.zeros(3), torch.zeros(2, 1)):
        with pytest.raises(SpecError, match=r"`y, labels` must be of shapes \[trials, classes\] and \[trials\], got"):
            confusion_matrix(y, labels)
    for label in (-1, 3, 4):
        with pytest.raises(SpecError, match=f"`labels` must be from 0 to 2, got {label}"):
            confusion_matrix(y, torch.tensor([0, label]))
    with pytest.raises(ArithmeticError, match="a readout is NaN or infinite"):
        confusion_matrix(y / 0, torch.tensor([0, 1]))
    for matrix, shape in ((y[..., None], r"\[2, 3, 1\]"), (y[0], r"\[3\]"), (y[:, :2], r"\[2, 2\]"),
                          (torch.zeros(2, 4), r"\[2, 4\]")):
        with pytest.raises(SpecError, match=rf"`matrix` must be of shape \[classes, classes \+ 1\], got shape {shape}"):
            plot_confusion(matrix)


def test_the_trials_of_each_speaker_are_counted_and_wrong_ones_named() -> None:
    """An answer of 3: none."""
    data = trials_of([[1], [1], [3], [2], [1]], [2, 1, 2, 2, 0])
    found = evaluate(Answers(), replace(data, speakers=np.array([40_000, 7, 7, 40_000, 0])), DURATION, 2, Processes())
    assert found.speakers == {0: (0, 1), 7: (1, 2), 40_000: (1, 2)} and found.wrong == [(0, 1), (2, 3), (4, 1)]
    assert evaluate(Answers(), data, DURATION, 2, Processes()).speakers == {}
    other = trials_of([[1], [1], [3], [2], [1]], [2, 1, 2, 2, 1])
    assert data.sha256() == replace(data, pool=2).sha256() != other.sha256()


def test_processes_add_their_answers(monkeypatch: Patch) -> None:
    data = replace(trials_of([[1], [1], [3], [2], [1]], [2, 1, 2, 2, 0]), speakers=np.array([3, 4, 4, 4, 3]))
    of_first: list[Tensor] = []

    def first(own: Tensor) -> Tensor:
        of_first.append(own)
        return own

    for rank, add in enumerate((first, lambda own: own + of_first.pop(0))):
        processes = Processes()
        monkeypatch.setattr(processes, "shard", lambda trials, rank=rank: trials[trials % 2 == rank])
        monkeypatch.setattr(processes, "sum", add)
        found = evaluate(Answers(), data, DURATION, 2, processes)
    assert found == evaluate(Answers(), data, DURATION, 2, Processes()) and not of_first


def test_known_and_new_speakers_are_told_apart() -> None:
    found = Evaluation([[4, 3]], 0.0, {0: (1, 2), 5: (3, 3), 6: (0, 2)})
    assert known_and_new(found, np.array([0, 6, 0, 1])) == {"known speakers": (1, 4), "new speakers": (3, 3)}
    assert known_and_new(found, np.array([0, 5, 6])) == {"known speakers": (4, 7)}
    assert known_and_new(found, None) == {"new speakers": (4, 7)}
    assert known_and_new(Evaluation([[4, 3]], 0.0), np.array([0])) == {}


def test_each_seed_holds_out_trials_of_its_own() -> None:
    data = trials_of([[n] for n in range(60)], [0] * 60)
    first, again, other = ([len(units) for units in held_out(data, 10, seed)["valid"].units] for seed in (0, 0, 1))
    assert len(first) == 6 and first == again and first != other


def regression(x: np.ndarray, labels: np.ndarray, classes: int, c: float) -> np.ndarray:
    """Logistic regression by Newton's method: the `W`, its last row the bias, at the minimum of
    `sum_trials -log softmax(x W)[label] + |W without bias|^2 / (2 c)`."""
    x = np.hstack([x, np.ones((len(x), 1))])
    free = np.append(np.full(x.shape[1] - 1, 1 / c), 0.0)[:, None]
    W = np.zeros((x.shape[1], classes))
    for _ in range(30):
        p = np.exp(x @ W) / np.exp(x @ W).sum(1, keepdims=True)
        slope = x.T @ (p - np.eye(classes)[labels]) + free * W
        of_p = np.einsum("nc,cd->ncd", p, np.eye(classes)) - np.einsum("nc,nd->ncd", p, p)
        hessian = np.einsum("ncd,na,nb->acbd", of_p, x, x).reshape(W.size, W.size) + np.diag(np.repeat(free, classes))
        W -= np.linalg.lstsq(hessian, slope.ravel(), rcond=1e-12)[0].reshape(W.shape)  # equal biases change nothing
    assert np.abs(slope).max() < 1e-12
    return W


def test_the_baseline_is_logistic_regression_with_c_10() -> None:
    """On counts of mean 0 and standard deviation 1. The control, `C` 11, answers otherwise; the
    last channel is constant."""
    counts = [[3, 4], [9, 2], [12, 14], [20, 6], [31, 12], [16, 3], [6, 24], [18, 33], [14, 26], [11, 9]]
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 0, 1])
    train = np.array([[*row, 5] for row in counts])
    grid = np.array([[m, n, 5] for m in range(60) for n in range(60)])
    mean, sd = train.mean(0), [*train.std(0)[:2], 1.0]
    answers = {}
    for c in (10.0, 11.0):
        W = regression((train - mean) / sd, labels, 3, c)
        y = (grid - mean) / sd @ W[:-1] + W[-1]
        assert np.diff(np.sort(y, axis=1)[:, 1:]).min() > 1e-4, "no trial is on a border"
        answers[c] = y.argmax(1)
    of = trials_of(train.tolist(), labels.tolist())
    assert count_baseline(of, trials_of(grid.tolist(), answers[10.0].tolist())) == 1.0
    assert count_baseline(of, trials_of(grid.tolist(), answers[11.0].tolist())) < 1.0


def test_the_baseline_takes_few_evaluations_of_its_loss(monkeypatch: Patch) -> None:
    """Neighbouring channels rise and fall together, as in speech; the loss of plain coefficients
    takes 199."""
    random, channels = np.random.default_rng(0), np.arange(100)
    labels = random.integers(0, 5, 900)
    loud, place = random.gamma(3.0, 20.0, (900, 1)), random.random((900, 1)) * 100
    classes = 1 + 0.3 * np.cos(2 * np.pi * labels[:, None] / 5 + channels / 8)
    counts = random.poisson(loud * np.exp(-(((channels - place) / 25) ** 2)) * classes)
    data = replace(trials_of(counts.tolist(), labels.tolist()), classes=5)
    losses = calls(monkeypatch, torch.nn.functional, "cross_entropy", lambda *_: None)
    chosen = np.arange(900) < 600
    assert count_baseline(data.where(chosen), data.where(~chosen)) > 0.6 and len(losses) < 130


def test_each_split_has_its_own_trials(tmp_path: Path) -> None:
    training = trained(tmp_path, epochs=1)
    (line,) = history(tmp_path)
    losses = {split: training.evaluate(split).loss for split in ("train", "valid", "test")}
    assert line["valid_loss"] == losses["valid"] and len(set(losses.values())) == 3


def test_a_clock_that_is_set_back_changes_no_time(tmp_path: Path, monkeypatch: Patch) -> None:
    hours = count()
    monkeypatch.setattr(time, "time", lambda: 1e9 - 3600.0 * next(hours))
    began = time.monotonic()
    trained(tmp_path)
    seconds = [line["seconds"] for line in history(tmp_path)]
    assert len(seconds) == 3 and min(seconds) > 0 and sum(seconds) < time.monotonic() - began


def test_an_evaluation_shows_its_trials(monkeypatch: Patch, capfd: Capture) -> None:
    """On a terminal by a bar that goes away; six trials in batches of five."""
    training = classification()
    training.evaluate("test")
    capfd.readouterr()  # a line that kernels are compiled
    training.evaluate("test")
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(progress, "EVERY", 0.0)
    training.evaluate("test")
    assert capfd.readouterr().err == "evaluating: trial 3 of 6\nevaluating: trial 6 of 6\n"
    terminal = screen(monkeypatch)
    training.evaluate("test")
    assert "/6 [" in terminal.getvalue() and terminal.getvalue().endswith("\r")
