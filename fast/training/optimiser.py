"""AdamW with one step size per parameter group, eased in and scheduled."""

from __future__ import annotations

import math

import torch

from fast.training.model import Classifier
from fast.training.settings import Settings

GROWTH = 1.05  # of the step size of weights while it is eased in, as in the paper's code


class Optimiser(torch.optim.AdamW):
    """AdamW on three groups: weights onto hidden neurons, weights onto outputs, and delays.

    Args:
        network: the network that learns; parameters that `settings` freezes lose `requires_grad`.
        steps: number of steps of the whole run, for the schedule.
    """

    def __init__(self, network: Classifier, settings: Settings, steps: int) -> None:
        self.settings, self.steps = settings, steps
        learned = {
            "w": [] if settings.freeze_weights else [layer.w for layer in network.hidden_layers],
            "w_out": [] if settings.freeze_weights else [network.out.w],
            "d": [] if settings.freeze_delays else [layer.d for layer in network.layers],
        }
        for layer in network.layers:
            layer.w.requires_grad_(not settings.freeze_weights)
            layer.d.requires_grad_(not settings.freeze_delays)
        self.rates = {"w": settings.lr, "w_out": settings.out_lr or settings.lr, "d": settings.delay_lr}
        super().__init__([
            {"params": parameters, "name": name, "weight_decay": 0.0 if name == "d" else settings.weight_decay}
            for name, parameters in learned.items()
            if parameters
        ])

    def take_step(self, number: int) -> None:
        """Takes step `number`, counted from 0."""
        cosine = (1 + math.cos(math.pi * number / self.steps)) / 2
        for group in self.param_groups:
            group["lr"] = self.rates[group["name"]] * (1.0 if self.settings.schedule == "constant" else cosine)
            if group["name"] != "d":
                group["lr"] *= ease_in(self.settings.ease_in, number)
        self.step()

    def norms(self) -> dict[str, float]:
        """The Euclidean norm of each group's gradient."""
        return {
            group["name"]: math.sqrt(sum(float(p.grad.double().square().sum()) for p in group["params"]))
            for group in self.param_groups
        }


def ease_in(start: float, number: int) -> float:
    """The factor on the step size: `start`, times `GROWTH^b` in each batch `b`, at most 1."""
    return math.exp(min(0.0, math.log(start) + number * (number + 1) / 2 * math.log(GROWTH)))
