"""`delayprop compare --over`, and lines of results in place of the folders of runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import delayprop.fast.compare
from delayprop.fast.compare import curves_over, sha256_of
from delayprop.fast.compare import main as compare
from delayprop.fast.drawing.comparison import accuracies_over
from delayprop.fast.runs.compared_runs import grouped
from tests.support.runs.reading import Capture, Patch, refusal

LINE = {
    "task": "yin-yang", "seed": 0, "hidden": 8, "delay": 10.0, "freeze_delays": False, "test_accuracy": 0.5,
    "valid_accuracy": 0.6, "seconds": 2.0,
}


def write_lines(path: Path, *changes: dict) -> str:
    path.write_text("".join(json.dumps({**LINE, **change}) + "\n" for change in changes))
    return str(path)


def test_accuracies_are_drawn_over_a_setting(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    """From lines of results, in a panel per task; `hidden` is a number, or a list of one."""
    drawn = []

    def watched(*given: Any) -> Figure:
        drawn.append((given, accuracies_over(*given)))
        return drawn[-1][1]

    monkeypatch.setattr(delayprop.fast.compare, "accuracies_over", watched)
    lines = write_lines(
        tmp_path / "lines.jsonl", {}, {"seed": 1, "test_accuracy": 0.7}, {"hidden": [16], "test_accuracy": 0.8},
        {"freeze_delays": True, "delay": 0.0, "recurrent": True, "test_accuracy": 0.4}, {"task": "shd", "hidden": 32},
    )
    picture = tmp_path / "picture.svg"
    assert compare([lines, "--over", "hidden", "--picture", str(picture)]) == 0
    assert capsys.readouterr().out.endswith(f"picture: {picture}\n") and picture.stat().st_size > 5000
    ((setting, panels), figure), = drawn
    assert sha256_of(panels) in picture.read_text(), "the picture states what it shows"
    assert setting == "hidden" and panels == {  # `delay` names no curve, since the kind of delays does
        "yin-yang": {"delays learned": {8.0: [50.0, 70.0], 16.0: [80.0]}, "delays none, recurrent": {8.0: [40.0]}},
        "shd": {"delays learned": {32.0: [50.0]}},
    }
    curve, _ = figure.axes[0].get_lines()
    assert np.array_equal(curve.get_xydata(), [[8.0, 60.0], [16.0, 80.0]])
    band = np.asarray(figure.axes[0].collections[0].get_paths()[0].vertices)
    ends = {(8.0, 50.0), (8.0, 70.0), (16.0, 80.0)}
    assert {tuple(point) for point in band.tolist()} == ends, "lowest to highest seed"


@pytest.mark.parametrize(
    ("changes", "words", "said"),
    [
        ([{}], ["--over", "hidden"], "`--over` must be given with --picture"),
        ([{"hidden": [8, 8]}], ["--over", "hidden", "--picture", "a.svg"], "got hidden [8, 8]"),
        ([{}], ["--over", "nothing", "--picture", "a.svg"], "got nothing None"),
        ([{"hidden": 8}, {"hidden": [8]}], ["--over", "hidden", "--picture", "a.svg"], "got two settings at 8; leave"),
        ([{}, {"task": "shd"}], [], "a run of yin-yang, as the first"),
        ([{}, {}], [], "lines.jsonl line 2` must be a run of another seed"),
        ([{"seed": -1}], [], "line 1 seed` must be a whole number of at least 0, got -1; give lines"),
        ([{"test_accuracy": None}], [], "line 1 test_accuracy` must be a finite number, got null; give lines"),
    ],
)
def test_lines_that_cannot_be_compared(
    changes: list[dict], words: list[str], said: str, tmp_path: Path, capsys: Capture
) -> None:
    assert said in refusal(capsys, compare, write_lines(tmp_path / "lines.jsonl", *changes), *words)


WITHOUT = json.dumps({key: LINE[key] for key in LINE if key != "hidden"}).encode()


@pytest.mark.parametrize(("text", "said"), [
    *((text, "") for text in (b"{", b"\xff", b"[" * 10000, b"", None)),
    (WITHOUT, "line 1` must be a line with all settings, got one without hidden"),
])
def test_a_file_without_such_lines_is_refused(text: bytes | None, said: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "lines.jsonl"
    if text is not None:
        path.write_bytes(text)
    err = refusal(capsys, compare, path)
    assert "python -m results" in err and said in err


def test_runs_of_one_kind_that_differ_otherwise_are_curves_of_their_own(tmp_path: Path) -> None:
    path = Path(write_lines(tmp_path / "lines.jsonl", {}, {"delay": 5.0}, {"freeze_delays": True, "delay": 0.0}))
    assert {*curves_over(grouped([path]), "hidden")} == {
        "delays learned, delay 10.0", "delays learned, delay 5.0", "delays none, delay 0.0",
    }
