"""Training a reader on labelled spike trains, for the engine: epochs over the training split, chosen by validation.

An epoch is as many steps as there are batches, and one more that evaluates the validation split. The order of an epoch
follows from the seed and its number, so nothing random has a state. The network that is best on the validation split is
kept, and only that one sees the test split, once, at the end.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fast.certificate import Residuals, residuals, watched
from fast.losses import cross_entropy
from fast.spike_files import SpikeData
from fast.spikes import Spikes
from fast.training.counts import count_baseline
from fast.training.finite import check_finite
from fast.training.reader import Reader
from fast.training.run_folder import RunFolder
from fast.training.shared import RESIDUALS, is_silenced, right_answers, silence

SUMS = ("loss", "right", "silent_steps", "clamped")


@dataclass
class Epoch:
    """What an epoch has come to so far: sums over its steps, and the residuals of its first."""

    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    fired: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    certificate: dict[str, float | None] = field(default_factory=dict)


class Classification:
    """A reader, its data and its optimiser.

    Args:
        task: its name.
        options: `epochs`, `batch`, `lr`, `delay_lr` (ms), `schedule`, `freeze_delays`, `seed`, `device`.
        network: the reader.
        data: the splits `train`, `valid`, `test`.
        duration: of a trial, ms.
        draw: draws the pictures of a run into its folder.
    """

    def __init__(
        self,
        task: str,
        options: argparse.Namespace,
        network: Reader,
        data: dict[str, SpikeData],
        duration: float,
        draw: Callable[[Path], list[str]],
    ) -> None:
        self.task, self.options, self.data, self.duration, self.draw = task, options, data, duration, draw
        self.network = network.to(options.device)
        self.batches = math.ceil(len(data["train"]) / options.batch)
        self.steps, self.goes_on = options.epochs * (self.batches + 1), options.schedule == "constant"
        weights, delays = [layer.w for layer in network.layers], [layer.d for layer in network.layers]
        for d in delays:
            d.requires_grad_(not options.freeze_delays)
        groups: list[dict] = [{"params": weights, "lr": options.lr}, {"params": delays, "lr": options.delay_lr}]
        self.optimiser = torch.optim.Adam(groups[:1] if options.freeze_delays else groups)
        self.delays_before = delays[0].detach().clone()
        self.epoch, self.began = Epoch(), time.perf_counter()
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": 0, "network": self._kept()}
        self.given: tuple[Spikes, Tensor] | None = None

    def start(self, folder: RunFolder) -> None:
        """Say what begins."""
        splits = ", ".join(f"{len(part)} {name}" for name, part in self.data.items())
        print(f"{self.task}, {self.network.name}, seed {self.options.seed}; trials: {splits}")
        print(f"{RESIDUALS}; of the first step of each epoch", flush=True)

    def step(self, number: int, folder: RunFolder, check: Callable[[], None]) -> None:
        """One batch, or the end of an epoch."""
        epoch, batch = divmod(number, self.batches + 1)
        if batch == self.batches:
            self._end_epoch(epoch + 1, folder, check)
            return
        if batch == 0:
            self.epoch, self.began = Epoch(), time.perf_counter()
        order = np.random.default_rng([self.options.seed, epoch]).permutation(len(self.data["train"]))
        trials = order[batch * self.options.batch : (batch + 1) * self.options.batch]
        self._learn(self._batch("train", trials), (epoch * self.batches + batch) / (self.options.epochs * self.batches))

    def _schedule(self, done: float) -> None:
        """Set the learning rates, given the share of all steps that is done: all of it, or half a cosine down to 0."""
        share = 1.0 if self.goes_on else (1 + math.cos(math.pi * done)) / 2
        for group, lr in zip(self.optimiser.param_groups, (self.options.lr, self.options.delay_lr), strict=False):
            group["lr"] = share * lr

    def _batch(self, split: str, trials: np.ndarray) -> tuple[Spikes, Tensor]:
        spikes, labels = self.data[split].batch(trials, self.duration)
        return spikes.to(self.options.device), labels.to(self.options.device)

    def _learn(self, given: tuple[Spikes, Tensor], done: float) -> None:
        """One step of the optimiser; nothing changes before all that it needs is known to be finite."""
        self.given = spikes, labels = given
        check_finite(self.network.named_parameters())
        self.optimiser.zero_grad()
        first = not self.epoch.certificate
        if first:
            with watched(self.network.layers, spikes):
                y, inner, loss = self._backward(spikes, labels)
                assert y.grad is not None
                found = residuals(self.network.layers, spikes, y, y.grad)
        else:
            y, inner, loss = self._backward(spikes, labels)
        learned = [(name, p.grad) for name, p in self.network.named_parameters() if p.requires_grad]
        check_finite([("the loss", loss), *((f"the gradient of {name}", grad) for name, grad in learned)])
        self._schedule(done)
        self.optimiser.step()
        sums, fired = self.epoch.sums, torch.cat([one.counts().double().sum(0) for one in inner]).cpu()
        sums["clamped"] += sum(layer.project_() for layer in self.network.layers)
        sums["loss"] += float(loss.detach()) * len(labels)
        sums["right"] += int(right_answers(y, labels).sum())
        sums["silent_steps"] += any(is_silenced(a, b) for a, b in zip([spikes, *inner], inner, strict=False))
        self.epoch.fired = fired if first else self.epoch.fired + fired
        if first:
            self.epoch.certificate = vars(found)

    def _backward(self, spikes: Spikes, labels: Tensor) -> tuple[Tensor, list[Spikes], Tensor]:
        y, inner = self.network(spikes)
        y.retain_grad()
        loss = cross_entropy(y, labels)
        loss.backward()
        return y, inner, loss

    def _end_epoch(self, epoch: int, folder: RunFolder, check: Callable[[], None]) -> None:
        """Evaluate the validation split, record and print the epoch, and keep the network if it is the best so far."""
        check_finite(self.network.named_parameters())
        accuracy, loss = self.evaluate("valid", check)
        trials, sums = len(self.data["train"]), self.epoch.sums
        entry = {
            "epoch": epoch, "train_loss": sums["loss"] / trials, "train_accuracy": sums["right"] / trials,
            "valid_accuracy": accuracy, "valid_loss": loss,
            "spikes_per_neuron": float(self.epoch.fired.mean()) / trials,
            "silent": float((self.epoch.fired == 0).double().mean()), "silent_steps": int(sums["silent_steps"]),
            "clamped": int(sums["clamped"]), "seconds": time.perf_counter() - self.began, **self.epoch.certificate,
        }  # fmt: skip
        folder.append(entry)
        print(_line(entry, Residuals(**self.epoch.certificate)), flush=True)
        if sums["silent_steps"]:
            print(silence("hidden", len(self.epoch.fired), int(sums["silent_steps"]), self.batches), flush=True)
        if accuracy > self.best["accuracy"]:
            self.best = {"accuracy": accuracy, "epoch": epoch, "network": self._kept()}

    @torch.no_grad()
    def evaluate(self, split: str, check: Callable[[], None]) -> tuple[float, float]:
        """Accuracy and loss."""
        right, losses, trials = 0, 0.0, len(self.data[split])
        for first in range(0, trials, self.options.batch):
            check()
            spikes, labels = self._batch(split, np.arange(first, min(first + self.options.batch, trials)))
            y, _ = self.network(spikes)
            right += int(right_answers(y, labels).sum())
            losses += float(cross_entropy(y, labels)) * len(labels)
        return right / trials, losses / trials

    def _kept(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def under_way(self) -> dict[str, Any]:
        """The batch of the last step."""
        if self.given is None:
            return {}
        spikes, labels = self.given
        return {
            "times": spikes.times.detach(), "offsets": spikes.offsets, "trials": spikes.trials, "size": spikes.size,
            "duration": spikes.duration, "labels": labels,
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Network, optimiser, the best so far, and the sums of the epoch."""
        return {
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "best": self.best,
            "epoch": vars(self.epoch), "delays_before": self.delays_before,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Be in that state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.epoch, self.delays_before = state["best"], Epoch(**state["epoch"]), state["delays_before"]

    def finish(self, folder: RunFolder) -> int:
        """Look at the test split with the best network; 0 if it is clearly above what spike counts give, 1 if not."""
        last = self._kept()
        self.network.load_state_dict(self.best["network"])
        state = io.BytesIO()  # in memory first: torch reports a full disk in ways of its own
        torch.save(self.best["network"], state)
        folder.write_bytes("network.pt", state.getvalue())
        accuracy, _ = self.evaluate("test", lambda: None)
        delays = self.network.layers[0].d.flatten().tolist()
        self.network.load_state_dict(last)
        baseline = count_baseline(self.data["train"], self.data["test"])
        margin = 3 * math.sqrt(accuracy * (1 - accuracy) / len(self.data["test"]))
        folder.write("result.json", {
            "task": self.task, "network": self.network.name, "best_epoch": self.best["epoch"],
            "test_accuracy": accuracy, "count_baseline": baseline,
            "delays_before": self.delays_before.flatten().tolist(), "delays_after": delays,
        })  # fmt: skip
        chosen = f"epoch {self.best['epoch']}, chosen on valid"
        print(f"\ntest accuracy {accuracy:.1%} ({chosen}); spike counts alone give {baseline:.1%}")
        with folder.writing():
            pictures = self.draw(folder.path)
        print(f"picture: {', '.join(pictures)}; record and network: {folder.path}")
        return 0 if accuracy - margin > baseline else 1


def _line(entry: dict, certificate: Residuals) -> str:
    return (
        f"{entry['epoch']:3d}  loss {entry['train_loss']:.3f}  train {entry['train_accuracy']:.1%}  "
        f"valid {entry['valid_accuracy']:.1%}  spikes a neuron {entry['spikes_per_neuron']:.2f}  "
        f"silent {entry['silent']:.0%}  {certificate}  {entry['seconds']:.0f} s"
    )
