"""Training a classifier on labelled spike trains: a `Training` of the engine.

An epoch is one step per batch, and one more step that evaluates the validation split. The order of
an epoch follows from the seed and the epoch, the augmentation of a trial from the seed, the epoch
and the trial: no random generator has a state. Only the kept network (by default the best on the
validation split) is evaluated on the test split, at the end.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from delayprop.fast.data.augment import moved_batch
from delayprop.fast.data.batches import Batches
from delayprop.fast.data.records import NETWORK
from delayprop.fast.data.spike_data import Splits, doubts, shared_class_names, unseen
from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.nn.parameters import project_
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.training.activity import is_silenced, spike_count_penalty, wake_
from delayprop.fast.training.checkpoints import saved
from delayprop.fast.training.conclusion import card, conclude, page_arrays
from delayprop.fast.training.epoch import Epoch, Progress, printed_line, silence_warnings
from delayprop.fast.training.evaluation import Evaluable, Evaluation, correct, count_baseline, evaluate
from delayprop.fast.training.gradient_checks import (
    BESIDE,
    LEGEND,
    beside_float64,
    certify,
    check_certificate,
    check_finite,
    rounding_warnings,
    smallest_kappa,
)
from delayprop.fast.training.job import Job
from delayprop.fast.training.model import Classifier, kept_neurons, scale_first_weights_
from delayprop.fast.training.optimiser import Optimiser
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import Folder
from delayprop.fast.training.settings import Settings
from delayprop.spec.errors import SpecError, Verbatim


class Classification:
    """A classifier, its data (the splits `train`, `valid`, `test`) and its optimiser.

    `duration`: of a trial, ms, where the settings leave it to the task. `initial`: settings that
    the network is built from, where they differ from those of the job.
    """

    def __init__(
        self, job: Job[Settings], splits: Splits, duration: float, processes: Processes,
        initial: Settings | None = None,
    ) -> None:
        settings, (data, self.data_sha256) = job.settings, splits
        self.task, self.settings, self.seed = job.task, settings, job.seed
        if settings.pool > (channels := data["train"].channels):
            raise SpecError("--pool", f"at most the number of channels, {channels}", settings.pool, "lower it")
        self.data = {split: replace(part, pool=settings.pool, bias=settings.bias) for split, part in data.items()}
        self.class_names = shared_class_names(self.data)
        self.duration, self.processes = settings.duration or duration, processes
        if settings.move > self.duration:
            expected = f"at most the duration of a trial, {self.duration:g} (ms)"
            raise SpecError("--move", expected, settings.move, "lower it: no spike would stay")
        self.late = dict[str, int]()  # input spikes that are left out, by split
        for split, part in self.data.items() if self.duration < duration else ():
            self.data[split] = part.until(self.duration)
            self.late[split] = sum(map(len, part.times)) - sum(map(len, self.data[split].times))
        train = self.data["train"]
        sizes = train.inputs, train.classes
        kept = job.kept_sizes or sizes
        if sizes != kept:  # before a network is built
            expected, got = ("{} inputs and {} classes".format(*one) for one in (kept, sizes))
            raise SpecError("--data", f"of {expected}, as the network of the run", Verbatim(got), "give its own data")
        self.network = Classifier(*sizes, initial or settings, job.torch_dtype, job.seed)
        self.network.to(processes.device)
        self.rates = [scale_first_weights_(self.network, train, self.duration, settings.rate)] if settings.rate else []
        average = get_ema_multi_avg_fn(settings.average)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average) if settings.average else None
        self.batches = Batches(
            train, self.duration, settings.batch, settings.augmentation, job.seed, job.workers or 0, processes.rank,
            processes.world,
        )
        processes.check_batch(settings.augmentation.trials(train) // self.batches.per_epoch)
        self.optimiser = Optimiser(self.network, settings, settings.epochs, self.batches.per_epoch)
        self.data_parallel = processes.data_parallel(self.network)
        self.extendable = settings.schedule == "constant"
        self.valid_name = "held-out speakers" if job.valid_speakers else "valid"
        self.ended = 0  # the epoch after which `patience` has ended the run
        self.initial_parameters, self.epoch, self.began = self._parameters(), Epoch(), time.perf_counter()
        self.watched: dict[str, Any] = {"accuracy": -1.0, "epoch": 0}  # the best of `patience_on`
        self.best: dict[str, Any] = {"accuracy": -1.0, "epoch": 0, "network": self.initial_parameters}
        self.last_batch: tuple[Spikes, Tensor, Tensor | None] | None = None
        self.progress = Progress(self.batches.per_epoch, settings.epochs, sum(settings.hidden), processes.is_first)

    @property
    def evaluated(self) -> Classifier:
        """The network that is evaluated and kept: the average, or without one that which learns."""
        return self.network if self.averaged is None else cast("Classifier", self.averaged.module)

    @property
    def steps(self) -> int:
        """Steps of all epochs, up to the one after which `patience` has ended the run."""
        return (self.ended or self.settings.epochs) * (self.batches.per_epoch + 1)

    def lines(self, step: int) -> int:
        """Lines of the log: one for each epoch that has ended."""
        return step // (self.batches.per_epoch + 1)

    def start(self, folder: Folder) -> None:
        splits = ", ".join(f"{len(part)} {name}" for name, part in self.data.items())
        print(f"{self.task}, {self.network.name}, seed {self.seed}; trials of {self.duration:.4g} ms: {splits}")
        for split, late in self.late.items() if any(self.late.values()) else ():
            print(f"{late} input spikes of {split} come after {self.duration:.4g} ms and are left out")
        for doubt in [*self.settings.doubts(), *doubts(self.data["train"], self.duration), *unseen(self.data)]:
            print(f"warning: {doubt}")
        settings = "  ".join(f"{name} {value}" for name, value in vars(self.settings).items())
        print(settings, *self.rates, f"{LEGEND}; {BESIDE}; the worst of an epoch", sep="\n", flush=True)

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """Learns from one batch, or ends an epoch."""
        epoch, batch = divmod(number, self.batches.per_epoch + 1)
        if batch == self.batches.per_epoch:
            self._end_epoch(epoch + 1, folder, check)
            return
        if batch == 0:
            self.epoch, self.began = Epoch(), time.perf_counter()
        with self.processes.asked(check):  # no kernel runs after the optimiser's step
            self._learn(epoch * self.batches.per_epoch + batch)
        self.progress.update(epoch + 1, batch + 1, self.epoch)

    def _learn(self, number: int) -> None:
        """Takes one step of the optimiser, after checks that everything it uses is finite."""
        device, trials = self.processes.device, len(self.batches.trials(number))
        spikes, labels = self.batches.take(number, self.settings.epochs * self.batches.per_epoch)
        self.last_batch = spikes, labels, kept = spikes.to(device), labels.to(device), self._kept(number)
        check_finite(self.network.named_parameters())
        due = self.settings.certify and (number % self.batches.per_epoch) % self.settings.certify == 0
        residuals = self._certified(spikes, labels, kept) if due else {}
        self.optimiser.zero_grad()
        y, emitted = self.data_parallel(spikes, kept)
        loss = self.network.loss(y, labels, self.settings.label_smoothing)
        share = len(labels) * self.processes.world / trials  # turns the mean over processes into that over trials
        term, target, strength = y.new_zeros(()), self.settings.spikes_target, self.settings.spikes_strength
        if strength:
            for layer, hidden_spikes in zip(self.network.hidden_layers, emitted, strict=False):
                term = term + spike_count_penalty(layer, hidden_spikes, target, strength, self.processes.sum)
        (share * loss + self.processes.world * term).backward()
        fired = torch.cat([layer.counts().double().sum(0) for layer in emitted])
        own = [float(loss.detach()) * len(labels), float(correct(y, labels).sum()), float(len(spikes.times))]
        total = self.processes.sum(torch.cat([fired, fired.new_tensor(own)])).cpu()
        fired, (loss_sum, right, arrived) = total[:-3], total[-3:].tolist()
        learned = [(name, p.grad) for name, p in self.network.named_parameters() if p.requires_grad]
        check_finite([("the loss", torch.tensor(loss_sum)), *((f"the gradient of {name}", g) for name, g in learned)])
        norms, kappa_min = self.optimiser.norms(), self.processes.min(smallest_kappa(self.network.layers))
        self.optimiser.take_step(number)
        clamped = project_(self.network, self.settings.least_tau)
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        silenced = is_silenced([arrived, *(float(layer.sum()) for layer in self._by_layer(fired))])
        counted = {"trials": trials, "loss": loss_sum, "right": right, "silent_steps": silenced, "clamped": clamped}
        self.epoch.add(fired, norms, kappa_min, residuals, **counted)

    def _kept(self, number: int) -> Tensor | None:
        """The neurons of the last hidden layer that pass spikes on, per own trial; None: all."""
        settings, trials = self.settings, self.processes.shard(self.batches.trials(number))
        if not settings.dropout:
            return None
        return kept_neurons(settings.hidden[-1], settings.dropout, self.seed, number, trials).to(self.processes.device)

    def _by_layer(self, fired: Tensor) -> tuple[Tensor, ...]:
        return fired.split([layer.post for layer in self.network.spiking_layers])

    def _certified(self, spikes: Spikes, labels: Tensor, kept: Tensor | None) -> dict[str, float | None]:
        """Checks the gradient of this batch; over all processes, the largest residuals, and the
        largest error of a trial in float32."""
        given = self.network, spikes, labels, kept, self.settings.label_smoothing
        residuals, usual, limit = certify(*given)
        beside = beside_float64(*given)
        own = {**vars(residuals), "float64": beside}
        worst = {name: self.processes.max(-1.0 if r is None else r) for name, r in own.items()}
        found = {name: None if r < 0 else r for name, r in worst.items()}
        identities = Residuals(found["A"], found["B"], found["C"])
        warnings = check_certificate(identities, usual, self.processes.max(limit))
        for warning in [*warnings, *rounding_warnings(beside)]:
            print(f"warning: {warning}", flush=True)
        return found

    def _end_epoch(self, epoch: int, folder: Folder, check: Callable[[], None]) -> None:
        """Evaluates the validation split, records the epoch, keeps the network if it is best."""
        check_finite(self.network.named_parameters())
        self.progress.close()
        valid = self.evaluate("valid", check=check)
        entry = self.epoch.log_entry(epoch, valid, time.perf_counter() - self.began, sum(self.settings.hidden))
        folder.append(entry)
        print(printed_line(entry, self.valid_name), flush=True)
        for warning in silence_warnings(entry, self.batches.per_epoch, self.settings.rate):
            print(f"warning: {warning}", flush=True)
        if valid.accuracy > self.best["accuracy"] or self.settings.choose == "last":
            self.best = {"accuracy": valid.accuracy, "epoch": epoch, "network": self._parameters()}
        patience, watched = self.settings.patience, f"{self.settings.patience_on}_accuracy"
        if entry[watched] > self.watched["accuracy"]:
            self.watched = {"accuracy": entry[watched], "epoch": epoch}
        elif patience and epoch - self.watched["epoch"] >= patience:
            self.ended = epoch
            print(f"no better accuracy ({self.settings.patience_on}) in {patience} epochs: the run ends", flush=True)
        if self.settings.wake and not self.settings.freeze_weights:  # last: the kept network is the validated one
            for layer, fired in zip(self.network.spiking_layers, self._by_layer(self.epoch.fired), strict=True):
                wake_(layer, fired, self.settings.wake)

    def evaluate(
        self, split: str, network: Evaluable | None = None, check: Callable[[], None] = lambda: None,
        counts: bool = False, copies: int = 0,
    ) -> Evaluation:
        """Evaluates a network on a split, by default the one to keep; `counts`: activity too.
        `copies`: how many of each trial, moved as in training, answer with it."""
        counted = self.evaluated.layers if counts else None
        network, data, moves = network or self.evaluated, self.data[split], self.batches.augmentation

        def moved(copy: int) -> Callable[[np.ndarray], Spikes]:
            return lambda trials: moved_batch(data, moves, trials, copy, self.seed, self.duration)

        of_trials = [moved(copy) for copy in range(copies)]
        return evaluate(network, data, self.duration, self.settings.batch, self.processes, check, counted, of_trials)

    def _parameters(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.evaluated.state_dict().items()}

    def take(self, parameters: dict[str, Tensor]) -> None:
        """Sets the parameters of the network, and of its average."""
        for network in (self.network, self.evaluated):
            network.load_state_dict(parameters)

    def last_inputs(self) -> dict[str, Any]:
        if self.last_batch is None:
            return {}
        spikes, labels, kept = self.last_batch
        return {**vars(spikes), "times": spikes.times.detach(), "labels": labels, "kept": kept}

    def state(self) -> dict[str, Any]:
        """Network, average, optimiser, best network, sums of the epoch, first parameters, end."""
        average = {} if self.averaged is None else {"average": self.averaged.state_dict()}
        return {
            **average, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
            "best": self.best, "watched": self.watched, "epoch": vars(self.epoch), "first": self.initial_parameters,
            "ended": self.ended,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.network.load_state_dict(state["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["average"])
        self.best, self.epoch, self.initial_parameters = state["best"], Epoch(**state["epoch"]), state["first"]
        self.ended = state["ended"]
        self.watched = state["watched"]

    def finish(self, folder: Folder, check: Callable[[], None]) -> int:
        """Evaluates the kept network on the test split, and records the result; see `conclude`.
        With `--no-test` the test split stays untouched, and the exit code is 0."""
        best = self.best
        how = f"epoch {best['epoch']}, {'the last' if self.settings.choose == 'last' else 'chosen on valid'}"
        folder.write_bytes(NETWORK, saved(best["network"]))
        if not self.settings.test:
            print(f"\nvalid accuracy {best['accuracy']:.1%} ({how}); --resume --test evaluates the test split")
            return 0
        last = self._parameters()
        self.evaluated.load_state_dict(best["network"])
        try:
            test = self.evaluate("test", check=check, counts=True)
            if not self.processes.is_first:
                return 0
            wrong = [trial for trial, _ in test.wrong]
            arrays = page_arrays(self.evaluated, self.initial_parameters, self.data["test"], self.duration, wrong)
        finally:
            self.evaluated.load_state_dict(last)
        given: dict[str, object] = {"task": self.task, "network": self.network.name, "best_epoch": best["epoch"]}
        if self.class_names is not None:
            given["class_names"] = self.class_names
        given |= {"trials_sha256": self.data["test"].sha256(), **card(self.network, test, folder.history)}
        return conclude(folder, given, how, test, count_baseline(self.data["train"], self.data["test"]), arrays)
