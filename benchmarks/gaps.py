"""For which data do learned delays pay? Gestures whose parts lie further and further apart.

    python -m benchmarks.gaps --gaps 5 50 500 --seeds 0 --out runs/gaps
    python -m benchmarks.gaps --out runs/gaps --picture gaps.svg    # draw its lines

A gesture is two bursts, on four channels each. Classes differ in the burst that comes first, and in
the gap between the two: a quarter, a half, three quarters or all of the longest gap. A data set is
another one in time, but for a jitter of 0.2 ms and a rest of 100 ms, which all have. Spike counts
tell no class from another. Spiking networks have time constants of 20 and 5 ms; without delays
these, and loops, are all that remembers the first burst. The LSTM reads counts of a tenth of the
longest gap, and takes the best of four step sizes on validation, for each line.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import baselines
from delayprop.fast.compare import sha256_of
from delayprop.fast.data.augment import Augmentation
from delayprop.fast.data.batches import Batches
from delayprop.fast.data.spike_files import write_spike_file
from delayprop.fast.drawing.comparison import accuracies_over, check_picture
from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.tasks.spikes import read
from delayprop.fast.train import train
from delayprop.spec.checks import positive_number, whole_number
from delayprop.spec.command import OneLineParser
from delayprop.spec.errors import SpecError

CHANNELS, PARTS = 4, 4  # of a burst; of the longest gap
JITTER = 0.2, 0.04  # standard deviation of a spike time: ms, and of the longest gap
TRIALS = {"train": 1000, "valid": 500, "test": 1000}
REST = 100.0  # ms, at the end of a trial
GAPS, SIZES, STEPS = (5.0, 15.0, 50.0, 150.0, 500.0), (8, 32, 128), 10  # STEPS of a count, per longest gap
DELAY_LR, MOST_DELAY_LR = 0.005, 0.5  # of the longest gap; ms
# Of 0.01, 0.03 and 0.1, each with first weights of mean 1 (the preset) and 0, this step and mean 1
# were best on validation (8 neurons, gap 50, seed 3), with delays learned, as drawn, and with none.
LR, LSTM_LR = 0.03, (0.003, 0.01, 0.03, 0.1)
LSTM = "LSTM on counts"
COMMON: dict[str, Any] = {  # the strength keeps loops from spiking without end
    "epochs": 30, "readout": "exp_weighted_voltage", "gain": 100.0, "schedule": "cosine", "lr": LR,
    "spikes_strength": 1e-3, "spikes_target": 5.0,
}
NO_DELAYS: dict[str, Any] = {"freeze_delays": True, "delay": 0.0}
LOOPS: dict[str, Any] = {**NO_DELAYS, "recurrent": True, "rec_delay": LEAST_RECURRENT_DELAY}
ARMS: dict[str, dict[str, Any]] = {
    "learned delays": {}, "delays as drawn": {"freeze_delays": True}, "no delays": NO_DELAYS, "no delays, loops": LOOPS,
    LSTM: {},
}


class Row(NamedTuple):
    """One training; its fields are those of a line that tell lines apart."""

    gap: float
    hidden: int
    arm: str
    seed: int


def gestures(gap: float, trials: int, seed: int) -> list[tuple[tuple[np.ndarray, np.ndarray], int]]:
    """Trials as `write_spike_file` takes them, in ms; `gap`: the longest, ms."""
    random, channels = np.random.default_rng(seed), np.arange(2 * CHANNELS)
    found = []
    for label in random.integers(0, 2 * PARTS, trials):
        turned, part = divmod(int(label), PARTS)
        times = random.normal(0.0, JITTER[0] + JITTER[1] * gap, (2, CHANNELS)) + random.uniform(0.2, 1.0) * gap
        times[1 - turned] += gap * (part + 1) / PARTS
        found.append(((np.maximum(times, 0.0).ravel(), channels), int(label)))
    return found


def duration(gap: float) -> float:
    """Of a trial, ms: both bursts, a delay of the longest gap, and a rest."""
    return 3 * gap + REST


def files(gap: float, folder: Path) -> list[Path]:
    """The files of a data set, written if they are not there."""
    paths = [folder / f"{split}.h5" for split in TRIALS]
    folder.mkdir(parents=True, exist_ok=True)
    for n, (path, trials) in enumerate(zip(paths, TRIALS.values(), strict=True)):
        if not path.exists():
            write_spike_file(path, gestures(gap, trials, n), unit="ms")
    return paths


def settings_of(row: Row) -> dict[str, Any]:
    """The settings of a training that differ from those of the task's preset."""
    if row.arm == LSTM:
        return {"epochs": COMMON["epochs"], "lr": LSTM_LR}
    delay_lr = min(DELAY_LR * row.gap, MOST_DELAY_LR)
    return {**COMMON, "delay": row.gap, "delay_lr": delay_lr, "max_delay": 2 * row.gap, **ARMS[row.arm]}


def trained(row: Row, out: Path) -> dict[str, Any]:
    """Trains a network; returns what its line has besides the row and the settings."""
    paths = files(row.gap, out / f"gap-{row.gap!r}")
    if row.arm == LSTM:
        return max((_lstm(row, paths, lr) for lr in LSTM_LR), key=lambda found: found["valid_accuracy"])
    return _spiking(row, paths)


def _spiking(row: Row, paths: list[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        run = train("spikes", paths, out=folder, resume=True, seed=row.seed, hidden=row.hidden,
                    duration=duration(row.gap), choose="last", **settings_of(row))
    last, bars = run.history[-1], [line["rounding"] for line in run.history if line["rounding"] is not None]
    return {
        **{f"{split}_accuracy": last[f"{split}_accuracy"] for split in ("train", "valid")},
        "test_accuracy": run.accuracies["test"], "spikes_per_neuron": last["spikes_per_neuron"],
        "rounding": max(bars, default=None), "trials_sha256": run.result["trials_sha256"],
    }


def _lstm(row: Row, paths: list[Path], lr: float) -> dict[str, Any]:
    """An LSTM with as many units as others have hidden neurons."""
    data, _ = read(paths, row.seed, duration(row.gap))
    torch.manual_seed(row.seed)
    network = baselines.Counts(baselines.Lstm(data["train"].inputs, data["train"].classes, row.hidden), row.gap / STEPS)
    batches = Batches(data["train"], duration(row.gap), 32, Augmentation(), row.seed)
    right = baselines.train(network, data, batches, COMMON["epochs"], lr)
    of_split = {split: baselines.tested(network, data[split], batches).accuracy for split in ("valid", "test")}
    return {
        "best_lr": lr, "train_accuracy": right, **{f"{split}_accuracy": found for split, found in of_split.items()},
        "trials_sha256": data["test"].sha256(),
    }


def lines_of(file: Path) -> list[dict]:
    """The lines of a file, or none; half a line, of a process that was killed, is refused."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = []
    for n, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise SpecError(f"{file} line {n}", "a line of this command", str(error), "delete the line") from None
    return found


def curves(lines: Sequence[dict]) -> dict[str, dict[str, dict[float, list[float]]]]:
    """Test accuracies, per cent, by panel (the size), curve (the arm) and gap."""
    found: dict[str, dict[str, dict[float, list[float]]]] = {}
    for line in sorted(lines, key=lambda one: (one["hidden"], [*ARMS].index(one["arm"]), one["gap"], one["seed"])):
        curve = found.setdefault(f"{line['hidden']} hidden neurons", {}).setdefault(line["arm"], {})
        curve.setdefault(float(line["gap"]), []).append(100 * line["test_accuracy"])
    return found


def run(options: argparse.Namespace) -> int:
    """Trains what the file of lines lacks, or draws its lines."""
    out, file = options.out, options.out / "gaps.jsonl"
    check_picture(options.picture)
    if options.picture is not None:
        found = curves(lines_of(file))
        if not found:
            raise SpecError("--out", "a folder with lines", str(out), "train first")
        figure = accuracies_over("longest gap, ms", found, {})
        figure.savefig(options.picture, dpi=150, bbox_inches="tight", metadata={"Description": sha256_of(found)})
        print(f"picture: {options.picture}")
        return 0
    for gap, hidden, seed in product(options.gaps, options.hidden, options.seeds):
        positive_number(gap, "--gaps", "ms")
        whole_number(hidden, "--hidden", 1, 100_000, "give a number of neurons")
        whole_number(seed, "--seeds", 0, 2**63 - 1, "give seeds")
    for row in map(Row._make, product(options.gaps, options.hidden, options.arms, options.seeds)):
        same = {**row._asdict(), "settings": settings_of(row)}
        if any(json.loads(json.dumps(same)).items() <= line.items() for line in lines_of(file)):
            continue
        line = {**same, **trained(row, out), "machine": platform.machine()}
        named = f"{row.gap:g} ms, {row.hidden} neurons, {row.arm}, seed {row.seed}"
        print(f"{named}: {line['test_accuracy']:.1%}", flush=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line, allow_nan=False) + "\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 2: bad options."""
    parser = OneLineParser("python -m benchmarks.gaps", "Train networks on gestures of longer and longer gaps.")
    add = parser.add_argument
    add("--gaps", type=float, nargs="+", metavar="MS", default=GAPS, help="longest gaps (default: 5 to 500)")
    add("--hidden", type=int, nargs="+", metavar="N", default=SIZES, help="hidden neurons (default: 8 32 128)")
    add("--arms", nargs="+", choices=tuple(ARMS), default=tuple(ARMS), help="kinds of networks (default: all)")
    add("--seeds", type=int, nargs="+", metavar="N", default=[0, 1, 2], help="seeds (default: 0 1 2)")
    what = "folder of data and lines, of one process; a second call trains what it lacks (default: %(default)s)"
    add("--out", type=Path, default=Path("runs/gaps"), help=what)
    add("--picture", type=Path, metavar="FILE", help="train nothing; draw the lines into this file")
    return parser.run_writer(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
