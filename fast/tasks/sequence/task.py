"""Sequence detection: as many outputs as inputs, and nothing but delays to tell an order of spikes from others.

Class A is input 0 first and input 1 a gap of 10 ms later, class B the reverse; the output with the larger maximum
voltage is the answer. Weights are fixed at 1. Delays start at the worst case: 0 on the diagonal, 10 off it, so that
each pattern arrives together at the *wrong* output. (Task of Meszaros, Knight, Nowotny, arXiv 2501.07331.) With more
inputs the patterns are rings (`sequence_patterns.py`), learned after another plan (`sequence_plan.py`).

The optimum for two inputs is known. Two arrivals a time `s` apart give, with `tau_mem = 2 tau_syn`, the maximum voltage
`(1 + sech(s / tau_mem)) / 4`. With `x = d[j][j] - d[i][j]` an output sees the right pattern `x - gap` apart and the
wrong one `x + gap` apart. Setting the derivative of the difference to 0 gives
`sinh((x - gap)/tau) sinh((x + gap)/tau) = 1`, that is `x = tau/2 arccosh(2 + cosh(2 gap / tau))`: a little more than
the gap, since the wrong pattern is pushed apart as well.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fast.drawing.sequence import draw
from fast.nn.certificate import Residuals, residuals, watched
from fast.nn.layers import LI
from fast.nn.losses import cross_entropy
from fast.nn.spikes import Spikes
from fast.tasks.sequence.output import UNSEEN, kept_from, line, right, say_end, traces
from fast.tasks.sequence.patterns import GAP, MOST_DISTRACTORS, MOST_INPUTS, NAMES, Ring
from fast.tasks.sequence.plan import plan
from fast.training.finite import check_finite
from fast.training.null_folder import Folder
from fast.training.processes import Processes
from fast.training.settings import delay_rate
from fast.training.shared import RESIDUALS, right_answers
from spec import SpecError
from spec.checks import finite_number, whole_number

TAU_MEM, TAU_SYN = 10.0, 5.0


def optimum() -> float:
    """The best `d[j][j] - d[i][j]` of two inputs, ms."""
    return TAU_MEM / 2 * math.acosh(2 + math.cosh(2 * GAP / TAU_MEM))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--inputs", type=int, default=2, help="inputs, outputs and classes (default: %(default)s)")
    two, more = plan(2), plan(4)
    parser.add_argument(
        "--epochs", type=int, help=f"presentations of each pattern (default: {two.epochs}; of 3 or more: {more.epochs})"
    )
    parser.add_argument(
        "--lr", type=float, help=f"Adam's first step for the delays, ms (default: {two.lr}; 3 or more: 2.5 an input)"
    )
    parser.add_argument(
        "--jitter", type=float, default=0.0, help="sd of noise on input times, ms (default: %(default)s)"
    )
    parser.add_argument(
        "--distractors", type=int, default=0, help="spikes beside the pattern, a presentation (default: %(default)s)"
    )
    parser.add_argument("--freeze-delays", action="store_true", help="the control: learn nothing")


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Sequence:
    """The training, for the engine; options that depend on others are filled in.

    Raises:
        SpecError: an option out of range.
    """
    inputs = whole_number(options.inputs, "--inputs", 2, MOST_INPUTS, "give the number of inputs, which fire in turn")
    planned = plan(inputs)
    options.epochs = planned.epochs if options.epochs is None else options.epochs
    options.lr = planned.lr if options.lr is None else options.lr
    whole_number(options.epochs, "--epochs", 1, 1_000_000, "give the number of presentations of each pattern")
    delay_rate(options.lr, "--lr")
    if not 0 <= finite_number(options.jitter, "--jitter") <= GAP:
        raise SpecError("--jitter", f"from 0 to {GAP} (ms)", options.jitter, "the order must remain to be seen")
    distractors = whole_number(options.distractors, "--distractors", 0, MOST_DISTRACTORS, "give 0 for none")
    processes.check_batch(1)  # one presentation a step
    return Sequence(options, dtype, inputs, distractors)


class Sequence:
    """The delays of all inputs to all outputs; a step of the engine is an epoch, which presents each pattern once."""

    goes_on = True

    def __init__(
        self, options: argparse.Namespace, dtype: torch.dtype, inputs: int = 2, distractors: int = 0
    ) -> None:
        self.options, self.steps, self.plan = options, options.epochs, plan(inputs)
        # a membrane of time constant 10 ms peaks within 7 ms of the last arrival
        self.ring = ring = Ring(inputs, options.jitter, distractors, room=25.0 + 10.0 * self.plan.slow)
        self.layer = LI(
            inputs, inputs, readout="max_voltage", tau_mem=TAU_MEM, tau_syn=TAU_SYN, max_delay=ring.max_delay,
            dtype=dtype,
        )
        with torch.no_grad():
            self.layer.w.fill_(1.0)
            self.layer.d.copy_(torch.from_numpy(ring.worst_delays()))
        self.d_start, self.before = self.layer.d.tolist(), traces(self.layer, ring)
        self.layer.to(options.device)
        self.learn = torch.optim.Adam([self.layer.d], lr=options.lr, betas=self.plan.betas)
        self.settle = torch.optim.Adam([self.layer.d], lr=options.lr * self.plan.end, betas=(0.0, 0.9))
        self.presented: Spikes | None = None

    def start(self, folder: Folder) -> None:
        """Say what the lines will be."""
        many = f"{self.ring.inputs} inputs, " if self.ring.inputs > 2 else ""
        print(f"sequence detection, {many}seed {self.options.seed}: delays d[input][output] in ms\n{RESIDUALS}")

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """One epoch: first as the plan has it, later all patterns together."""
        epoch, random = number + 1, np.random.default_rng([self.options.seed, number])
        learning = epoch <= self.plan.learn
        order = random.permutation(self.ring.inputs).tolist()
        for labels in [[label] for label in order] if learning and self.plan.one_by_one else [order]:
            self.presented = self.ring.spikes(labels, random).to(self.options.device)
            with _slowed(self.layer, self.plan.slowness(epoch)):
                loss, found = _step(self.layer, self.presented, labels)
            if not self.options.freeze_delays:
                self._move(epoch)
            accuracy = _accuracy(self.layer, range(self.ring.inputs), self.ring.clean, random)
            self._record(folder, epoch, labels, loss, accuracy, found)
        if not learning:
            for group in self.settle.param_groups:
                group["lr"] *= self.plan.shrink

    def _move(self, epoch: int) -> None:
        """One step of the optimiser."""
        if epoch <= self.plan.learn:
            for group in self.learn.param_groups:
                group["lr"] = self.options.lr * self.plan.share(epoch)
            self.learn.step()
        else:
            self.settle.step()
        self.layer.project_()

    def _record(
        self, folder: Folder, epoch: int, labels: list[int], loss: float, accuracy: float, found: Residuals
    ) -> None:
        """Keep and print one step."""
        patterns = "+".join(NAMES[label] for label in sorted(labels))
        more = {} if self.ring.inputs == 2 else {
            "right": right(accuracy, self.ring), "slowness": self.plan.slowness(epoch)
        }
        entry = {"presentation": epoch, "patterns": patterns, "loss": loss, "accuracy": accuracy, **more}
        folder.append({**entry, "d": self.layer.d.tolist(), "A": found.A, "B": found.B, "C": found.C})
        print(line(epoch, patterns, loss, accuracy, self.layer, self.ring, found), flush=True)

    def under_way(self) -> dict[str, Any]:
        """The last patterns."""
        return {} if self.presented is None else {"times": self.presented.times, "offsets": self.presented.offsets}

    def state(self) -> dict[str, Any]:
        """The layer, and both optimisers."""
        return {name: getattr(self, name).state_dict() for name in ("layer", "learn", "settle")}

    def restore(self, state: dict[str, Any]) -> None:
        """Be in that state."""
        for name, part in state.items():
            getattr(self, name).load_state_dict(part)

    def finish(self, folder: Folder) -> int:
        """Evaluate, record, draw and print; 0 if it learned, 1 if not."""
        unseen = np.random.default_rng([self.options.seed, self.steps, 1])
        history, inputs = folder.history, self.ring.inputs
        unseen_accuracy = _accuracy(self.layer, [*range(inputs)] * (UNSEEN // inputs), self.ring, unseen)
        reached = next((entry["presentation"] for entry in history if entry["accuracy"] == 1.0), None)
        learned = history[-1]["accuracy"] == 1.0
        # of more than two inputs no optimum is known
        known = {"optimum": optimum()} if inputs == 2 else {
            "inputs": inputs, "gap": GAP, "kept_from": kept_from(history)
        }
        result = {
            "task": "sequence", "learned": learned, "presentations": reached, "unseen_accuracy": unseen_accuracy,
            **known, "d_start": self.d_start, "d": self.layer.d.tolist(), "before": self.before,
            "after": traces(self.layer, self.ring),
        }
        folder.write("result.json", result)
        with folder.writing():
            pictures = draw(folder.path)
        say_end(self.layer, self.ring, result, self.options, pictures, str(folder.path))
        return 0 if learned else 1


@contextmanager
def _slowed(layer: LI, factor: float) -> Iterator[None]:
    """Within, both time constants are so many times their own."""
    with torch.no_grad():
        layer.tau_mem.fill_(TAU_MEM * factor)
        layer.tau_syn.fill_(TAU_SYN * factor)
    try:
        yield
    finally:
        with torch.no_grad():
            layer.tau_mem.fill_(TAU_MEM)
            layer.tau_syn.fill_(TAU_SYN)


def _step(layer: LI, spikes: Spikes, labels: list[int]) -> tuple[float, Residuals]:
    """Loss and gradient of one step, and the identities that certify it.

    Raises:
        NotFiniteError: one of them is NaN or infinite.
    """
    layer.zero_grad()
    with watched([layer], spikes):
        y: Tensor = layer(spikes)
        y.retain_grad()
        loss = cross_entropy(y, torch.tensor(labels, device=y.device))
        loss.backward()
        assert y.grad is not None
        found = residuals([layer], spikes, y, y.grad)
    check_finite([("the loss", loss), ("the gradient of d", layer.d.grad)])
    return float(loss.detach()), found


@torch.no_grad()
def _accuracy(layer: LI, labels: list[int] | range, ring: Ring, random: np.random.Generator) -> float:
    """Share of presentations whose right output has the strictly larger maximum."""
    y = layer(ring.spikes(labels, random).to(layer.w.device))
    return float(right_answers(y, torch.tensor([*labels], device=y.device)).double().mean())
