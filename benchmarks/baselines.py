"""What networks of torch reach on the files of SHD, or of SSC.

    python -m benchmarks.baselines --network lstm --data FOLDER

An LSTM, or a small convolutional network, on spike counts: the yardstick of a result of `fast.train
--task shd` or `--task ssc`. It has the trainer's splits and orders of trials (`fast.data.batches`),
and the augmentation of the task's preset `best`. The last network is tested, once.
"""

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.speed import use_threads
from delayprop.fast.data.batches import Batches
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.tasks import shd, ssc
from delayprop.fast.tasks.options import task_and_preset
from delayprop.fast.training.checkpoints import digest
from delayprop.fast.training.evaluation import Evaluation, evaluate
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.settings import Settings
from delayprop.spec.checks import whole_number
from delayprop.spec.command import OneLineParser
from delayprop.spec.errors import SpecError, Verbatim

STEP, POOL = 10.0, 10  # ms, and channels, of a count
TASKS = {"shd": shd, "ssc": ssc}
LR, WEIGHT_DECAY = 4e-3, 1e-2
PLACES = 4, 8  # in time and in channels, at which the convolutional network is read


class Counts(nn.Module):
    """A network on `log(1 + counts)` of the steps of a trial, with the interface of an evaluation;
    `body`: counts `[trials, steps, inputs]` in, logits `[trials, classes]` out; `step`: ms."""

    def __init__(self, body: nn.Module, step: float = STEP) -> None:
        super().__init__()
        self.body, self.step = body, step

    def forward(self, spikes: Spikes) -> tuple[Tensor, list[Spikes]]:
        """The logits, and no hidden spikes."""
        return self.body(spikes.to_dense(self.step).log1p()), []

    def loss(self, y: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(y, labels)


class Lstm(nn.Module):
    """An LSTM layer of 128 units whose output is averaged over time, and read linearly."""

    def __init__(self, inputs: int, classes: int, units: int = 128) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(inputs, units, batch_first=True), nn.Linear(units, classes)

    def forward(self, counts: Tensor) -> Tensor:
        return self.out(self.lstm(counts)[0].mean(1))


class Cnn(nn.Sequential):
    """Three convolutions over time and channels, of 16, 32 and 64 maps, and a linear readout of
    their means over quarters of the trial and eighths of the channels."""

    def __init__(self, inputs: int, classes: int) -> None:
        layers: list[nn.Module] = [nn.Unflatten(1, (1, -1))]
        for before, after in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(
            *layers, nn.AdaptiveAvgPool2d(PLACES), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(64 * math.prod(PLACES), classes),
        )


NETWORKS = {"lstm": Lstm, "cnn": Cnn}


def train(network: Counts, data: dict[str, SpikeData], batches: Batches, epochs: int, lr: float = LR) -> float:
    """Trains; returns the accuracy on augmented training trials in the last epoch."""
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=epochs * batches.per_epoch)
    right, trials = 0, batches.augmentation.trials(data["train"])
    for epoch in range(epochs):
        network.train()
        right = 0
        for n in range(batches.per_epoch):
            spikes, labels = batches[epoch * batches.per_epoch + n]
            y, _ = network(spikes)
            optimiser.zero_grad()
            network.loss(y, labels).backward()
            optimiser.step()
            schedule.step()
            right += int((y.argmax(1) == labels).sum())
        network.eval()
        valid = tested(network, data["valid"], batches)
        print(f"{epoch + 1:3d}  train {right / trials:.1%}  valid {valid.accuracy:.1%}", file=sys.stderr)
    return right / trials


def tested(network: Counts, data: SpikeData, batches: Batches) -> Evaluation:
    """Evaluates in batches as large as those of training."""
    return evaluate(network, data, batches.duration, batches.batch, Processes())


def run(options: argparse.Namespace) -> int:
    """Trains and tests a network, and prints the result as a JSON object."""
    use_threads(options)
    for name in ("epochs", "batch"):
        whole_number(getattr(options, name), f"--{name}", 1, 100_000, "give a positive number")
    whole_number(options.seed, "--seed", 0, 2**63 - 1, "give the seed of all random numbers")
    task = TASKS[options.task]
    if options.leave_one_speaker_out:
        got, remedy = Verbatim("the option"), "hold speakers out with --valid-speakers"
        raise SpecError("--leave-one-speaker-out", "left out", got, remedy)
    trials, sha256 = task.splits(Job.of({"device": "cpu", "dtype": "float32", **vars(options)}, Settings()))
    data = {split: replace(part, pool=POOL) for split, part in trials.items()}
    augmentation = task.PRESETS["best"].augmentation
    batches = Batches(data["train"], task.DATA.duration, options.batch, augmentation, options.seed)
    torch.manual_seed(options.seed)
    began = time.perf_counter()
    network = Counts(NETWORKS[options.network](data["train"].inputs, data["train"].classes))
    right = train(network, data, batches, options.epochs)
    found = {
        "task": options.task, "network": options.network, "seed": options.seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "epochs": options.epochs, "batch": options.batch, "valid_speakers": options.valid_speakers,
        "augmentation": asdict(augmentation), "data_sha256": sha256, "train_accuracy": right,
        "valid_accuracy": tested(network, data["valid"], batches).accuracy,
    }
    if options.test:
        test = tested(network, data["test"], batches)
        theirs, ours = data["test"].speakers, data["train"].speakers
        found |= {
            "test_accuracy": test.accuracy, "interval": test.interval, "trials_sha256": data["test"].sha256(),
            "wrong": test.wrong,
        }
        if theirs is not None and ours is not None:
            known = np.isin(theirs, ours)
            for name, chosen in (("known_speakers", known), ("new_speakers", ~known)):
                part = data["test"].where(chosen)
                found[name] = tested(network, part, batches).accuracy if len(part) else None
    found |= {
        "seconds": round(time.perf_counter() - began, 1), "machine": platform.machine(),
        "state_sha256": digest(network.state_dict()),
    }
    print(json.dumps(found, allow_nan=False))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 2: bad options, or no data."""
    words = list(sys.argv[1:] if argv is None else argv)
    described = "Train a network of torch on spike counts, and test it; prints one line of JSON."
    parser = OneLineParser("python -m benchmarks.baselines", described)
    parser.add_argument("--network", choices=tuple(NETWORKS), required=True, help="the network to train")
    parser.add_argument("--task", choices=tuple(TASKS), default="shd", help="the data set (default: %(default)s)")
    TASKS.get(str(task_and_preset(words)[0]), shd).add_options(parser)
    parser.set_defaults(valid_speakers=[], leave_one_speaker_out=False)  # ssc has no such options
    parser.add_argument("--epochs", type=int, default=25, help="passes over the training split (default: 25)")
    parser.add_argument("--batch", type=int, default=64, help="trials per step (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--test", action=argparse.BooleanOptionalAction, default=True, help="test the last network")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's)")
    return parser.run(run, words)


if __name__ == "__main__":
    raise SystemExit(main())
