"""Odd runs have pictures too: silent, frozen, wrong, uncertified, of any size."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delayprop.fast.drawing.confusion import confusion
from delayprop.fast.drawing.run_record import read
from delayprop.fast.drawing.trials import OTHERS, trial_picture
from tests.support.runs.recorded_runs import Arrays, Change, lines, made, recorded, results
from tests.support.runs.run_pages import drawn

pytestmark = pytest.mark.full


def frozen(found: Arrays) -> None:
    for name in [name for name in found if name.startswith("d_after")]:
        found[name] = found[name.replace("after", "before")]


def no_delays(found: Arrays) -> None:
    for name in [name for name in found if name.startswith("d_")]:
        found[name][:] = 0


def silent(found: Arrays) -> None:
    """A trial without spikes and without an answer."""
    for name in ("times_1_0", "times_1_1", "units_1_0", "units_1_1", "arrivals_1"):
        found[name] = found[name][:0]
    found["V_1"][:] = found["y_1"][:] = 0


def wrong_and_late(found: Arrays) -> None:
    """A trial with a wrong answer, and arrivals only after the end."""
    found["y_0"], found["arrivals_0"] = np.array([0.0, 2.0, 1.0]), np.array([[60.0, 1.0], [70.0, -1.0]])


def one_trial(found: Arrays) -> None:
    for name in [name for name in found if re.fullmatch(r"(label|y|V|arrivals|times|units)_[12](_\d)?", name)]:
        del found[name]


NOTHING = {"A": None, "B": None, "C": None}
NO_CLASS_2 = [[30, 10, 0, 0], [0, 30, 10, 0], [0, 0, 0, 0]]
ALL_WRONG = [[0, 9, 0, 0], [9, 0, 0, 0], [9, 0, 0, 0]]
ALL_RIGHT = [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0]]
SILENT = {"spikes_per_neuron": 0.0, "silent": 1.0, "silent_steps": 5, "kappa_min": None, "gradient": {"w": 0.0}}
EXTREME = {"kappa_min": 5e-324, "A": 1e300, "B": 5e-324, "gradient": {"w": 1e300, "d": 5e-324}}
ODD: dict[str, tuple[list[Change], list[str], list[str]]] = {
    "delays frozen, residuals 0": (
        [recorded(frozen), lines(gradient={"w": 0.1, "w_out": 0.2}, clamped=0, A=0.0, B=0.0, C=0.0)],
        ["No delay from input to hidden moved.", "No delay from hidden to output moved: all are 0 ms.", "exactly 0"],
        ["moved delays"],
    ),
    "no delays, a class without trials": (
        [recorded(no_delays), lines(gradient={"w": 0.1}, clamped=0), results(answers=NO_CLASS_2)],
        ["No delay from input to hidden moved: all are 0 ms.", "2 0 0 - -"],
        ["moved delays", "delays"],
    ),
    "a trial silent, one wrong and late": (
        [recorded(silent), recorded(wrong_and_late)],
        ["class 1, no answer,", "class 0, answer 1 (wrong)"],
        [],
    ),
    "one trial, not certified": (
        [recorded(one_trial), lines(**NOTHING)],
        ["A test trial of class 0", "No residual is recorded: no step was"],
        ["a trial of class 1", "certificate"],
    ),
    "all silent, all wrong": (
        [lines(**SILENT), results(answers=ALL_WRONG, test_accuracy=0)],
        ["steps in which a whole hidden layer was silent: 15.", "Test accuracy 0.0 %"],
        [],
    ),
    "weights frozen, all right": (
        [lines(gradient={"d": 0.0}), results(answers=ALL_RIGHT, test_accuracy=1)],
        ["Test accuracy 100.0 %"],
        [],
    ),
    "no gradient": ([lines(gradient={}, kappa_min=None)], [], []),
    "tiny and huge": ([lines(**EXTREME)], [], []),
}


@pytest.mark.parametrize(("changes", "there", "absent"), ODD.values(), ids=ODD.keys())
def test_an_odd_run_is_drawn(changes: list[Change], there: list[str], absent: list[str], tmp_path: Path) -> None:
    made(tmp_path)
    for change in changes:
        change(tmp_path)
    outline = drawn(tmp_path)
    assert all(words in outline.text for words in there)
    assert not any(name.startswith(words) for words in absent for name in outline.names())


@pytest.mark.parametrize(("classes", "outputs"), [(40, 40), (60, OTHERS + 1)])
def test_of_many_outputs_those_that_reach_highest_are_drawn(classes: int, outputs: int, tmp_path: Path) -> None:
    """The output of the class is always among them."""
    page = read(made(tmp_path, (4, 5, classes))).page
    trial = replace(page.trials[0], y=np.eye(classes)[page.trials[0].label])
    drawn_lines = [line.get_ydata() for line in trial_picture(page, trial).figure.axes[-2].lines]
    others = sorted((np.max(V) for j, V in enumerate(trial.V) if j != trial.label), reverse=True)
    assert len(drawn_lines) == outputs and np.array_equal(drawn_lines[-1], trial.V[trial.label])
    assert sorted((np.max(V) for V in drawn_lines[:-1]), reverse=True) == others[:OTHERS]


@pytest.mark.parametrize(("classes", "ticks"), [(10, 10), (50, 10), (100, 10), (600, 12)])
def test_a_confusion_matrix_of_many_classes_has_ticks_that_can_be_read(
    classes: int, ticks: int, tmp_path: Path
) -> None:
    figure = confusion(read(made(tmp_path, (4, 5, classes)))).figure
    assert len(figure.axes[0].get_yticks()) == ticks


@pytest.mark.parametrize("sizes", [(4, 5, 6, 3), (1, 1, 2), (24, 8, 27)])
def test_networks_of_other_sizes(sizes: tuple[int, ...], tmp_path: Path) -> None:
    names = drawn(made(tmp_path, sizes)).names()
    assert len([name for name in names if name.startswith("delays")]) == len(sizes) - 1
    if len(sizes) == 4:
        assert "delays, hidden 1 to hidden 2" in names
