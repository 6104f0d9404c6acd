"""`python -m reports` draws a finished run; single pictures show what their records hold."""

import errno
import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from PIL import Image, ImageSequence

from delayprop import LI, LIF, SpecError, draw
from delayprop.fast.drawing.answers import OTHERS, by_class, confusion, trial_picture
from delayprop.fast.drawing.classification import overview
from delayprop.fast.drawing.run_record import Layer
from delayprop.fast.drawing.sequence import delays_of_two
from delayprop.fast.drawing.synapses import arrivals, distribution, learned_delays, moved_most, moved_neuron, movement
from reports.__main__ import main
from tests.support.commands import python
from tests.support.runs.reading import Capture, Patch, refusal, resealed
from tests.support.runs.recorded_runs import (
    SEQUENCE,
    SEQUENCE_LINES,
    lines,
    made,
    made_sequence,
    read,
    recorded,
    results,
)


@pytest.mark.parametrize(("make", "task", "names"), [
    (made_sequence, "sequence", "delays.png voltages.png"),
    (made, "yin-yang", "training.png run.html"),
])
def test_a_run_is_drawn(make: Callable[[Path], Path], task: str, names: str, tmp_path: Path, capsys: Capture) -> None:
    """A second time into the same bytes."""
    results(task=task)(make(tmp_path))
    drawn = []
    for _ in range(2):
        assert main([str(tmp_path)]) == 0
        assert capsys.readouterr() == ("".join(f"{tmp_path / name}\n" for name in names.split()), "")
        drawn.append([(tmp_path / name).read_bytes() for name in names.split()])
    assert drawn[0] == drawn[1] and all(len(content) > 10_000 for content in drawn[0])


def test_the_delays_alone_are_drawn_where_one_says(tmp_path: Path, capsys: Capture) -> None:
    """A column per connection; into no file of another kind, and of no run of another kind."""
    folder, picture = made(tmp_path, (4, 5, 6, 3)), tmp_path / "mine.png"
    assert main([str(folder), "--delays", str(picture)]) == 0 and capsys.readouterr().out == f"{picture}\n"
    assert picture.stat().st_size > 10_000 and not (tmp_path / "run.html").exists()
    axes = learned_delays(read(folder).page).axes
    assert [one.get_title("left") for one in axes[:3]] == [
        "input to hidden 1, 20 synapses", "hidden 1 to hidden 2, 30 synapses", "hidden 2 to output, 18 synapses",
    ]
    assert np.shape(axes[3].collections[0].get_offsets()) == (20, 2)
    assert "that ends in .png, .svg or .pdf, got" in refusal(capsys, main, folder, "--delays", tmp_path / "a.gif")
    nowhere = refusal(capsys, main, folder, "--delays", tmp_path / "no" / "a.png")
    assert "`--delays` must be in a folder with room" in nowhere
    assert "--delays is of a RUN" in refusal(capsys, main, "--delays", picture)
    assert "task that classifies" in refusal(capsys, main, made_sequence(tmp_path), "--delays", picture)


def test_a_task_of_a_stranger_is_drawn_as_it_is(tmp_path: Path) -> None:
    """Its name may look like a formula, and be none."""
    results(task=r"$\frac{$")(made(tmp_path))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        overview(read(tmp_path)).savefig(tmp_path / "picture.svg")
    assert r">$\frac{$, 4-6-3: 75.0% on the test split<" in (tmp_path / "picture.svg").read_text()


@pytest.mark.full
def test_drawing_leaves_the_backend_of_a_notebook_alone() -> None:
    program = "import matplotlib; matplotlib.use('svg'); from delayprop.fast.drawing import classification, sequence"
    assert python("-c", f"{program}; print(matplotlib.get_backend())").stdout == "svg\n"


def test_what_cannot_be_written_has_its_own_message(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    made_sequence(tmp_path)
    full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    monkeypatch.setattr("delayprop.fast.data.new_files.new_file", full)
    expected = f"a folder with room for pictures, got No space left on device: {tmp_path}; make room"
    assert refusal(capsys, main, tmp_path) == f"python -m reports: `RUN` must be {expected}\n"


@pytest.mark.full
def test_an_animation_shows_each_move_of_the_delays(tmp_path: Path) -> None:
    """A frame before learning, and one for each step that moves a delay."""
    results(gap=10.0, tau_mem=10.0, tau_syn=5.0)(made_sequence(tmp_path))
    log = tmp_path / "history.jsonl"
    entries = []
    for x in (1.0, 5.0, 5.0, 9.0):
        lines(d=[[x, 10.0 - x], [10.0 - x, x]])(tmp_path)
        entries.append(log.read_text().splitlines()[0])
    log.write_text("\n".join(entries))
    resealed(tmp_path)
    assert main([str(tmp_path)]) == 0
    with Image.open(tmp_path / "learning.gif") as animation:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    assert len(frames) == 4 and all((a != b).any() for a, b in itertools.pairwise(frames))


def test_the_legend_of_the_delays_lies_on_no_curve() -> None:
    figure = delays_of_two(SEQUENCE_LINES, SEQUENCE)
    figure.draw_without_rendering()
    delays = figure.axes[0]
    assert not delays.get_legend().get_window_extent().overlaps(delays.get_window_extent())


def test_epochs_are_whole_and_a_share_has_an_axis_of_its_own(tmp_path: Path) -> None:
    figure = overview(read(made(tmp_path)))
    figure.draw_without_rendering()
    for axes in figure.axes[:3]:
        ticks = axes.get_xticks()
        assert len(ticks) and all(tick == round(tick) for tick in ticks)
    labels = {axes.get_ylabel() for axes in figure.axes if axes.lines}
    assert {"spikes per hidden neuron and trial", "silent hidden neurons, %"} <= labels


def test_the_histogram_counts_every_delay_before_and_after() -> None:
    """Two delays grow from below 2 ms to 9 ms; the other four stay."""
    before = np.array([[0.5, 1.5, 4.0], [5.0, 6.0, 10.0]])
    after = np.where(before < 2, 9.0, before)
    before, after = (np.column_stack([values, np.zeros(2)]) for values in (before, after))
    exists = np.array([[True, True, True, False]] * 2)  # what no synapse has is not shown
    patches = distribution(Layer("inputs", "hidden", exists, np.ones((2, 4)), before, after)).axes[0].patches
    bars = [patch for patch in patches if isinstance(patch, Rectangle)]
    (outline,) = (patch for patch in patches if isinstance(patch, Polygon))
    assert sum(bar.get_height() for bar in bars) == 6
    assert [bar.get_height() for bar in bars if 0 < 9.0 - bar.get_x() <= bar.get_width()] == [2]
    assert not any(bar.get_height() for bar in bars if bar.get_x() + bar.get_width() < 2)
    assert np.asarray(outline.get_xy())[:, 0].min() == pytest.approx(0.5), "delays before begin at 0.5 ms"


@pytest.mark.parametrize(("name", "counts"), [("weight", [2, 1, 1]), ("delay", [2, 2])])
def test_the_synapses_of_a_layer_are_drawn(name: str, counts: list[int]) -> None:
    """Each that exists counts once, those of its own neurons apart."""
    layer, ax = LIF(2, 3, recurrent=True, delays="axonal", mask=[[True, False, True]] * 2), Figure().subplots()
    layer.w.data, layer.d.data = torch.tensor([[2.0, 9.0, 2.0], [4.0, 9.0, 9.5]]), torch.tensor([[2.0], [4.0]])
    draw_it = draw.weights if name == "weight" else draw.delays
    assert draw_it(layer, ax) is ax and (ax.get_xlabel().split(",")[0], ax.get_ylabel()) == (name, "synapses")
    heights = [[bar.get_height() for bar in bars if bar.get_height()] for bars in ax.containers]  # from the left
    assert heights == [counts, [9]]
    layer.w.data[0, 1] = np.nan  # no synapse
    draw_it(layer, ax)
    layer.w.data[1, 2] = layer.d.data[1] = np.nan
    with pytest.raises(SpecError, match=rf"^`{name}\[1\]\[.\]` must be finite, got nan; look for the step"):
        draw_it(layer, ax)
    with pytest.raises(SpecError, match=r"^`layer` must be a layer, got Sequential; give one layer"):
        draw_it(torch.nn.Sequential(layer))  # type: ignore[arg-type]


def test_a_picture_of_synapses_makes_its_own_axes() -> None:
    ax = draw.delays(LI(4, 2, readout="max_voltage"))
    assert [bar.get_height() for bar in ax.containers[0] if bar.get_height()] == [8.0] and ax.get_legend() is None
    pyplot.close("all")


def test_a_colour_says_what_no_axis_says(tmp_path: Path) -> None:
    """Where all delays were equal at first the weight is the x axis, and no colour repeats it."""
    layers = read(made(tmp_path)).page.layers
    assert [layer.start for layer in layers] == [None, 0.0]
    assert [len(movement(layer).axes) for layer in layers] == [2, 1]


def test_the_arrivals_before_and_after_are_those_of_the_neuron_that_moved_most(tmp_path: Path) -> None:
    page = read(made(tmp_path)).page
    layer, (times, units) = page.layers[0], page.trials[0].spikes[0]
    neuron = int((np.abs(layer.w_after) * np.abs(layer.d_after - layer.d_before)).sum(0).argmax())
    assert moved_neuron(page) == neuron
    for axes, delays in zip(arrivals(page, neuron).axes, (layer.d_before, layer.d_after)):
        arrived = times + delays[units, neuron]
        marks = np.concatenate([line.get_xdata() for line in axes.lines])
        assert sorted(marks) == pytest.approx(sorted(arrived[arrived <= page.duration]))
    assert moved_neuron(replace(page, layers=[replace(layer, d_after=layer.d_before)])) is None


def move(found: dict[str, np.ndarray]) -> None:
    for n in (0, 1):
        found[f"d_after_{n}"] = found[f"d_before_{n}"].copy()
    found["d_before_0"][2, 5], found["d_after_0"][2, 5], found["w_after_0"][2, 5] = 3, 1, -0.25
    found["d_before_1"][4, 1], found["d_after_1"][4, 1], found["w_after_1"][4, 1] = 0, 7.5, 2


def test_the_delays_that_moved_most_are_listed_with_their_weights(tmp_path: Path) -> None:
    page = read(made(tmp_path)).page
    moved = [abs(float(after) - float(before)) for _, _, before, after, _ in moved_most(page)]
    largest = max(np.abs(layer.d_after - layer.d_before).max() for layer in page.layers)
    assert len(moved) == 10 and moved == sorted(moved, reverse=True) and moved[0] == pytest.approx(largest, abs=0.01)
    recorded(move)(tmp_path)
    assert moved_most(read(tmp_path).page) == [
        ["hidden [4]", "output [1]", "0.00", "7.50", "2"],
        ["input [2]", "hidden [5]", "3.00", "1.00", "-0.25"],
    ]


def test_the_table_of_classes_follows_the_answers(tmp_path: Path) -> None:
    answers = [[5, 0, 0, 3], [1, 2, 1, 0], [0, 0, 0, 0]]
    results(answers=answers, test_accuracy=7 / 12)(made(tmp_path))
    assert by_class(read(tmp_path)) == [
        ["0", "8", "5", "62.5\N{NO-BREAK SPACE}%", "none (3)"],
        ["1", "4", "2", "50.0\N{NO-BREAK SPACE}%", "0 (1)"],
        ["2", "0", "0", "-", "-"],
    ]
    for first, names in ((answers[0], ["0", "1", "2", "none"]), ([5, 3, 0, 0], ["0", "1", "2"])):
        results(answers=[first, *answers[1:]])(tmp_path)
        assert [label.get_text() for label in confusion(read(tmp_path)).axes[0].get_xticklabels()] == names


@pytest.mark.full
@pytest.mark.parametrize(("classes", "ticks"), [(10, 10), (50, 10), (100, 10), (600, 12)])
def test_the_ticks_of_a_confusion_matrix_of_many_classes_can_be_read(classes: int, ticks: int, tmp_path: Path) -> None:
    assert len(confusion(read(made(tmp_path, (4, 5, classes)))).axes[0].get_yticks()) == ticks


@pytest.mark.full
@pytest.mark.parametrize(("classes", "outputs"), [(40, 40), (60, OTHERS + 1)])
def test_of_many_outputs_those_that_reach_highest_are_drawn(classes: int, outputs: int, tmp_path: Path) -> None:
    """The output of the class is always among them."""
    page = read(made(tmp_path, (4, 5, classes))).page
    trial = replace(page.trials[0], y=np.eye(classes)[page.trials[0].label])
    drawn = [line.get_ydata() for line in trial_picture(page, trial, [*map(str, range(classes))]).axes[-2].lines]
    others = sorted((np.max(V) for j, V in enumerate(trial.V) if j != trial.label), reverse=True)
    assert len(drawn) == outputs and np.array_equal(drawn[-1], trial.V[trial.label])
    assert sorted((np.max(V) for V in drawn[:-1]), reverse=True) == others[:OTHERS]
