"""Finished runs: evaluation, comparison, export; and confidence intervals."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

from delayprop.fast.compare import main as compare
from delayprop.fast.data.augment import FIRST_COPY, Augmentation
from delayprop.fast.data.records import SEAL
from delayprop.fast.data.spike_files import write_spike_file
from delayprop.fast.evaluate import main as evaluate
from delayprop.fast.export import main as export
from delayprop.fast.runs.compared_runs import grouped
from delayprop.fast.runs.saved_runs import Run, opened
from delayprop.fast.train import main
from delayprop.fast.training.evaluation import confusion_matrix
from delayprop.reference.__main__ import main as reference
from delayprop.spec import NEURONS
from delayprop.spec.nir_graph import from_nir
from tests.support.commands import result_of
from tests.support.forking import called
from tests.support.runs.reading import Capture, Patch, history, printed, refusal, resealed, result, rewrite
from tests.support.runs.short_runs import OPTIONS, data_of, undrawn
from tests.support.runs.written_files import small_trials, splits, write


def test_an_evaluation_finds_what_the_run_found(runs: Path, capsys: Capture) -> None:
    found, known = json.loads(printed(capsys, evaluate, runs / "free0", "--json")), result(runs / "free0")
    assert found["test"]["accuracy"] == known["test_accuracy"] and found["test"]["wrong"] == known["wrong"] != []
    assert all(found["test"][name] == known[name] for name in ("answers", "trials_sha256"))
    assert found["valid"]["trials_sha256"] != known["trials_sha256"]
    assert found["valid"]["accuracy"] == max(line["valid_accuracy"] for line in history(runs / "free0"))
    assert "train  " in printed(capsys, evaluate, runs / "free0", "--split", "train")


def test_copies_of_a_trial_answer_with_it(runs: Path, copy: Path, capsys: Capture) -> None:
    """A network that trained on moved trials; two copies of each trial of the test split."""
    assert "`--copies` must be given for a run that moved its trials" in refusal(capsys, evaluate, copy, "--copies", 2)
    assert "`--copies` must be a whole number from 0" in refusal(capsys, evaluate, copy, "--copies", "-1")
    run = runs / "moved"
    moves = ["--shift", "2", "--stretch", "0.3", "--move", "2", "--blend", "0.5", "--drop", "0.5"]
    assert undrawn(*OPTIONS, *data_of(runs), "--out", str(run), *moves) in (0, 1)
    found = json.loads(printed(capsys, evaluate, run, "--split", "test", "--copies", 2, "--json"))["test"]
    training = opened(run)
    data, moved = training.data["test"], Augmentation(shift=2, stretch=0.3, move=2.0)
    y = torch.zeros(len(data), data.classes, dtype=torch.float64)
    with torch.no_grad():
        for epoch in (None, FIRST_COPY, FIRST_COPY + 1):
            trials = [
                data[n] if epoch is None else moved.trial(data, [], n, training.seed, epoch, training.duration)
                for n in range(len(data))
            ]
            times, units, labels = zip(*trials, strict=True)
            y += training.evaluated(data.batch_of(times, units, np.array(labels), training.duration)[0])[0]
    assert found["copies"]["answers"] == confusion_matrix(y, torch.from_numpy(data.labels)).tolist()
    assert found["copies"]["number"] == 2 and found["copies"]["loss"] != found["loss"]
    said = printed(capsys, evaluate, run, "--split", "test", "--copies", 2)
    assert f"with 2 copies of each trial: {found['copies']['accuracy'] * len(data):.0f} of {len(data)} right" in said


@pytest.mark.parametrize(("choose", "train", "valid"), [("best", 0.5, 0.75), ("last", 0.625, 0.25)])
def test_the_accuracies_of_a_run_are_of_the_epoch_that_was_kept(
    choose: str, train: float, valid: float, copy: Path
) -> None:
    accuracies = zip(history(copy), (0.5, 0.625), (0.75, 0.25), strict=True)
    lines = [json.dumps({**line, "train_accuracy": one, "valid_accuracy": other}) for line, one, other in accuracies]
    (copy / "history.jsonl").write_text("\n".join(lines))
    rewrite(copy / "options.json", choose=choose)
    found, (group,) = Run(copy).accuracies, grouped([copy])
    assert (found["train"], found["valid"], group.runs[0].valid) == (train, valid, 100 * valid)


@pytest.mark.parametrize("other", [False, True])
def test_other_data_are_said_to_be_others(other: bool, runs: Path, tmp_path: Path, capsys: Capture) -> None:
    """Copies elsewhere are not."""
    data = splits(tmp_path, 40, "train", "valid", "test")
    if other:
        write(tmp_path / "test.h5", *small_trials(40, 9))
    assert evaluate([str(runs / "free0"), "--data", *data]) == 0
    assert ("the run had other data" in capsys.readouterr().err) == other


def test_an_exported_network_runs_in_the_reference(runs: Path, capsys: Capture) -> None:
    case = runs / "case.json"
    with np.load(runs / "free0" / "page.npz", allow_pickle=False) as page:
        trial = int(page["trial_0"])
        gain, said = printed(capsys, export, runs / "free0", "--case", case, "--trial", trial).splitlines()
        assert "2.0 times the readout" in gain
        sizes, label = "populations in (7 input), hidden1 (5 lif), out (2 li)", int(page["label_0"])
        counted = f"test trial {trial}, {len(page['times_0_0'])} spikes"
        assert said == f"{case}: {sizes}; {counted}; max_voltage, label {label}, cross entropy"
        found = json.loads(printed(capsys, reference, case))
        assert found["readout"] == pytest.approx(page["y_0"].tolist(), rel=1e-9)
        times = np.sort(np.concatenate(found["spikes"]["hidden1"]))
        assert times == pytest.approx(np.sort(page["times_0_1"]), rel=1e-12)


def test_the_trials_of_a_page_answer_as_in_the_evaluation(runs: Path) -> None:
    wrong = dict(result(runs / "free0")["wrong"])
    with np.load(runs / "free0" / "page.npz", allow_pickle=False) as page:
        shown = [name.removeprefix("trial_") for name in page.files if name.startswith("trial_")]
        trials = {int(page[f"trial_{e}"]): (int(page[f"label_{e}"]), page[f"y_{e}"]) for e in shown}
    assert trials and wrong and trials.keys() & wrong.keys() and trials.keys() - wrong.keys()
    for trial, (label, y) in trials.items():
        assert int(y.argmax()) == wrong.get(trial, label) and (trial in wrong) == (y.argmax() != label)


def test_an_exported_network_is_a_graph_of_nir(runs: Path, capsys: Capture) -> None:
    """It needs the folder of the run alone, tested or not: no data, no page."""
    alone = runs / "alone"
    alone.mkdir()
    for name in ("options.json", "history.jsonl", "network.pt"):
        shutil.copy(runs / "free0" / name, alone)
    rewrite(alone / "options.json", data=["gone"], test=False)
    said = printed(capsys, export, alone, "--nir", runs / "network.nir")
    sizes = "populations in (7 input), hidden1 (5 lif), out (2 li)"
    assert said == f"{runs / 'network.nir'}: {sizes}; times in ms, no trial and no loss\n"
    network = from_nir(nir.read(str(runs / "network.nir")))
    with np.load(runs / "free0" / "page.npz", allow_pickle=False) as page:
        assert (network.connections[0].d == page["d_after_0"]).all()
        assert (network.connections[1].w == page["w_after_1"]).all()


def test_a_run_is_evaluated_from_any_folder(runs: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(runs)
    run = [*OPTIONS, "--epochs", "1", "--data", "train.h5", "valid.h5", "test.h5", "--out", "here"]
    assert undrawn(*run) in (0, 1)
    assert undrawn(*run, "--resume") in (0, 1)
    monkeypatch.chdir(tmp_path)
    assert evaluate([str(runs / "here"), "--json"]) == 0
    assert "warning" not in capsys.readouterr().err


WRONG = {
    "nothing asked for": ([], "`--case` is missing, and so is --nir"),
    "no such trial": (["--case", "x.json", "--trial", "40"], "`--trial` must be a whole number from 0 to 39"),
    "no such folder": (["--nir", "nowhere/x.nir"], "cannot write"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_exported(arguments: list, words: str, runs: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(runs)
    assert words in refusal(capsys, export, runs / "free0", *arguments)


Change = Callable[[Path], object]


def options(**entries: object) -> Change:
    return lambda folder: rewrite(folder / "options.json", **entries)


def other_tensors(**entries: Any) -> Change:
    """Changes entries of the kept network; of a name, `__` stands for a dot."""

    def change(folder: Path) -> None:
        found = torch.load(folder / "network.pt", weights_only=True)
        changed = {name.replace("__", "."): value for name, value in entries.items()}
        torch.save({**found, **changed}, folder / "network.pt")
        resealed(folder)

    return change


def not_finite(value: float) -> Change:
    def change(folder: Path) -> None:
        w = torch.load(folder / "network.pt", weights_only=True)["out.w"]
        w[2, 1] = value
        other_tensors(out__w=w)(folder)

    return change


def neuron_of_a_file(folder: Path) -> None:
    (folder / "own.json").write_text(json.dumps(asdict(NEURONS["alif"])))
    options(neuron=str(folder / "own.json"))(folder)


COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "evaluate": evaluate, "compare": compare, "export": lambda words: export([*words, "--nir", f"{words[0]}.nir"]),
}
FINITE = "must be a run whose network is finite, got 1 NaN or infinite entries in out.w; train again"
VERSION = "`RUN` must be the folder of a run of this version"
OTHER: dict[str, tuple[Change, str, str]] = {
    "the neuron of a file": (  # which nothing reads for a stranger
        neuron_of_a_file, "export", "`--neuron` must be lif, ",
    ),
    **{f"{value} in the network": (not_finite(value), "evaluate compare export", FINITE) for value in (np.nan, np.inf)},
    **{f"no {name}": (options(**{name: KeyError}), "evaluate", VERSION) for name in ("dtype", "workers")},
    "no interval": (lambda folder: rewrite(folder / "result.json", interval=KeyError), "compare", VERSION),
}


@pytest.mark.parametrize(("change", "commands", "words"), OTHER.values(), ids=OTHER.keys())
def test_a_run_of_another_version_is_refused(
    change: Change, commands: str, words: str, copy: Path, capsys: Capture
) -> None:
    """Its seal fits. A missing option is not taken for its default."""
    change(copy)
    for command in commands.split():
        assert words in refusal(capsys, COMMANDS[command], copy)  # type: ignore[arg-type]
    assert not copy.with_suffix(".nir").exists()


class AnyLength:
    def __reduce__(self) -> tuple:
        return bytearray, (300_000_000,)


def compressed(folder: Path) -> None:
    other_tensors(hidden__0__w=torch.zeros(4, 20_000_000))(folder)
    with zipfile.ZipFile(folder / "network.pt") as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(folder / "network.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    resealed(folder)


def one_matrix_for_many_layers(folder: Path) -> None:
    rewrite(folder / "options.json", hidden=[1000] * 60)
    square = torch.zeros(1000, 1000)
    other_tensors(**{f"hidden__{n}__w": square for n in range(60)}, out__w=torch.zeros(1000, 3))(folder)


HOSTILE: dict[str, tuple[Change, str]] = {
    "one number for all": (other_tensors(hidden__0__w=torch.zeros(1).expand(4, 200_000_000)), "share their places"),
    "a shape alone": (options(hidden=[8000, 8000]), "not (7, 8000) of the"),
    "zeros, compressed": (compressed, "an archive that states more bytes than the file has"),
    "an array of any length": (other_tensors(more=AnyLength()), "not tensors and plain values (__builtin__ bytearray)"),
    "one matrix for many layers": (one_matrix_for_many_layers, "a state that needs more memory than its len"),
}


@pytest.mark.parametrize("command", ["evaluate", pytest.param("export", marks=pytest.mark.full)])
@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_small_file_takes_little_memory(change: Change, words: str, command: str, copy: Path) -> None:
    change(copy)
    more = ["--nir", str(copy / "network.nir")] if command == "export" else []
    found = result_of(called("tests.support.runs.children:measured", f"delayprop.fast.{command}", copy, *more))
    assert found["code"] == 2 and words in found["errors"]
    assert found["took"] < 60, found


def test_data_of_other_channels_are_refused_before_a_network_is_built(copy: Path, tmp_path: Path) -> None:
    data = [tmp_path / f"{split}.h5" for split in ("train", "valid", "test")]
    for n, path in enumerate(data):
        write_spike_file(path, [(([0.01, 0.02 + 0.001 * n], [0, 1_000_000]), 2), (([0.01], [1]), 0)], "s")
    words = ("delayprop.fast.evaluate", copy, "--data", *data)
    found = result_of(called("tests.support.runs.children:measured", *words))
    assert "`--data` must be of 7 inputs and 2 classes, as the network of the run, got 1000001 inp" in found["errors"]
    assert found["took"] < 60, found


def test_a_run_of_an_earlier_version_is_read_with_neutral_settings(runs: Path, copy: Path, capsys: Capture) -> None:
    """It is evaluated, compared and resumed as if `--average 0` and so on had been said."""
    older = dict.fromkeys(("average", "dropout", "recurrent", "pool"), KeyError)
    rewrite(copy / "options.json", seed=1, **older)
    assert "row 2" not in printed(capsys, compare, runs / "free0", copy), "equal settings are one row"
    rewrite(copy / "options.json", seed=0)
    (copy / SEAL).unlink()
    found = json.loads(printed(capsys, evaluate, copy, "--json"))
    assert found["test"]["accuracy"] == result(copy)["test_accuracy"]
    assert undrawn(*OPTIONS, *data_of(runs), "--seed", "0", "--out", str(copy), "--resume") in (0, 1)
    assert (copy / SEAL).exists()
    rewrite(copy / "options.json", lr=KeyError)
    assert Run(copy).network() is not None, "a setting, of which older versions may lack some"


@pytest.mark.full
@pytest.mark.pictures
def test_a_recurrent_run_is_opened_drawn_exported_and_put_on_a_grid(runs: Path, capsys: Capture) -> None:
    """With learned time constants, and with its average; its own delays are drawn too."""
    more = ["--recurrent", "--rec-delay", "1.5", "--rec-sd", "0.3", "--learn-constants", "--average", "0.5"]
    run = runs / "recurrent"
    assert main([*OPTIONS, *data_of(runs), *more, "--delay-lr", "5", "--out", str(run)]) in (0, 1)
    assert 'alt="moved delays, hidden to itself"' in (run / "run.html").read_text()
    assert history(run)[0]["gradient"]["tau"] > 0
    training, kept = opened(run), torch.load(run / "network.pt", weights_only=True)
    for network in (training.network, training.evaluated):
        assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    with np.load(run / "page.npz", allow_pickle=False) as page:
        assert (page["d_rec_after_0"] >= 0.1).all() and (page["d_rec_after_0"] != page["d_rec_before_0"]).any()
    assert export([str(run), "--case", str(runs / "recurrent.json"), "--nir", str(runs / "recurrent.nir")]) == 0
    said = printed(capsys, evaluate, run, "--split", "test", "--grid", 2, 0.5)
    rows = [line.split()[0] for line in said.splitlines() if line.strip()]
    assert rows[rows.index("exact") + 1 :][:2] == ["0.5", "2"]


def test_a_picture_that_cannot_be_written_is_an_error_of_one_line(copy: Path, capsys: Capture) -> None:
    (copy / "grid-test.png").mkdir()
    assert "cannot write" in refusal(capsys, evaluate, copy, "--split", "test", "--grid", "1", late=True)
