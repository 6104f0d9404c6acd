"""What the tasks share: options, when an answer is right, what silence is, and what the residuals are."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from fast.spikes import Spikes
from spec import SpecError
from spec.checks import non_negative_time, positive_number, whole_number

LARGEST_STEP = 1e6

RESIDUALS = (
    "A (scale of weights), B (unit of time), C (shift of time): how far the gradient is from obeying each identity, "
    "-: does not apply to that step"
)


def learning_rate(value: float, name: str, unit: str = "") -> float:
    """`value` as a step size above 0, at most `LARGEST_STEP`: far above any use, and far below where sums overflow."""
    number = positive_number(value, name, unit)
    if number > LARGEST_STEP:
        expected = f"at most {LARGEST_STEP:g} ({unit})" if unit else f"at most {LARGEST_STEP:g}"
        raise SpecError(name, expected, number, "give a smaller step")
    return number


def add_class_options(
    parser: argparse.ArgumentParser,
    epochs: int,
    hidden: int,
    batch: int,
    lr: float,
    delay_lr: float,
    delay: float,
    schedule: str = "constant",
) -> None:
    """The options of every task that classifies, with the defaults of this one."""
    default = "(default: %(default)s)"
    parser.add_argument("--epochs", type=int, default=epochs, help=f"passes over the training split {default}")
    parser.add_argument("--hidden", type=int, default=hidden, help=f"hidden neurons {default}")
    parser.add_argument("--batch", type=int, default=batch, help=f"trials a step {default}")
    parser.add_argument("--lr", type=float, default=lr, help=f"Adam's step for weights {default}")
    parser.add_argument("--delay-lr", type=float, default=delay_lr, help=f"Adam's step for delays, ms {default}")
    parser.add_argument(
        "--schedule", choices=("constant", "cosine"), default=schedule, help=f"of both; cosine: down to 0 {default}"
    )
    parser.add_argument(
        "--delay", type=float, default=delay, help=f"delays start between 0 and this, ms {default}; 0: at 0"
    )
    parser.add_argument("--freeze-delays", action="store_true", help="learn weights only, at the delays drawn at first")


def check_class_options(options: argparse.Namespace, max_delay: float) -> None:
    """Refuse those out of range.

    Raises:
        SpecError: it names the option.
    """
    for name in ("epochs", "hidden", "batch"):
        whole_number(getattr(options, name), f"--{name}", 1, 1_000_000, "give a positive number")
    learning_rate(options.lr, "--lr")
    learning_rate(options.delay_lr, "--delay-lr", "ms")
    if non_negative_time(options.delay, "--delay") > max_delay:
        raise SpecError("--delay", f"at most {max_delay} (ms)", options.delay, "no delay of this task is longer")


def right_answers(y: Tensor, labels: Tensor) -> Tensor:
    """Whether the right output is strictly the largest, `[trials]`: a silent trial, all outputs equal, is wrong.

    An argmax would give every tie to class 0, and so count silence as right for its trials.
    """
    right = labels[:, None]
    others = y.scatter(1, right, -torch.inf)
    return (y.gather(1, right) > others).all(dim=1)


def is_silenced(given: Spikes, emitted: Spikes) -> bool:
    """Whether a layer got spikes and emitted none in the whole batch, so that no gradient passes through it."""
    return len(given.times) > 0 and emitted.silent() == emitted.size


def silence(layer: str, size: int, steps: int, of: int) -> str:
    """One line for an epoch in which a layer was silenced in some steps: training goes on as if it learned."""
    return (
        f"warning: all {size} neurons of the {layer} layer were silent in {steps} of {of} steps: no gradient passed; "
        "take smaller steps, or a seed with other weights"
    )
