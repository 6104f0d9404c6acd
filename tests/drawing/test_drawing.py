"""`python -m reports` draws a finished run, and refuses other content in one line."""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from PIL import Image, ImageSequence

from delayprop.fast.drawing.arrays import Layer
from delayprop.fast.drawing.classification import overview
from delayprop.fast.drawing.run_record import read
from delayprop.fast.drawing.sequence import delays_of_two
from delayprop.fast.drawing.synapses import distribution
from delayprop.fast.tasks import registry
from reports.__main__ import main
from tests import ROOT
from tests.support.runs.recorded_runs import made, results

TRACES = [
    {"pattern": pattern, "output": output, "t": [0.0, 1.0], "V": [0.0, 0.5], "arrivals": [0.5]}
    for pattern in "AB"
    for output in (0, 1)
]
D = [[0.0, 10.0], [10.0, 0.0]]
SEQUENCE: dict = {
    "task": "sequence", "optimum": 12.2, "presentations": None, "d_start": D, "before": TRACES, "after": TRACES,
}
SEQUENCE_LINE: dict = {"presentation": 1, "loss": 0.7, "accuracy": 0.5, "d": D}
TASKS = ", ".join(sorted(registry.TASKS))


def record(folder: Path, result: object, lines: list[dict]) -> Path:
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_sequence_run_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["delays.png", "voltages.png"]
    assert main([str(record(tmp_path, SEQUENCE, [SEQUENCE_LINE] * 2))]) == 0
    assert capsys.readouterr() == ("".join(f"{tmp_path / name}\n" for name in names), "")
    assert all((tmp_path / name).stat().st_size > 10_000 for name in names)


def test_drawing_leaves_the_backend_of_a_notebook_alone() -> None:
    program = "import matplotlib; matplotlib.use('svg'); from delayprop.fast.drawing import classification, sequence"
    line = [sys.executable, "-c", f"{program}; print(matplotlib.get_backend())"]
    assert subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "svg\n"


def test_an_animation_shows_each_move_of_the_delays(tmp_path: Path) -> None:
    """A frame before learning, and one for each step that moves a delay."""
    lines = [{**SEQUENCE_LINE, "d": [[x, 10.0 - x], [10.0 - x, x]]} for x in (1.0, 5.0, 5.0, 9.0)]
    numbers = {"gap": 10.0, "tau_mem": 10.0, "tau_syn": 5.0}
    assert main([str(record(tmp_path, {**SEQUENCE, **numbers}, lines))]) == 0
    with Image.open(tmp_path / "learning.gif") as animation:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    assert len(frames) == 4 and all((a != b).any() for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize(("task", "epochs"), [
    ("yin-yang", 3), pytest.param("braille", 1, marks=pytest.mark.full), ("shd", 2),
    pytest.param("spikes", 40, marks=pytest.mark.full),
])
def test_a_classification_is_drawn(
    task: str, epochs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["training.png", "run.html"]
    results(task=task)(made(tmp_path, epochs=epochs))
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr() == ("".join(f"{tmp_path / name}\n" for name in names), "")
    assert all((tmp_path / name).stat().st_size > 10_000 for name in names)


def result_json(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "result.json").write_text(text)


def history_jsonl(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "history.jsonl").write_text(text)


def changed(**entries: object) -> Callable[[Path], object]:
    return result_json(json.dumps({**SEQUENCE, **entries}))


def line(**entries: object) -> Callable[[Path], object]:
    return history_jsonl(json.dumps({**SEQUENCE_LINE, **entries}))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no result": (lambda folder: (folder / "result.json").unlink(), "`RUN` must be the folder of a finished run, with"),
    "no history": (lambda folder: (folder / "history.jsonl").unlink(), "with history.jsonl, got "),
    "no text": (lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe\x00"), "got UnicodeDecodeError: "),
    "no JSON": (result_json("{"), "`result.json` must be JSON, got"),
    "no object": (result_json("[1, 2]"), "`result.json` must be an object, got a list of 2; give the folder of"),
    "no task": (result_json("{}"), "`result.json` must be an object with task, got one without"),
    "unknown task": (changed(task="shapes"), f'`result.json task` must be one of {TASKS}, got "shapes"'),
    "a list for a task": (changed(task=["sequence"]), f"`result.json task` must be one of {TASKS}, got a"),
    "empty history": (history_jsonl(""), "`history.jsonl` must be at least one line, got an empty file"),
    "half a line": (history_jsonl('{"presentation": 1'), "`history.jsonl line 1` must be JSON"),
    "a line no object": (history_jsonl("3\n"), "`history.jsonl line 1` must be an object, got 3"),
    "a line lacks a key": (history_jsonl('{"presentation": 1}\n'), "`history.jsonl line 1` must be an object with"),
    "text for a number": (line(loss="low"), '`history.jsonl line 1 loss` must be a finite number, got "low"'),
    "true for a number": (line(loss=True), "`history.jsonl line 1 loss` must be a finite number, got true"),
    "NaN": (line(loss=float("nan")), "`history.jsonl line 1 loss` must be a finite number, got NaN"),
    "null": (changed(optimum=None), "`result.json optimum` must be a finite number, got null"),
    "matrix too small": (changed(d_start=[[1.0, 2.0]]), "`result.json d_start` must be a list of 2, got a list of 1"),
    "no traces": (changed(before=[]), "`result.json before` must be a list of 4, got a list of 0"),
    "no voltages": (
        changed(after=[{**TRACES[0], "V": []}, *TRACES[1:]]),
        "`result.json after[0] V` must be a list of at least one, got a list of 0",
    ),
    "voltages too few": (
        changed(after=[{**TRACES[0], "V": [1.0]}, *TRACES[1:]]),
        "`result.json trace 4 V` must be one voltage per time, got 1 for 2 times",
    ),
    "an output too many": (changed(after=[{**TRACES[0], "output": 2}, *TRACES[1:]]), "must be one of 0, 1, got 2"),
}


@pytest.mark.parametrize(("damage", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_no_finished_run_is_one_line_and_exit_2(
    damage: Callable[[Path], object], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(record(tmp_path, SEQUENCE, [SEQUENCE_LINE]))
    assert main([str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("python -m reports: ") and err.count("\n") == 1
    assert words in err
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["a", "b"], "unrecognized arguments: b"),
        (["nowhere"], "`RUN` must be the folder of a finished run, with result.json, got No such file or directory:"),
    ],
    ids=["two", "missing folder"],
)
def test_bad_arguments_are_one_line_and_exit_2(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("python -m reports: ") and err.count("\n") == 1
    assert words in err


def test_a_picture_that_cannot_be_written_has_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Figure, "savefig", refuse)
    assert main([str(record(tmp_path, SEQUENCE, [SEQUENCE_LINE]))]) == 2
    expected = f"a folder with room for pictures, got No space left on device: {tmp_path}; make room"
    assert capsys.readouterr() == ("", f"python -m reports: `RUN` must be {expected}\n")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "RUN" in capsys.readouterr().out


def test_the_legend_of_the_delays_lies_on_no_curve() -> None:
    figure = delays_of_two([SEQUENCE_LINE] * 2, SEQUENCE)
    figure.draw_without_rendering()
    delays = figure.axes[0]
    legend = delays.get_legend()
    assert legend is not None and not legend.get_window_extent().overlaps(delays.get_window_extent())


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
    picture = distribution(Layer("inputs", "hidden", np.ones((2, 3)), before, after))
    assert picture is not None
    patches = picture.figure.axes[0].patches
    bars = [patch for patch in patches if isinstance(patch, Rectangle)]
    (outline,) = (patch for patch in patches if isinstance(patch, Polygon))
    assert sum(bar.get_height() for bar in bars) == 6
    assert [bar.get_height() for bar in bars if 0 < 9.0 - bar.get_x() <= bar.get_width()] == [2]
    assert not any(bar.get_height() for bar in bars if bar.get_x() + bar.get_width() < 2)
    assert np.asarray(outline.get_xy())[:, 0].min() == pytest.approx(0.5), "delays before begin at 0.5 ms"
