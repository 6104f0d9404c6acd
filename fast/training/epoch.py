"""What an epoch comes to: sums over its steps, kept with the run's state, and the line of the log made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fast.nn.certificate import Residuals
from fast.training.evaluation import Answers

SUMS = ("steps", "trials", "loss", "right", "silent_steps", "clamped")  # of losses: times the trials of the step


@dataclass
class Epoch:
    """An epoch so far, over all processes.

    Attributes:
        sums: `clamped`: how often a delay was put back into its bounds.
        fired: spikes of each hidden neuron.
        norms: of each group's gradient, summed over steps.
        kappa_min: the worst conditioning of any spike.
        residuals: the worst of each identity.
    """

    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    fired: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.float64))
    norms: dict[str, float] = field(default_factory=dict)
    kappa_min: float = math.inf
    residuals: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys("ABC"))

    def add(
        self, fired: Tensor, norms: dict[str, float], kappa_min: float, found: Residuals, **sums: float
    ) -> None:
        """What one step came to."""
        self.fired = self.fired + fired
        self.kappa_min = min(self.kappa_min, kappa_min)
        for total, values in ((self.sums, {"steps": 1, **sums}), (self.norms, norms)):
            for name, value in values.items():
                total[name] = total.get(name, 0.0) + value
        for name, residual in vars(found).items():
            if residual is not None:
                self.residuals[name] = max(residual, self.residuals[name] or 0.0)

    def shown(self) -> dict[str, str]:
        """What a person watches while it lasts."""
        trials = self.sums["trials"]
        return {
            "loss": f"{self.sums['loss'] / trials:.3f}", "right": f"{self.sums['right'] / trials:.1%}",
            "spikes": f"{float(self.fired.mean()) / trials:.1f}",
            "silent": f"{float((self.fired == 0).double().mean()):.0%}",
        }

    def line(self, number: int, valid: Answers, seconds: float) -> dict[str, Any]:
        """The entry of the log."""
        trials, steps = self.sums["trials"], self.sums["steps"]
        return {
            "epoch": number, "train_loss": self.sums["loss"] / trials, "train_accuracy": self.sums["right"] / trials,
            "valid_accuracy": valid.accuracy, "valid_loss": valid.loss,
            "spikes_per_neuron": float(self.fired.mean()) / trials, "silent": float((self.fired == 0).double().mean()),
            "silent_steps": int(self.sums["silent_steps"]), "clamped": int(self.sums["clamped"]),
            "gradient": {name: total / steps for name, total in self.norms.items()},
            "kappa_min": None if math.isinf(self.kappa_min) else self.kappa_min, "seconds": seconds, **self.residuals,
        }


def shown(entry: dict[str, Any]) -> str:
    """One line for a person."""
    certificate = Residuals(entry["A"], entry["B"], entry["C"])
    return (
        f"{entry['epoch']:3d}  loss {entry['train_loss']:.3f}  train {entry['train_accuracy']:.1%}  "
        f"valid {entry['valid_accuracy']:.1%}  spikes a neuron {entry['spikes_per_neuron']:.2f}  "
        f"silent {entry['silent']:.0%}  {certificate}  {entry['seconds']:.0f} s"
    )
