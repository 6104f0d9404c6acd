"""How a classification learns from its gradients: a step size a group, eased in, and taken down by a schedule."""

from __future__ import annotations

import math
from typing import Any

import torch

from fast.training.model import Reader
from fast.training.settings import Settings

GROWTH = 1.05  # of the step of weights while it is eased in: times GROWTH^b in batch b, as the paper's code does


class Optimiser:
    """AdamW on three groups: weights onto hidden neurons, weights onto outputs, delays (never decayed).

    Args:
        network: whose parameters learn; those that `settings` freezes are told so.
        steps: how many there will be.
    """

    def __init__(self, network: Reader, settings: Settings, steps: int) -> None:
        self.settings, self.steps = settings, steps
        learned = {
            "w": [] if settings.freeze_weights else [layer.w for layer in network.inner],
            "w_out": [] if settings.freeze_weights else [network.out.w],
            "d": [] if settings.freeze_delays else [layer.d for layer in network.layers],
        }
        for layer in network.layers:
            layer.w.requires_grad_(not settings.freeze_weights)
            layer.d.requires_grad_(not settings.freeze_delays)
        self.rates = {"w": settings.lr, "w_out": settings.out_lr or settings.lr, "d": settings.delay_lr}
        groups = [
            {"params": parameters, "name": name, "weight_decay": 0.0 if name == "d" else settings.weight_decay}
            for name, parameters in learned.items()
            if parameters
        ]
        self.adam = torch.optim.AdamW(groups)

    def step(self, number: int) -> None:
        """Take step `number`, counted from 0."""
        for group in self.adam.param_groups:
            group["lr"] = self.rates[group["name"]] * self._scheduled(number)
            if group["name"] != "d":
                group["lr"] *= eased(self.settings.ease_in, number)
        self.adam.step()

    def _scheduled(self, number: int) -> float:
        """1, or half a cosine from 1 down to 0."""
        return 1.0 if self.settings.schedule == "constant" else (1 + math.cos(math.pi * number / self.steps)) / 2

    def norms(self) -> dict[str, float]:
        """The Euclidean norm of each group's gradient."""
        return {
            group["name"]: math.sqrt(sum(float(p.grad.double().square().sum()) for p in group["params"]))
            for group in self.adam.param_groups
        }

    def zero_grad(self) -> None:
        """Forget the last gradients."""
        self.adam.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Its state, for a checkpoint."""
        return self.adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be in that state."""
        self.adam.load_state_dict(state)


def eased(start: float, number: int) -> float:
    """The share of the step size at step `number`: `start`, times `GROWTH^b` in each batch `b`, until it is 1."""
    return math.exp(min(0.0, math.log(start) + number * (number + 1) / 2 * math.log(GROWTH)))
