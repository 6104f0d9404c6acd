"""The study of time grids: its measurements and summaries, its command, its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.grid import __main__ as command
from benchmarks.grid import figures, study, training
from benchmarks.grid.measure import DTS, measured
from benchmarks.grid.networks import drawn, placed, vector
from benchmarks.grid.stepped import run
from benchmarks.grid.tasks import interval_task, yin_yang_task
from delayprop.fast.training.intervals import mean_half_width
from delayprop.reference.run import run as exact_run

pytestmark = pytest.mark.full


def test_records_are_those_of_their_seeds() -> None:
    """Records are deterministic; each number belongs to its network and step."""
    dts = (1.0, 1 / 8)
    (first, second) = measured("recurrent", "spike_time_mse", "off", (3, 4), dts)
    assert [second] == measured("recurrent", "spike_time_mse", "off", (4,), dts)
    assert (first["seed"], second["seed"]) == (3, 4) and first["error_d"] != second["error_d"]
    network = drawn("recurrent", "spike_time_mse", "off", 4)
    for n, dt in enumerate(dts):
        true, found = vector(network.exact, "d"), vector(run(network.case, dt), "d")
        error = np.linalg.norm(found - true) / np.linalg.norm(true)
        assert second["error_d"][n] == pytest.approx(error, rel=5e-3)
        cosine = true @ found / np.linalg.norm(true) / np.linalg.norm(found)
        assert second["cosine_d"][n] == pytest.approx(cosine, abs=1e-4)


def test_what_is_on_the_grid() -> None:
    case = drawn("recurrent", "mean_voltage", "off", 0).case
    for where in ("delays on", "all on"):
        moved = placed(case, where)
        assert all(np.array_equal(c.d, np.round(c.d)) and c.d.min() >= 1 for c in moved.network.connections)
        times = np.concatenate(list(moved.inputs["in"]))
        assert np.array_equal(times, np.round(times)) == (where == "all on")
        assert abs(exact_run(moved).loss - exact_run(case).loss) > 0


def test_orders_and_ranks() -> None:
    errors = [0.1 * dt**1.5 for dt in DTS]
    assert study.order(errors) == pytest.approx(1.5)
    assert study.stable({"ordered": "000111111"}) and not study.stable({"ordered": "111101111"})
    assert study.rank_correlation([1, 2, 3, 4], [1, 4, 9, 16]) == pytest.approx(1.0)
    assert study.rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert study.rank_correlation([1, 1, 2], [5, 5, 7]) == pytest.approx(1.0)  # equal values share a rank


def test_a_summary_of_training_is_paired() -> None:
    runs = [{"ways": [
        {"dt": dt, "pinned": False, "on_exact": on_exact, "on_grid": 0.5, "moved_ms": 1.0, "apart_ms": 0.0}
        for dt, on_exact in ((None, best), (1.0, other))
    ]} for best, other in ((0.9, 0.8), (0.8, 0.75), (1.0, 0.85))]
    exact, grid = training.summary(runs)
    lost = [0.1, 0.05, 0.15]
    assert exact["lost_on_exact"]["mean"] == 0.0
    half = pytest.approx(mean_half_width(lost), abs=1e-5)
    assert grid["lost_on_exact"] == {"mean": 0.1, "sd": pytest.approx(0.05), "half": half}


def test_a_fine_grid_trains_as_the_exact_gradient_does() -> None:
    """The control of the comparison: the two ways differ in the gradient alone."""
    (apart,) = training.interval_runs((0,), (2.0,), steps=12)
    assert [way["dt"] for way in apart["ways"]] == [None, 1.0] and apart["ways"][1]["apart_ms"] > 0.05
    task = interval_task(2.0, 0, steps=12)
    exact, fine = (np.concatenate([layer.d.detach().numpy().ravel() for layer in training.learned(task, way)])
                   for way in (training.EXACT, training.Way(1 / 64)))
    assert np.abs(exact - fine).max() < 0.05 < np.abs(exact - np.array(task.layers[0].d.tolist()).ravel()).max()


def test_gradients_of_a_batch_come_together_as_steps_shrink() -> None:
    task = yin_yang_task(0, epochs=1, train=50)
    ways = [training.Way(dt, pinned) for dt in (1.0, 1 / 128) for pinned in (False, True)]
    coarse, coarse_with, fine, fine_with = training.alike(task, task.layers, ways)
    assert coarse["kept"] < 0.1 and fine["kept"] > 0.5
    assert fine["trial_w"] < 0.1 < coarse["trial_w"] and fine_with["trial_d"] < 0.1 < coarse_with["trial_d"]
    assert fine["trial_d"] > 0.2, "most trials of this task read a maximum that an inhibitory arrival makes"


def test_the_command_writes_what_the_pictures_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "QUICK", 3)
    monkeypatch.setattr(training, "ALIKE_DTS", (1.0,))
    monkeypatch.setattr(study, "KINDS", ("recurrent",))
    monkeypatch.setattr(study, "LOSSES", ("mean_voltage", "max_voltage"))
    monkeypatch.setattr(study, "PLACED", ("spike_time_mse",))
    path = tmp_path / "grid.json"
    assert command.main(["--quick", "--out", str(path)]) == 0
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["quick"] is True and set(command.PARTS) <= set(record)
    assert study.summary(record["gradients"]["networks"]) == record["gradients"]["summary"]
    assert command.main(["--quick", "--what", "interval", "--out", str(path)]) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == record, "the same numbers again, and the other parts kept"
    assert figures.main([str(path), str(tmp_path / "quick")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4 + len(figures.PICTURES)


@pytest.mark.parametrize(
    ("call", "argv", "message"),
    [
        (command.main, ["--out", "{}/none.json/grid.json", "--what", "interval"], "--out"),
        (command.main, ["--out", "{}/none.json", "--what", "interval"], "a record of format"),
        (figures.main, ["{}/missing.json", "{}"], "No such file"),
        (figures.main, ["{}/none.json", "{}"], "a record with all parts"),
    ],
)
def test_refusals(
    call: Callable[[list[str]], int], argv: list[str], message: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    monkeypatch.setitem(command.PARTS, "interval", lambda quick: {})
    assert call([word.format(tmp_path) for word in argv]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
