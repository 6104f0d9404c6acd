"""Finished runs: evaluation, comparison, export; and confidence intervals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nir
import numpy as np
import pytest

from fast.compare import main as compare
from fast.data.spike_files import fingerprints
from fast.evaluate import main as evaluate
from fast.export import main as export
from fast.training.intervals import mean_half_width, student_t, wilson_interval
from reference.__main__ import main as reference
from spec.nir_graph import from_nir
from tests.support.runs import undrawn
from tests.support.runs.written_files import small_trials, write

OPTIONS = ["--task", "spikes", "--epochs", "2", "--hidden", "5", "--batch", "16", "--dtype", "float64", "--gain", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data; runs of two seeds with learned delays, and of two seeds with frozen delays."""
    path = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("train", "valid", "test")):
        write(path / f"{name}.h5", *small_trials(40, seed))
    data = ["--data", *(str(path / f"{name}.h5") for name in ("train", "valid", "test"))]
    for seed in range(2):
        for name, more in (("free", []), ("frozen", ["--freeze-delays"])):
            run = [*OPTIONS, *data, "--seed", str(seed), "--out", str(path / f"{name}{seed}"), *more]
            assert undrawn.main(*run) in (0, 1)
    return path


def test_an_evaluation_finds_what_the_run_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate([str(folder / "free0"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    result = json.loads((folder / "free0" / "result.json").read_text())
    best = [json.loads(line) for line in (folder / "free0" / "history.jsonl").read_text().splitlines()]
    assert found["test"]["answers"] == result["answers"] and found["test"]["accuracy"] == result["test_accuracy"]
    assert found["valid"]["accuracy"] == max(line["valid_accuracy"] for line in best)
    assert evaluate([str(folder / "free0"), "--split", "train"]) == 0
    assert "train  " in capsys.readouterr().out


def test_other_data_are_said_to_be_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [str(folder / f"{name}.h5") for name in ("train", "test", "valid")]
    assert evaluate([str(folder / "free0"), "--data", *data]) in (0,)
    moved = folder / "moved"
    moved.mkdir()
    for name in ("train", "valid", "test"):
        shutil.copy(folder / f"{name}.h5", moved)
    write(moved / "test.h5", *small_trials(40, 9))
    capsys.readouterr()
    assert evaluate([str(folder / "free0"), "--data", *(str(moved / Path(path).name) for path in sorted(data))]) == 0
    assert "the run had other data" in capsys.readouterr().err


def test_runs_that_differ_in_their_seed_are_one_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare([str(folder / name) for name in ("free0", "free1", "frozen0", "frozen1")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["freeze_delays", "seeds"]
    assert [line.split()[:2] for line in lines[1:3]] == [["False", "2"], ["True", "2"]]
    tests = [
        [100 * json.loads((folder / f"{name}{seed}" / "result.json").read_text())["test_accuracy"] for seed in range(2)]
        for name in ("free", "frozen")
    ]
    assert f"{np.mean(tests[0]):.1f} ± {np.std(tests[0], ddof=1):.1f}" in lines[1]
    assert f"row 2 - row 1: {np.mean(tests[1]) - np.mean(tests[0]):+.1f}, too few seeds in common" in lines[-1]
    assert "(too few seeds)" in lines[1], "two seeds give no interval"


@pytest.mark.parametrize(
    ("runs", "words"), [(["free0", "free0"], "name each run once"), (["nowhere"], "the folder of a finished run")]
)
def test_runs_that_cannot_be_compared(
    runs: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare([str(folder / name) for name in runs]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


def test_an_exported_network_runs_in_the_reference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The readouts of a trial are those of its answer."""
    case = folder / "case.json"
    assert export([str(folder / "free0"), "--case", str(case), "--trial", "0"]) == 0
    assert "2.0 times the readout" in capsys.readouterr().out
    assert reference([str(case)]) == 0
    found = json.loads(capsys.readouterr().out)
    with np.load(folder / "free0" / "page.npz", allow_pickle=False) as page:
        assert found["readout"] == pytest.approx(page["y_0"].tolist(), rel=1e-9)
        times = np.sort(np.concatenate(found["spikes"]["hidden1"]))
        assert times == pytest.approx(np.sort(page["times_0_1"]), rel=1e-12)


def test_an_exported_network_is_a_graph_of_nir(folder: Path) -> None:
    assert export([str(folder / "free0"), "--nir", str(folder / "network.nir")]) == 0
    network = from_nir(nir.read(str(folder / "network.nir")))
    with np.load(folder / "free0" / "page.npz", allow_pickle=False) as page:
        assert (network.connections[0].d == page["d_after_0"]).all()
        assert (network.connections[1].w == page["w_after_1"]).all()


WRONG = {
    "nothing asked for": ([], "`--case` must be given, or --nir"),
    "no such trial": (["--case", "x.json", "--trial", "40"], "`--trial` must be a whole number from 0 to 39"),
    "no such folder": (["--nir", "nowhere/x.nir"], "cannot write"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_exported(
    arguments: list[str], words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert export([str(folder / "free0"), *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1


DAMAGED = {
    "options that are a list": ("options.json", "[]"),
    "options without a seed": ("options.json", "{}"),
    "a result that is a list": ("result.json", "[1]"),
    "an accuracy that is none": ("result.json", '{"test_accuracy": null}'),
    "no epochs": ("history.jsonl", ""),
    "epochs without accuracy": ("history.jsonl", "{}\n"),
    "epochs that are none": ("history.jsonl", "null\n"),
    "no text": ("history.jsonl", "\ud800"),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_named(
    name: str, content: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    (copy / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    assert compare([str(copy)]) == 2
    err = capsys.readouterr().err
    assert "must be the folder of a finished run" in err and err.count("\n") == 1


def copies(folder: Path, into: Path, tests: list[float], **changed: object) -> list[str]:
    """Copies of a run as if these were its test accuracies, one per seed."""
    paths = []
    for seed, accuracy in enumerate(tests):
        path = shutil.copytree(folder / "free0", into / str(seed))
        for name, more in (("options.json", {"seed": seed, **changed}), ("result.json", {"test_accuracy": accuracy})):
            (path / name).write_text(json.dumps({**json.loads((path / name).read_text()), **more}))
        paths.append(str(path))
    return paths


def test_equal_runs_are_not_told_apart(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = copies(folder, tmp_path / "one", [0.5, 0.6, 0.7])
    assert compare([*one, *copies(folder, tmp_path / "other", [0.5, 0.6, 0.7], wake=0.5)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(": not told apart")
    assert compare([*one, *copies(folder, tmp_path / "worse", [0.4, 0.51, 0.6], wake=0.2)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(": apart")


def test_an_interval_stays_within_0_and_100_per_cent(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(copies(folder, tmp_path / "high", [0.9, 0.99, 1.0])) == 0
    assert "to 100.0)" in capsys.readouterr().out
    assert compare(copies(folder, tmp_path / "low", [0.0, 0.01, 0.1])) == 0
    assert "(0.0 to" in capsys.readouterr().out


def test_a_comparison_is_drawn(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [*copies(folder, tmp_path / "one", [0.5, 0.6, 0.7]), *copies(folder, tmp_path / "two", [0.4], wake=0.5)]
    picture = tmp_path / "picture.png"
    assert compare([*runs, "--picture", str(picture)]) == 0
    assert capsys.readouterr().out.endswith(f"picture: {picture}\n") and picture.stat().st_size > 5000
    for name, said in (("picture.xyz", "`--picture` must be a file that ends in"), ("no/where.png", "cannot write")):
        assert compare([*runs, "--picture", str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err


def test_runs_of_different_tasks_are_not_compared(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copies(folder, tmp_path / "other", [0.5], task="braille")
    assert compare([str(folder / "free0"), *other]) == 2
    assert "must be a run of spikes, as the first, got" in capsys.readouterr().err


def test_files_of_one_name_are_known_apart(tmp_path: Path) -> None:
    paths = {}
    for split, seed in (("train", 0), ("test", 1)):
        (tmp_path / split).mkdir()
        paths[split] = tmp_path / split / "data.h5"
        write(paths[split], *small_trials(4, seed))
    found = fingerprints(paths)
    assert set(found) == {"train", "test"} and found["train"] != found["test"]


def test_a_damaged_network_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(folder / "free0", folder / "damaged")
    (copy / "network.pt").write_bytes((copy / "network.pt").read_bytes()[:-200])
    assert evaluate([str(copy)]) == 2
    assert "the folder of a run of this version" in capsys.readouterr().err


def test_intervals_are_those_of_the_tables() -> None:
    """Student's 0.975 quantiles; Wilson's interval for 8 of 10 and for 0 of 10."""
    known = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 9: 2.2622, 30: 2.0423, 120: 1.9799}
    assert {n: round(student_t(n), 4) for n in known} == known
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson_interval(0, 10)
    assert low == pytest.approx(0.0, abs=1e-12) and high == pytest.approx(0.2775, abs=1e-4)
    assert mean_half_width([1.0, 3.0]) is None and mean_half_width([1.0, 2.0, 3.0]) == pytest.approx(2.4841, abs=1e-4)
