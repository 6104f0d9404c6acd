"""AdamW with one step size per parameter group, warmed up and scheduled."""

import math

import torch

from delayprop.fast.nn.parameters import by_kinds
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.settings import Settings

WEIGHTS = ("w", "w_out")  # groups
GROWTH = 1.05  # of the step size of weights while it is eased in, as in the paper's code


class Optimiser(torch.optim.AdamW):
    """AdamW on groups: weights onto hidden neurons, weights onto outputs, delays, time constants.

    The schedule is of the whole run, `epochs` of `per_epoch` steps. Parameters that `settings`
    freezes lose `requires_grad`.
    """

    def __init__(self, network: Classifier, settings: Settings, epochs: int, per_epoch: int) -> None:
        self.settings, self.steps, self.warm_up = settings, epochs * per_epoch, settings.warm_up * per_epoch
        kinds = {kind: list(found.values()) for kind, found in by_kinds(network).items()}
        every = {
            "w": [w for w in kinds["weights"] if w is not network.out.w], "w_out": [network.out.w],
            "d": kinds["delays"], "tau": kinds["constants"],
        }
        frozen = {
            "w": settings.freeze_weights, "w_out": settings.freeze_weights, "d": settings.freeze_delays,
            "tau": not settings.learn_constants,
        }
        for name, parameters in every.items():
            for parameter in parameters:
                parameter.requires_grad_(not frozen[name])
        self.rates = {
            "w": settings.lr, "w_out": settings.out_lr or settings.lr, "d": settings.delay_lr,
            "tau": settings.constants_lr,
        }
        super().__init__([
            {"params": parameters, "name": name, "weight_decay": settings.weight_decay if name in WEIGHTS else 0.0}
            for name, parameters in every.items()
            if not frozen[name]
        ])

    def take_step(self, number: int) -> None:
        """Takes step `number`, counted from 0."""
        scheduled = 1.0 if self.settings.schedule == "constant" else (1 + math.cos(math.pi * number / self.steps)) / 2
        scheduled *= min(1.0, (number + 1) / self.warm_up) if self.warm_up else 1.0
        for group in self.param_groups:
            group["lr"] = self.rates[group["name"]] * scheduled
            if group["name"] in WEIGHTS:
                group["lr"] *= ease_in(self.settings.ease_in, number)
            if self.settings.clip:
                torch.nn.utils.clip_grad_norm_(group["params"], self.settings.clip)
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
