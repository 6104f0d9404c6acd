"""Training a reader on labelled spike trains, for the engine: epochs over the training split, chosen by validation.

An epoch is as many steps as there are batches, and one more that evaluates the validation split. The order of an epoch
follows from the seed and its number, what augments a trial from the seed, the epoch and the trial: nothing random has
a state. The network that is best on the validation split is kept, and only that one sees the test split, once, at the
end.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fast.data.augment import Augmentation
from fast.data.batches import Batches
from fast.data.spike_files import SpikeData
from fast.nn.certificate import Residuals
from fast.nn.spikes import Spikes
from fast.training.activity import count_pull, wake_
from fast.training.counts import count_baseline
from fast.training.epoch import Epoch, shown
from fast.training.evaluation import Answers, evaluated
from fast.training.finite import check_finite
from fast.training.gradient_checks import certify, check_certificate
from fast.training.model import Reader
from fast.training.null_folder import Folder
from fast.training.optimiser import Optimiser
from fast.training.page_arrays import recorded
from fast.training.processes import Processes
from fast.training.progress import Progress
from fast.training.settings import Settings
from fast.training.shared import RESIDUALS, right_answers, silence


class Classification:
    """A reader, its data and its optimiser.

    Args:
        task: its name.
        settings: how it learns.
        options: of the command line: `seed`, `workers`.
        network: the reader.
        data: the splits `train`, `valid`, `test`.
        duration: of a trial, ms.
        draw: draws the pictures of a run into its folder.
        processes: who shares the run.
    """

    def __init__(
        self,
        task: str,
        settings: Settings,
        options: argparse.Namespace,
        network: Reader,
        data: dict[str, SpikeData],
        duration: float,
        draw: Callable[[Path], list[str]],
        processes: Processes,
    ) -> None:
        self.task, self.settings, self.seed, self.data = task, settings, options.seed, data
        self.duration, self.draw, self.processes = duration, draw, processes
        self.network = network.to(processes.device)
        augmentation = Augmentation(
            settings.shift, settings.spread, settings.stretch, settings.blend, settings.drop
        )
        self.batches = Batches(
            data["train"], duration, settings.batch, augmentation, options.seed, processes, options.workers
        )
        self.optimiser = Optimiser(self.network, settings, settings.epochs * self.batches.an_epoch)
        self.learner = processes.wrapped(self.network)
        self.goes_on, self.ended = settings.schedule == "constant", 0
        self.first, self.epoch, self.began = self._kept(), Epoch(), time.perf_counter()
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": 0, "network": self.first}
        self.given: tuple[Spikes, Tensor] | None = None
        self.progress = Progress(self.batches.an_epoch, processes.first)

    @property
    def steps(self) -> int:
        """Those of all epochs, or of those it took until validation stood still."""
        return (self.ended or self.settings.epochs) * (self.batches.an_epoch + 1)

    def start(self, folder: Folder) -> None:
        """Say what begins."""
        splits = ", ".join(f"{len(part)} {name}" for name, part in self.data.items())
        print(f"{self.task}, {self.network.name}, seed {self.seed}; trials: {splits}")
        print("  ".join(f"{name} {value}" for name, value in vars(self.settings).items()))
        print(f"{RESIDUALS}; the worst of an epoch", flush=True)

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """One batch, or the end of an epoch."""
        epoch, batch = divmod(number, self.batches.an_epoch + 1)
        if batch == self.batches.an_epoch:
            self._end_epoch(epoch + 1, folder, check)
            return
        if batch == 0:
            self.epoch, self.began = Epoch(), time.perf_counter()
        self._learn(epoch * self.batches.an_epoch + batch)
        self.progress.show(epoch + 1, batch + 1, self.epoch)

    def _learn(self, number: int) -> None:
        """One step of the optimiser; nothing changes before all that it needs is known to be finite."""
        device, trials = self.processes.device, len(self.batches.trials(number))
        spikes, labels = self.batches.take(number, self.settings.epochs * self.batches.an_epoch)
        self.given = spikes, labels = spikes.to(device), labels.to(device)
        check_finite(self.network.named_parameters())
        due = self.settings.certify and (number % self.batches.an_epoch) % self.settings.certify == 0
        found = self._certified(spikes, labels) if due else Residuals(None, None, None)
        self.optimiser.zero_grad()
        y, inner = self.learner(spikes)
        loss = self.network.loss(y, labels)
        share = len(labels) * self.processes.world / trials  # the mean over processes is that over all trials
        (share * loss + self.processes.world * self._pull(inner)).backward()
        fired = torch.cat([one.counts().double().sum(0) for one in inner])
        own = [float(loss.detach()) * len(labels), float(right_answers(y, labels).sum()), float(len(spikes.times))]
        total = self.processes.total(torch.cat([fired, fired.new_tensor(own)])).cpu()
        fired, (loss_sum, right, arrived) = total[:-3], total[-3:].tolist()
        learned = [(name, p.grad) for name, p in self.network.named_parameters() if p.requires_grad]
        check_finite([("the loss", torch.tensor(loss_sum))])
        check_finite((f"the gradient of {name}", grad) for name, grad in learned)
        norms, kappa_min = self.optimiser.norms(), self._kappa_min()
        self.optimiser.step(number)
        clamped = sum(layer.project_() for layer in self.network.layers)
        silenced = arrived > 0 and any(not float(part.sum()) for part in fired.split(list(self.settings.hidden)))
        self.epoch.add(
            fired, norms, kappa_min, found, trials=trials, loss=loss_sum, right=right, silent_steps=silenced,
            clamped=clamped,
        )

    def _pull(self, inner: list[Spikes]) -> Tensor:
        """What regularises the spike counts, to be added to the loss of this process's trials."""
        settings, pull = self.settings, torch.zeros((), dtype=torch.float64, device=self.processes.device)
        if settings.spikes_strength:
            for layer, emitted in zip(self.network.inner, inner, strict=True):
                pull = pull + count_pull(
                    layer, emitted, settings.spikes_target, settings.spikes_strength, self.processes.total
                )
        return pull

    def _certified(self, spikes: Spikes, labels: Tensor) -> Residuals:
        """Hold the gradient of this batch against the identities, before anything is learned from it."""
        found, usual, limit = certify(self.network, spikes, labels)
        worst = {name: self.processes.most(-1.0 if r is None else r) for name, r in vars(found).items()}
        found = Residuals(**{name: None if r < 0 else r for name, r in worst.items()})
        for one in check_certificate(found, usual, self.processes.most(limit)):
            print(f"warning: {one}", flush=True)
        return found

    def _kappa_min(self) -> float:
        """The worst conditioning of a spike in this step, over all processes."""
        worst = [layer.record.kappa_min for layer in self.network.layers if layer.record is not None]
        return self.processes.least(min((kappa for kappa in worst if kappa is not None), default=math.inf))

    def _end_epoch(self, epoch: int, folder: Folder, check: Callable[[], None]) -> None:
        """Evaluate the validation split, record and print the epoch, and keep the network if it is the best so far."""
        check_finite(self.network.named_parameters())
        valid = self.evaluate("valid", check)
        entry = self.epoch.line(epoch, valid, time.perf_counter() - self.began)
        self.progress.clear()
        folder.append(entry)
        print(shown(entry), flush=True)
        if entry["silent_steps"]:
            print(silence(entry["silent_steps"], self.batches.an_epoch), flush=True)
        if valid.accuracy > self.best["accuracy"] or self.settings.choose == "last":
            self.best = {"accuracy": valid.accuracy, "epoch": epoch, "network": self._kept()}
        elif self.settings.patience and epoch - self.best["epoch"] >= self.settings.patience:
            self.ended = epoch
            print(f"no better validation in {self.settings.patience} epochs: this was the last", flush=True)
        if self.settings.wake and not self.settings.freeze_weights:  # only now: what is kept is what was validated
            parts = self.epoch.fired.split(list(self.settings.hidden))
            for layer, fired in zip(self.network.inner, parts, strict=True):
                wake_(layer, fired, self.settings.wake)

    def evaluate(self, split: str, check: Callable[[], None] = lambda: None) -> Answers:
        """What the network answers on a split."""
        return evaluated(self.network, self.data[split], self.duration, self.settings.batch, self.processes, check)

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
        }

    def state(self) -> dict[str, Any]:
        """Network, optimiser, the best so far, the sums of the epoch, and where the run ends."""
        return {
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "best": self.best,
            "epoch": vars(self.epoch), "first": self.first, "ended": self.ended,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be in that state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.epoch, self.first = state["best"], Epoch(**state["epoch"]), state["first"]
        self.ended = state["ended"]

    def finish(self, folder: Folder) -> int:
        """Look at the test split with the best network; 0 if it is clearly above what spike counts give, 1 if not.

        With `--no-test`: keep that network, and leave the split alone; 0.
        """
        how = f"epoch {self.best['epoch']}, {'the last' if self.settings.choose == 'last' else 'chosen on valid'}"
        content = io.BytesIO()  # in memory first: torch reports a full disk in ways of its own
        torch.save(self.best["network"], content)
        folder.write_bytes("network.pt", content.getvalue())
        if not self.settings.test:
            print(f"\nvalid accuracy {self.best['accuracy']:.1%} ({how}); --resume --test looks at the test split")
            return 0
        last = self._kept()
        self.network.load_state_dict(self.best["network"])
        test = self.evaluate("test")
        if not self.processes.first:
            self.network.load_state_dict(last)
            return 0
        baseline = count_baseline(self.data["train"], self.data["test"])
        record = {
            "task": self.task, "network": self.network.name, "best_epoch": self.best["epoch"],
            "test_accuracy": test.accuracy, "interval": test.interval, "count_baseline": baseline,
            "answers": test.table,
        }
        folder.write("result.json", record)
        folder.write_bytes("page.npz", recorded(self.network, self.first, self.data["test"], self.duration))
        self.network.load_state_dict(last)
        low, high = test.interval
        reached = f"test accuracy {test.accuracy:.1%} ({how}; 95 %: {low:.1%} to {high:.1%})"
        print(f"\n{reached}; spike counts alone give {baseline:.1%}")
        with folder.writing():
            pictures = self.draw(folder.path)
        print(f"pictures: {', '.join(pictures)}; record and network: {folder.path}")
        return 0 if low > baseline else 1
