"""One epoch of a classification: sums over its steps, its progress, and its line of the log."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.progress import Bar

MANY = 0.5  # silent hidden neurons, of all
CERTIFIED = ("A", "B", "C", "float64")  # residuals of the identities; the error of a trial in float32
SUMS = ("steps", "trials", "loss", "right", "silent_steps", "clamped")  # `loss`: weighted by the trials of each step


@dataclass
class Epoch:
    """Sums over the steps of an epoch, over all processes. Its fields are part of a checkpoint.

    Attributes:
        sums: by the names of `SUMS`; `right` counts correct trials, `clamped` delays, and
            time constants, put back into their bounds.
        fired: spikes of each neuron, of hidden layers and then of outputs that spike.
        norms: sum over steps of the gradient's norm, for each parameter group.
        kappa_min: the worst conditioning of a spike.
        residuals: the largest residual of each identity, and the largest error of one trial against
            float64.
    """

    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    fired: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    norms: dict[str, float] = field(default_factory=dict)
    kappa_min: float = math.inf
    residuals: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(CERTIFIED))

    def add(
        self, fired: Tensor, norms: dict[str, float], kappa_min: float, residuals: dict[str, float | None],
        **sums: float,
    ) -> None:
        """Adds one step."""
        self.fired = self.fired + fired
        self.kappa_min = min(self.kappa_min, kappa_min)
        for total, values in ((self.sums, {"steps": 1, **sums}), (self.norms, norms)):
            for name, value in values.items():
                total[name] = total.get(name, 0.0) + value
        for name, residual in residuals.items():
            if residual is not None:
                self.residuals[name] = max(residual, self.residuals.get(name) or 0.0)

    def activity(self, hidden: int) -> dict[str, float]:
        """Spikes per hidden neuron and trial, and the share of silent ones; `hidden`: neurons."""
        fired = self.fired[:hidden]
        silent = float((fired == 0).double().mean())
        return {"spikes_per_neuron": float(fired.mean()) / self.sums["trials"], "silent": silent}

    def log_entry(self, number: int, valid: Evaluation, seconds: float, hidden: int) -> dict[str, Any]:
        """The line of `history.jsonl`; `hidden`: as for `activity`."""
        trials, steps = self.sums["trials"], self.sums["steps"]
        return {
            "epoch": number, "train_loss": self.sums["loss"] / trials, "train_accuracy": self.sums["right"] / trials,
            "valid_accuracy": valid.accuracy, "valid_loss": valid.loss,
            **self.activity(hidden),
            "silent_steps": int(self.sums["silent_steps"]), "clamped": int(self.sums["clamped"]),
            "gradient": {name: total / steps for name, total in self.norms.items()},
            "kappa_min": None if math.isinf(self.kappa_min) else self.kappa_min, "seconds": seconds, **self.residuals,
        }


def printed_line(entry: dict[str, Any], valid: str = "valid") -> str:
    """The printed line of a `log_entry`; `valid`: what the validation trials are called."""
    certificate = str(Residuals(entry["A"], entry["B"], entry["C"]))
    if entry.get("float64") is not None:
        certificate += f"  float64 {entry['float64']:.0e}"
    return (
        f"{entry['epoch']:3d}  loss {entry['train_loss']:.3f}  train {entry['train_accuracy']:.1%}  "
        f"{valid} {entry['valid_accuracy']:.1%}  spikes per neuron {entry['spikes_per_neuron']:.2f}  "
        f"silent {entry['silent']:.0%}  {certificate}  {entry['seconds']:.0f} s"
    )


def silence_warnings(entry: dict[str, Any], steps: int, rate: float) -> list[str]:
    """Warnings of a `log_entry`: steps, of so many, with a silent layer; many silent neurons.
    `rate`: the setting, 0 where first weights are not scaled."""
    remedy = "take smaller steps, or let `--wake 0.05` raise weights onto silent neurons"
    if not rate:
        remedy += "; start with spikes: `--rate 3` scales the first weights"
    found = []
    if entry["silent_steps"]:
        where = f"{entry['silent_steps']} of {steps} steps"
        found.append(f"all neurons of a layer were silent in {where}: no gradient passed; {remedy}")
    elif entry["silent"] >= MANY:
        share = f"{entry['silent']:.0%} of the hidden neurons were silent in this epoch"
        found.append(f"{share}: they learn nothing; {remedy}")
    return found


class Progress:
    """The progress within each epoch of so many steps, with the time left of the run; `hidden`: the
    number of hidden neurons."""

    def __init__(self, steps: int, epochs: int, hidden: int, prints: bool) -> None:
        self.steps, self.epochs, self.hidden, self.prints = steps, epochs, hidden, prints
        self.bar: Bar | None = None
        self.began, self.taken = time.perf_counter(), 0  # steps of this process, which may have resumed

    def update(self, number: int, done: int, epoch: Epoch) -> None:
        """Shows that `done` steps of epoch `number` are taken."""
        if self.bar is None:
            self.bar = Bar(self.steps, "step", self.prints)
        trials = epoch.sums["trials"]
        self.taken += 1
        activity = epoch.activity(self.hidden)
        left = (self.epochs - number) * self.steps + self.steps - done
        seconds = left * (time.perf_counter() - self.began) / self.taken
        self.bar.show(
            done, f"epoch {number} of {self.epochs}", run=f"{Bar.format_interval(seconds)} left",
            loss=f"{epoch.sums['loss'] / trials:.3f}", accuracy=f"{epoch.sums['right'] / trials:.1%}",
            spikes=f"{activity['spikes_per_neuron']:.1f}", silent=f"{activity['silent']:.0%}",
        )

    def close(self) -> None:
        """Removes the bar at the end of an epoch."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
