"""`delayprop.train`: the command's run, its refusals, and its way with signals, from Python."""

import json
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import delayprop
from delayprop import NEURONS, Neuron, Run, SpecError, Spikes, UnsupportedError
from delayprop.fast.data.spike_files import read_spike_file
from delayprop.fast.train import main
from delayprop.fast.training import engine
from delayprop.fast.training.checkpoints import digest
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.evaluation import evaluate
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.signals import StopSignals
from tests.support.runs.reading import Capture, Patch, calls, refusal, repeated, result
from tests.support.runs.short_runs import OPTIONS, data_of

SETTINGS: dict[str, Any] = {"epochs": 2, "hidden": 5, "batch": np.int64(16), "dtype": "float64", "gain": 2}
"""`OPTIONS` of finished runs, in Python."""


def train(runs: Path, out: str, **settings: Any) -> Run:
    data = [Path(path) for path in data_of(runs)[1:]]
    return delayprop.train("spikes", data, out=runs / out, **{**SETTINGS, **settings})


@pytest.fixture(scope="module")
def finished(runs: Path) -> Run:
    return train(runs, "python")


def test_a_run_from_python_is_the_run_of_the_command(runs: Path, finished: Run) -> None:
    options = [json.loads((runs / name / "options.json").read_text()) for name in ("python", "free0")]
    assert [type(value) for value in options[0].values()] == [type(value) for value in options[1].values()]
    assert {**options[0], "out": ""} == {**options[1], "out": ""}
    assert options[0]["changed"] == "epochs hidden batch gain"
    networks = [digest(torch.load(runs / name / "network.pt", weights_only=True)) for name in ("python", "free0")]
    assert networks[0] == networks[1]


def test_a_run_has_its_records_and_its_network(runs: Path, finished: Run) -> None:
    kept_result = result(runs / "python")
    assert finished.folder == runs / "python" and finished.result == kept_result and len(finished.history) == 2
    kept = max(finished.history, key=lambda line: line["valid_accuracy"])
    assert finished.accuracies == {"train": kept["train_accuracy"], "valid": kept["valid_accuracy"],
                                   "test": kept_result["test_accuracy"]}
    assert finished.learned == (kept_result["interval"][0] > kept_result["count_baseline"])
    assert repr(finished).startswith(f"Run('{runs / 'python'}', spikes: train ")
    network = finished.network()
    test = read_spike_file(runs / "test.h5", network.layers[0].pre, 2, 1e9)  # type: ignore[union-attr, index]
    page = np.load(runs / "python" / "page.npz")
    found = evaluate(network, test, float(page["duration"]), 16, Processes())  # type: ignore[arg-type]
    assert found.confusion == kept_result["answers"]


def test_a_sequence_run_has_its_layer(tmp_path: Path) -> None:
    run = delayprop.train("sequence", epochs=14, jitter=1, out=str(tmp_path / "run"))
    layer = run.network()
    assert layer.d.tolist() == run.result["d"] and bool((layer.w == 1).all())  # type: ignore[union-attr, operator]
    assert run.learned is run.result["learned"] and run.accuracies["test"] == run.result["unseen_accuracy"]


def test_a_run_without_a_test_is_finished_later(runs: Path, finished: Run, capsys: Capture) -> None:
    untested, said = train(runs, "untested", test=False), capsys.readouterr().out
    assert "valid accuracy" in said and "test accuracy" not in said
    assert untested.result == {} and untested.learned is None and set(untested.accuracies) == {"train", "valid"}
    kept = untested.network().state_dict()
    assert not (untested.folder / "result.json").exists()
    again = train(runs, "untested", resume=True)
    assert repeated(again.result) == repeated(finished.result) and digest(again.network().state_dict()) == digest(kept)


OWN = Neuron(
    {"V": "(-V + I - a) / tau_mem", "I": "-I / tau_syn", "a": "-a / tau_a"},
    spike="V - v_th - beta * a", reset={"V": "v_reset", "a": "a + b"},
)
CONSTANTS = {"tau_a": 30.0, "beta": 0.25, "b": np.float64(0.5)}


def test_a_constant_may_have_the_name_of_an_attribute(runs: Path) -> None:
    """The run is that of an ordinary name, and its network is found again."""
    found = []
    for name in ("d", "tau_d"):
        neuron = Neuron({"V": f"(-V + I) / {name}", "I": "-I / tau_syn"})
        run = train(runs, f"constant-{name}", epochs=1, neuron=neuron, constants={name: 20})
        found.append([tensor.tolist() for tensor in run.network().state_dict().values()])
        assert run.network().layers[0].constants[name].tolist() == [20.0] * 5  # type: ignore[union-attr, index]
    assert found[0] == found[1]


@pytest.mark.full  # kernels of three states compile for a minute
def test_neurons_of_own_equations_train_and_their_run_keeps_them(runs: Path, tmp_path: Path) -> None:
    """From Python, and on the command line from a file, which may be lost afterwards."""
    more: dict[str, Any] = {"epochs": 1, "neuron": OWN, "constants": CONSTANTS, "learn_constants": True}
    (layer, _) = train(runs, "own", **more).network().layers  # type: ignore[misc]
    found = {name: values.mean().item() for name, values in layer.constants.items()}
    assert layer.equations == OWN and (found["beta"], found["b"]) == (0.25, 0.5)
    assert 0 < abs(found["tau_a"] - 30.0) < 1.0  # it learns
    path = tmp_path / "own.json"
    path.write_text(json.dumps(asdict(OWN)))
    words = [*OPTIONS, "--epochs", "1", "--neuron", str(path), "--learn-constants"]
    words += ["--constants", *(f"{name}={value}" for name, value in CONSTANTS.items())]
    assert main([*words, *data_of(runs), "--out", str(tmp_path / "run")]) in (0, 1)
    path.unlink()
    own, of_file = (torch.load(folder / "network.pt", weights_only=True) for folder in (runs / "own", tmp_path / "run"))
    assert digest(own) == digest(of_file) == digest(Run(tmp_path / "run").network().state_dict())
    again = {"neuron": json.dumps(asdict(OWN)), "constants": ["b=.5", "tau_a=30", "beta=2.5e-1"]}
    assert digest(train(runs, "own", **{**more, **again}, resume=True).network().state_dict()) == digest(own)
    other = replace(OWN, spike="V - v_th - 2 * beta * a")
    with pytest.raises(SpecError, match=r"^`--neuron` must be that of its options.json, as this run was started with"):
        train(runs, "own", **{**more, "neuron": other}, resume=True)


BAD: list[dict[str, Any]] = [
    {"lr": -1.0}, {"lr": float("nan")}, {"epochs": 0}, {"delay": 300.0}, {"patience": 2, "choose": "last"},
    {"seed": -1}, {"save_seconds": -1.0}, {"resume": True}, {"out": "."}, {"data": ["train.h5"]},
    {"data": ["nowhere.h5", "test.h5"]},
]


@pytest.mark.parametrize("settings", BAD, ids=str)
def test_refusals_are_those_of_the_command(settings: dict, runs: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(runs)
    given = {"data": ["train.h5", "test.h5"], **settings}
    words = ["--task", "spikes"]
    for name, value in given.items():
        values = [] if value is True else value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    with pytest.raises(SpecError) as caught:
        delayprop.train("spikes", **given)
    assert refusal(capsys, main, *words, late=True) == f"python -m fast.train: {caught.value}\n"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a name": ({"epoch": 1}, "`epoch` must be a setting of the task yin-yang, got another name; did you mean `epochs"),
    "another task's": ({"jitter": 1}, "`jitter` must be a setting of the task yin-yang, got another name; `delayprop"),
    "no help": ({"help": True}, "`help` must be a setting of"),
    "a choice": ({"readout": "max"}, "`--readout` must be one of max_voltage, mean_voltage, exp_weighted_voltage, "),
    "a preset": ({"preset": "papers"}, "`--preset` must be one of best, paper, got 'papers'"),
    "a flag": ({"freeze_delays": "no"}, "`--freeze-delays` must be True or False, got 'no'"),
    "text for a number": ({"lr": "0.1"}, "`--lr` must be a number, got '0.1'"),
    "a fraction of a neuron": ({"hidden": [2.5]}, "`--hidden` must be a whole number, got 2.5"),
    "no neurons": ({"hidden": []}, "`--hidden` must be a list of at least one, got an empty list"),
    "nothing": ({"epochs": None}, "`--epochs` must be a whole number, got null"),
    "spikes for files": (
        {"task": "spikes", "data": [Spikes.from_trains([[[1.0]]], 9.0)] * 2},
        "`--data` must be a path, got Spikes(1 trial x 1 neuron, 1 spike, 9 ms, cpu); give text, or a `Path`; "
        "`delayprop.write_spike_file` writes a file of spikes",
    ),
    "a folder that is none": ({"out": 3}, "`--out` must be a path, got 3"),
    "a task": ({"task": "mnist"}, "`--task` must be one of sequence, yin-yang, "),
}
OF_OWN: list[tuple[dict[str, Any], str]] = [
    ({}, "`--constants` lacks tau_a, beta, b; give each, such as tau_a=20"),
    ({"constants": {**CONSTANTS, "c": 1.0}}, "`--constants` has c, which the equations do not name; they name"),
    ({"constants": CONSTANTS, "tau_a": 30.0}, "`--tau-a` must be left out with --neuron FILE, got 30.0"),
    ({"constants": {**CONSTANTS, "tau_a": -1.0}}, "`--constants` of neuron 0 make it unstable"),
    ({"constants": {**CONSTANTS, "beta": [1.0]}}, "`--constants beta` must be a finite number, got a list"),
    ({"constants": {**CONSTANTS, "beta": 1e39}}, "`--constants beta` must be a number that float32 can hold"),
    ({"constants": {**CONSTANTS, "v_reset": 1.0}}, "`--constants v_reset` must be below v_th, 1, got 1.0"),
    ({"constants": {**CONSTANTS, "\N{FULLWIDTH LATIN SMALL LETTER B}": 1.0}}, "`--constants` has b twice, in two"),
    ({"constants": [Path("b=1")]}, "`--constants` must be NAME=NUMBER, one finite number for all neurons, got"),
    ({"neuron": {"rates": {}}}, "or a JSON file of equations (in Python, a `Neuron`), got an object"),
    ({"constants": {**CONSTANTS, "tau_a": 1.0}, "learn_constants": True}, "--constants tau_a, 1.0 (ms), got 2.0"),
    ({"constants": CONSTANTS, "neuron": Neuron(OWN.rates, spike=None, reset={})}, "`--constants` has b, which"),
    ({"neuron": replace(NEURONS["li"], arrivals=("V",))}, "`--neuron` never spikes"),
]
"""Settings beside equations of our own: each constant is needed, and no option of others."""


@pytest.mark.parametrize(("settings", "words"), [
    *((settings, "^" + re.escape(words)) for settings, words in WRONG.values()),
    *(({"neuron": OWN, **more}, re.escape(words)) for more, words in OF_OWN),
], ids=[*WRONG, *(words for _, words in OF_OWN)])
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=words):
        delayprop.train(**{"task": "yin-yang", "out": tmp_path / "run", **settings})
    assert not (tmp_path / "run").exists()


def test_several_processes_are_refused(monkeypatch: Patch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UnsupportedError, match="let torchrun start the command"):
        delayprop.train("yin-yang")


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_stopped_run_goes_on(number: int, error: type, runs: Path, finished: Run, monkeypatch: Patch) -> None:
    before, out = signal.getsignal(number), f"stopped-{number}"
    with monkeypatch.context() as patch, pytest.raises(error):
        # signal 0 is none
        calls(patch, Classification, "_learn", lambda _, step: os.kill(os.getpid(), number if step == 4 else 0))
        train(runs, out)
    assert signal.getsignal(number) is before
    with pytest.raises(SpecError, match=r"must be the folder of a finished run.*let it finish, or --resume it"):
        Run(runs / out)
    again = train(runs, out, resume=True)
    assert repeated(again.result) == repeated(finished.result)
    assert digest(again.network().state_dict()) == digest(finished.network().state_dict())


def test_a_second_signal_raises_at_once_and_ends_no_process() -> None:
    with StopSignals(Processes(), ends=False) as signals:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signals.exit_code == 130


def test_a_run_in_a_thread_leaves_signals_alone(runs: Path, finished: Run, monkeypatch: Patch) -> None:
    """None is sent again while pictures are drawn: it would end the process, without a handler."""
    hooks = calls(monkeypatch, engine, "draw", lambda folder: sys.unraisablehook)
    with ThreadPoolExecutor(1) as pool:
        assert repeated(pool.submit(train, runs, "thread").result().result) == repeated(finished.result)
    assert hooks == [sys.unraisablehook]
