"""Synthetic folders of finished runs: a sequence; classifications, small or large, plain or odd."""

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from delayprop.fast.data.records import Record
from delayprop.fast.drawing import run_record
from delayprop.fast.drawing.run_record import Run
from tests.support.runs.reading import resealed

Arrays = dict[str, np.ndarray]
DURATION, POINTS = 50.0, 60


def result(sizes: tuple[int, ...]) -> dict[str, Any]:
    """40 trials per class: 30 answers are right, 10 are the next class."""
    classes = sizes[-1]
    answers = [[30 * (j == label) + 10 * (j == (label + 1) % classes) for j in range(classes)] + [0]
               for label in range(classes)]
    return {
        "task": "yin-yang", "network": "-".join(map(str, sizes)), "best_epoch": 2, "test_accuracy": 0.75,
        "interval": [0.66, 0.82], "count_baseline": 0.35, "answers": answers,
    }


CARD = {
    "learned_parameters": 12_084, "learned_delays": 42, "spikes_per_neuron": 2.5, "arrivals_per_trial": 1234.4,
    "seconds_per_epoch": 1.5, "peak_memory_mib": 700.0, "float64": 3e-7,
}


def line(epoch: int) -> dict[str, Any]:
    return {
        "epoch": epoch, "train_loss": 3.0 / epoch, "train_accuracy": 1 - 0.6 / epoch, "valid_loss": 3.1 / epoch,
        "valid_accuracy": 0.65 - 0.01 * abs(epoch - 2), "spikes_per_neuron": 2.0, "silent": 0.25, "silent_steps": 0,
        "clamped": 100 // epoch, "gradient": {"w": 0.1, "w_out": 0.3 / epoch, "d": 0.02}, "kappa_min": 1e-3,
        "seconds": 1.5, "A": 2e-8, "B": 3e-9 * epoch, "C": None,
    }


OPTIONS = {
    "task": "yin-yang", "seed": 7, "out": "runs/mine", "resume": False, "dtype": "float32", "hidden": [30],
    "lr": 0.02, "data": None, "data_sha256": {"train.h5": "ab12", "test.h5": "cd34"},
}


def arrays(sizes: tuple[int, ...], spikes: int = 3) -> Arrays:
    """The arrays of `page.npz`, with `spikes` per neuron and trial: of some classes a right trial,
    then of each a wrong one, whose answer is the next class."""
    random = np.random.default_rng(5)
    found: Arrays = {"t": np.linspace(0.0, DURATION, POINTS), "duration": np.array(DURATION)}
    for n, shape in enumerate(pairwise(sizes)):
        for when in ("before", "after"):
            found[f"w_{when}_{n}"] = random.normal(size=shape).astype(np.float32)
            found[f"d_{when}_{n}"] = random.uniform(0, 20, shape).astype(np.float32)
    found[f"d_before_{len(sizes) - 2}"][:] = 0
    shown = min(3, sizes[-1])
    for e in range(2 * shown):
        wrong, label = divmod(e, shown)
        found[f"label_{e}"], found[f"trial_{e}"] = np.array(label), np.array(40 * label + 30 * wrong)
        found[f"y_{e}"] = np.eye(sizes[-1], dtype=np.float32)[(label + wrong) % sizes[-1]]
        for n, size in enumerate(sizes[:-1]):
            found[f"units_{e}_{n}"] = np.repeat(np.arange(size), spikes)
            found[f"times_{e}_{n}"] = random.uniform(0, DURATION, size * spikes)
        found[f"V_{e}"] = np.cumsum(random.normal(size=(sizes[-1], POINTS)), axis=1)
        arrived = found[f"times_{e}_{len(sizes) - 2}"] + 5
        found[f"arrivals_{e}"] = np.stack([arrived, random.normal(size=len(arrived))], axis=1)
    return found


def made(folder: Path, sizes: tuple[int, ...] = (4, 6, 3), epochs: int = 3, spikes: int = 3) -> Path:
    """The folder of a run, with all its records."""
    lines = [line(epoch) for epoch in range(1, epochs + 1)]
    (folder / "result.json").write_text(json.dumps({**result(sizes), "best_epoch": min(2, epochs)}))
    (folder / "history.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    (folder / "options.json").write_text(json.dumps(OPTIONS))
    np.savez_compressed(folder / "page.npz", allow_pickle=True, **arrays(sizes, spikes))
    return resealed(folder)


def read(folder: Path) -> Run:
    return run_record.read(Record(folder))


D = [[0.0, 10.0], [10.0, 0.0]]
TRACES = [
    {"pattern": pattern, "output": output, "t": [0.0, 1.0], "V": [0.0, 0.5], "arrivals": [0.5]}
    for pattern in "AB"
    for output in (0, 1)
]
SEQUENCE: dict[str, Any] = {"task": "sequence", "optimum": 12.2, "presentations": None, "d_start": D, "before": TRACES,
                            "after": TRACES}
SEQUENCE_LINES: list[dict] = [{"presentation": 1, "loss": 0.7, "accuracy": 0.5, "d": D}] * 2


def made_sequence(folder: Path) -> Path:
    (folder / "result.json").write_text(json.dumps(SEQUENCE))
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in SEQUENCE_LINES))
    return resealed(folder)


Change = Callable[[Path], object]


def _lines(name: str, **entries: object) -> Change:
    """Changes entries of each line of a file."""

    def change(folder: Path) -> None:
        found = [{**json.loads(line), **entries} for line in (folder / name).read_text().splitlines()]
        (folder / name).write_text("".join(json.dumps(entry) + "\n" for entry in found))
        resealed(folder)

    return change


results, lines, settings = (partial(_lines, name) for name in ("result.json", "history.jsonl", "options.json"))


def recorded(change: Callable[[Arrays], object]) -> Change:
    """Changes the arrays of `page.npz` in place."""

    def changed(folder: Path) -> None:
        with np.load(folder / "page.npz") as file:
            found = {name: file[name] for name in file.files}
        change(found)
        np.savez_compressed(folder / "page.npz", allow_pickle=True, **found)
        resealed(folder)

    return changed
