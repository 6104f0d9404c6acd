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
        network.out.d.requires_grad_(settings.out_delays)
        delays = [d for d in kinds["delays"] if settings.out_delays or d is not network.out.d]
        every = {  # parameters, whether they learn, and their step size
            "w": ([w for w in kinds["weights"] if w is not network.out.w], not settings.freeze_weights, settings.lr),
            "w_out": ([network.out.w], not settings.freeze_weights, settings.out_lr or settings.lr),
            "d": (delays, not settings.freeze_delays, settings.delay_lr),
            "tau": (kinds["constants"], settings.learn_constants, settings.constants_lr),
        }
        for parameters, learn, _ in every.values():
            for parameter in parameters:
                parameter.requires_grad_(learn)
        self.rates = {name: rate for name, (_, _, rate) in every.items()}
        super().__init__([
            {"params": parameters, "name": name, "weight_decay": settings.weight_decay if name in WEIGHTS else 0.0}
            for name, (parameters, learn, _) in every.items() if learn
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
