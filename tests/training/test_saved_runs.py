"""Finished runs: evaluation, comparison, export; and confidence intervals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from delayprop.fast.compare import main as compare
from delayprop.fast.data.spike_files import fingerprints
from delayprop.fast.evaluate import main as evaluate
from delayprop.fast.export import main as export
from delayprop.fast.train import main
from delayprop.reference.__main__ import main as reference
from delayprop.spec.nir_graph import from_nir
from tests.support.runs import undrawn
from tests.support.runs.finished_runs import OPTIONS, data_of, make_runs
from tests.support.runs.written_files import small_trials, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


def test_an_evaluation_finds_what_the_run_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate([str(folder / "free0"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    result = json.loads((folder / "free0" / "result.json").read_text())
    best = [json.loads(line) for line in (folder / "free0" / "history.jsonl").read_text().splitlines()]
    assert found["test"]["accuracy"] == result["test_accuracy"] and found["test"]["wrong"] == result["wrong"] != []
    assert all(found["test"][name] == result[name] for name in ("answers", "trials_sha256"))
    assert found["valid"]["trials_sha256"] != result["trials_sha256"]
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
    """It needs the folder of the run alone, tested or not: no data, no page."""
    alone = folder / "alone"
    alone.mkdir()
    for name in ("options.json", "history.jsonl", "network.pt"):
        shutil.copy(folder / "free0" / name, alone)
    options = json.loads((alone / "options.json").read_text())
    (alone / "options.json").write_text(json.dumps({**options, "data": ["gone"], "test": False}))
    assert export([str(alone), "--nir", str(folder / "network.nir")]) == 0
    network = from_nir(nir.read(str(folder / "network.nir")))
    with np.load(folder / "free0" / "page.npz", allow_pickle=False) as page:
        assert (network.connections[0].d == page["d_after_0"]).all()
        assert (network.connections[1].w == page["w_after_1"]).all()


def test_a_run_is_evaluated_from_any_working_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its data were named relative to the directory in which it was trained."""
    monkeypatch.chdir(folder)
    run = [*OPTIONS, "--epochs", "1", "--data", "train.h5", "valid.h5", "test.h5", "--out", "here"]
    assert undrawn.main(*run) in (0, 1)
    assert undrawn.main(*run, "--resume") in (0, 1)
    monkeypatch.chdir(tmp_path)
    assert evaluate([str(folder / "here"), "--json"]) == 0
    assert "warning" not in capsys.readouterr().err


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
    "options without a task": ("options.json", '{"seed": 0}'),
    "options without a seed": ("options.json", "{}"),
    "a result that is a list": ("result.json", "[1]"),
    "an accuracy that is none": ("result.json", '{"test_accuracy": null}'),
    "an interval of one end": ("result.json", '{"test_accuracy": 0.5, "interval": [0.4]}'),
    "no epochs": ("history.jsonl", ""),
    "epochs without accuracy": ("history.jsonl", "{}\n"),
    "epochs that are none": ("history.jsonl", "null\n"),
    "no text": ("history.jsonl", "\ud800"),
    "an epoch that ended before it began": ("history.jsonl", '{"valid_accuracy": 0.5, "seconds": -3600.0}\n'),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_is_named(
    name: str, content: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    (copy / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    assert compare([str(copy)]) == 2
    err = capsys.readouterr().err
    assert f"must be the folder of a finished run, got {name}" in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["evaluate", "compare", "export"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_is_not_finite_is_refused(
    command: str, value: float, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    parameters = torch.load(copy / "network.pt", weights_only=True)
    parameters["out.w"][2, 1] = value
    torch.save(parameters, copy / "network.pt")
    given = [str(copy), "--nir", str(tmp_path / "x.nir")] if command == "export" else [str(copy)]
    assert {"evaluate": evaluate, "compare": compare, "export": export}[command](given) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and not (tmp_path / "x.nir").exists()
    assert "must be a run whose network is finite, got 1 NaN or infinite entries in out.w; train again" in err


@pytest.mark.parametrize("command", ["evaluate", "compare"])
@pytest.mark.parametrize("content", [b"", b"no network", None], ids=["empty", "text", "a list"])
def test_a_network_that_is_none_is_refused(
    command: str, content: bytes | None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    if content is None:
        torch.save([1.0], copy / "network.pt")
    else:
        (copy / "network.pt").write_bytes(content)
    assert {"evaluate": evaluate, "compare": compare}[command]([str(copy)]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "`RUN` must be the folder of a run of this version" in err


def test_a_run_of_an_earlier_version_is_read_with_neutral_settings(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is evaluated, compared and resumed as if `--average 0` and so on had been said."""
    old = shutil.copytree(folder / "free0", tmp_path / "old")
    options = json.loads((old / "options.json").read_text())
    older = {name: value for name, value in options.items() if name not in ("average", "dropout", "recurrent", "pool")}
    (old / "options.json").write_text(json.dumps({**older, "seed": 1}))
    assert compare([str(folder / "free0"), str(old)]) == 0
    assert "row 2" not in capsys.readouterr().out, "equal settings are one row"
    (old / "options.json").write_text(json.dumps(older))
    assert evaluate([str(old), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["accuracy"] == json.loads(
        (old / "result.json").read_text()
    )["test_accuracy"]
    assert undrawn.main(*OPTIONS, *data_of(folder), "--seed", "0", "--out", str(old), "--resume") in (0, 1)


@pytest.mark.pictures
def test_a_recurrent_run_is_drawn_exported_and_put_on_a_grid(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With learned time constants and an average; its own delays are drawn too."""
    more = ["--recurrent", "--rec-delay", "0.3", "--rec-sd", "0.3", "--learn-constants", "--average", "0.5"]
    run = folder / "recurrent"
    assert main([*OPTIONS, *data_of(folder), *more, "--delay-lr", "5", "--out", str(run)]) in (0, 1)
    assert 'alt="moved delays, hidden to itself"' in (run / "run.html").read_text()
    assert json.loads((run / "history.jsonl").read_text().splitlines()[0])["gradient"]["tau"] > 0
    with np.load(run / "page.npz", allow_pickle=False) as page:
        assert (page["d_rec_after_0"] >= 0.1).all() and (page["d_rec_after_0"] != page["d_rec_before_0"]).any()
    assert export([str(run), "--case", str(folder / "recurrent.json"), "--nir", str(folder / "recurrent.nir")]) == 0
    assert evaluate([str(run), "--split", "test", "--grid", "2", "0.5"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert rows[rows.index("exact") + 1 :][:2] == ["0.5", "2"]


def test_a_picture_that_cannot_be_written_is_an_error_of_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(folder / "free0", tmp_path / "copy")
    (copy / "grid-test.png").mkdir()
    assert evaluate([str(copy), "--split", "test", "--grid", "1"]) == 2
    err = capsys.readouterr().err
    assert "cannot write" in err and err.count("\n") == 1


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
