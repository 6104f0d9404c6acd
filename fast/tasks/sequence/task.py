"""Sequence detection: N outputs for N inputs, which learned delays alone distinguish by order.

Class A is input 0 first and input 1 a gap of 10 ms later, class B the reverse; the output with the
larger maximum voltage is the answer. Weights are fixed at 1. Delays start at the worst case: 0 on
the diagonal, 10 ms off it, so that each pattern arrives at once at the *wrong* output. (Task of
Meszaros, Knight, Nowotny, arXiv 2501.07331.) More inputs have cyclic patterns (`patterns`) and
another plan (`plan`).

The optimum for two inputs is known. Two arrivals a time `s` apart give, with `tau_mem = 2 tau_syn`,
the maximum voltage `(1 + sech(s / tau_mem)) / 4`. With `x = d[j][j] - d[i][j]` the arrivals at an
output are `x - gap` apart in the right pattern, and `x + gap` apart in the wrong one. The
derivative of the difference is 0 at `sinh((x - gap) / tau) sinh((x + gap) / tau) = 1`, that is
`x = tau/2 arccosh(2 + cosh(2 gap / tau))`: more than the gap, since the wrong pattern spreads too.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.data.records import RESULT
from delayprop.fast.nn.certificate import Residuals, residuals, watched
from delayprop.fast.nn.layers import LI
from delayprop.fast.nn.losses import cross_entropy
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.tasks.sequence.output import UNSEEN, kept_from, print_end, step_numbers, traces
from delayprop.fast.tasks.sequence.patterns import GAP, MOST_DISTRACTORS, MOST_INPUTS, NAMES, Ring
from delayprop.fast.tasks.sequence.plan import plan
from delayprop.fast.training.evaluation import correct
from delayprop.fast.training.gradient_checks import LEGEND, check_finite
from delayprop.fast.training.job import Job
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import Folder
from delayprop.fast.training.settings import delay_step_size
from delayprop.spec import SpecError
from delayprop.spec.checks import finite_number, whole_number

TAU_MEM, TAU_SYN = 10.0, 5.0
SETTLED = 2  # steps without a change that are still printed


def optimum() -> float:
    """The best `d[j][j] - d[i][j]` of two inputs, ms."""
    return TAU_MEM / 2 * math.acosh(2 + math.cosh(2 * GAP / TAU_MEM))


def add_options(parser: argparse.ArgumentParser) -> None:
    add, two, more = parser.add_argument, plan(2), plan(4)
    add("--inputs", type=int, default=2, help="inputs, outputs and classes (default: %(default)s)")
    what = f"presentations of each pattern (default: {two.epochs}; of 3 or more: {more.epochs})"
    add("--epochs", type=int, help=what)
    add("--lr", type=float, help=f"first step of Adam, ms (default: {two.lr}; of 3 or more: 2.5 per input)")
    add("--jitter", type=float, default=0.0, help="standard deviation of input times, ms (default: %(default)s)")
    add("--distractors", type=int, default=0, help="random further spikes per presentation (default: %(default)s)")
    add("--freeze-delays", action="store_true", help="learn nothing, as a control")


@dataclass(frozen=True)
class SequenceSettings:
    """The settings of the task, as `--help` describes them."""

    inputs: int
    epochs: int
    lr: float
    jitter: float
    distractors: int
    freeze_delays: bool

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The settings among options by name; `SpecError`: one is out of range. Some defaults
        depend on the number of inputs."""
        own = {one.name: values[one.name] for one in fields(cls)}
        what = "give the number of inputs, which fire in turn"
        planned = plan(whole_number(own["inputs"], "--inputs", 2, MOST_INPUTS, what))
        found = cls(**{**own, **{n: getattr(planned, n) for n in ("epochs", "lr") if own[n] is None}})
        whole_number(found.epochs, "--epochs", 1, 1_000_000, "give the number of presentations of each pattern")
        delay_step_size(found.lr, "--lr")
        if not 0 <= finite_number(found.jitter, "--jitter") <= GAP:
            raise SpecError("--jitter", f"from 0 to {GAP} (ms)", found.jitter, "larger noise hides the order")
        whole_number(found.distractors, "--distractors", 0, MOST_DISTRACTORS, "give 0 for none")
        return found


SETTINGS = SequenceSettings


def prepare(job: Job[SequenceSettings], processes: Processes) -> "Sequence":
    processes.check_batch(1)  # one presentation per step
    return Sequence(job)


class Sequence:
    """Trains the delays; a step of the engine is an epoch, which presents each pattern once."""

    extendable = True
    data_sha256: Mapping[str, str] = {}

    def __init__(self, job: Job[SequenceSettings]) -> None:
        self.settings, self.seed, inputs = job.settings, job.seed, job.settings.inputs
        self.steps, self.plan = self.settings.epochs, plan(inputs)
        # a membrane of time constant 10 ms peaks within 7 ms of the last arrival
        room = 25.0 + 10.0 * self.plan.slow
        self.ring = ring = Ring(inputs, self.settings.jitter, self.settings.distractors, room)
        self.layer = LI(
            inputs, inputs, readout="max_voltage", tau_mem=TAU_MEM, tau_syn=TAU_SYN, max_delay=ring.max_delay,
            dtype=job.torch_dtype,
        )
        with torch.no_grad():
            self.layer.w.fill_(1.0)
            self.layer.d.copy_(torch.from_numpy(ring.worst_delays()))
        self.d_start, self.before = self.layer.d.tolist(), traces(self.layer, ring)
        self.layer.to(job.device)
        self.learn = torch.optim.Adam([self.layer.d], lr=self.settings.lr, betas=self.plan.betas)
        self.settle = torch.optim.Adam([self.layer.d], lr=self.settings.lr * self.plan.end, betas=(0.0, 0.9))
        self.presented: Spikes | None = None
        self.printed, self.unchanged = "", 0

    def lines(self, step: int) -> int:
        """Lines of the log: one for each presentation."""
        return step + self.plan.one_by_one * min(step, self.plan.learn) * (self.ring.inputs - 1)

    def start(self, folder: Folder) -> None:
        many = f"{self.ring.inputs} inputs, " if self.ring.inputs > 2 else ""
        print(f"sequence detection, {many}seed {self.seed}: delays d[input][output] in ms\n{LEGEND}")

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """One epoch: pattern by pattern while `plan.one_by_one`, else all patterns in one step."""
        epoch, random = number + 1, np.random.default_rng([self.seed, number])
        learning = epoch <= self.plan.learn
        order = random.permutation(self.ring.inputs).tolist()
        for labels in [[label] for label in order] if learning and self.plan.one_by_one else [order]:
            self.presented = self.ring.spikes(labels, random).to(self.layer.w.device)
            with _slowed(self.layer, self.plan.slowness(epoch)):
                loss, found = _step(self.layer, self.presented, labels)
            if not self.settings.freeze_delays:
                self._move(epoch)
            accuracy = _accuracy(self.layer, range(self.ring.inputs), self.ring.clean, random)
            self._record(folder, epoch, labels, loss, accuracy, found)
        if not learning:
            for group in self.settle.param_groups:
                group["lr"] *= self.plan.shrink

    def _move(self, epoch: int) -> None:
        if epoch <= self.plan.learn:
            for group in self.learn.param_groups:
                group["lr"] = self.settings.lr * self.plan.step_factor(epoch)
            self.learn.step()
        else:
            self.settle.step()
        self.layer.project_()

    def _record(
        self, folder: Folder, epoch: int, labels: list[int], loss: float, accuracy: float, found: Residuals
    ) -> None:
        """Logs a step, and prints it unless no printed number has changed in the last steps."""
        patterns = "+".join(NAMES[label] for label in sorted(labels))
        more = {} if self.ring.inputs == 2 else {
            "right": round(accuracy * self.ring.inputs), "slowness": self.plan.slowness(epoch)
        }
        entry = {"presentation": epoch, "patterns": patterns, "loss": loss, "accuracy": accuracy, **more}
        folder.append({**entry, "d": self.layer.d.tolist(), "A": found.A, "B": found.B, "C": found.C})
        numbers = step_numbers(loss, accuracy, self.layer, self.ring)
        self.unchanged = self.unchanged + 1 if numbers == self.printed else 0
        self.printed = numbers
        if self.unchanged <= SETTLED:
            print(f"{epoch:4d} {patterns if self.ring.inputs == 2 else 'all':3}  {numbers}  {found}", flush=True)
        elif self.unchanged == SETTLED + 1:
            print("     settled: later steps are printed if a number changes", flush=True)

    def last_inputs(self) -> dict[str, Any]:
        return {} if self.presented is None else {"times": self.presented.times, "offsets": self.presented.offsets}

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state_dict() for name in ("layer", "learn", "settle")}

    def restore(self, state: dict[str, Any]) -> None:
        self.layer.load_state_dict(state["layer"])
        self.learn.load_state_dict(state["learn"])
        self.settle.load_state_dict(state["settle"])

    def finish(self, folder: Folder, check: Callable[[], None]) -> int:
        """Evaluates, records and prints; 0 if all classes are correct, else 1."""
        unseen = np.random.default_rng([self.seed, self.steps, 1])
        history, inputs = folder.history, self.ring.inputs
        unseen_accuracy = _accuracy(self.layer, [*range(inputs)] * (UNSEEN // inputs), self.ring, unseen)
        reached = next((entry["presentation"] for entry in history if entry["accuracy"] == 1.0), None)
        learned = history[-1]["accuracy"] == 1.0
        # The optimum is known for two inputs only.
        more = {"optimum": optimum(), "tau_mem": TAU_MEM, "tau_syn": TAU_SYN} if inputs == 2 else {
            "inputs": inputs, "kept_from": kept_from(history)
        }
        result = {
            "task": "sequence", "learned": learned, "presentations": reached, "unseen_accuracy": unseen_accuracy,
            "gap": GAP, **more, "d_start": self.d_start, "d": self.layer.d.tolist(), "before": self.before,
            "after": traces(self.layer, self.ring),
        }
        folder.write(RESULT, result)
        print_end(self.layer, self.ring, result)
        return 0 if learned else 1


@contextmanager
def _slowed(layer: LI, factor: float) -> Iterator[None]:
    """Context in which both time constants are multiplied by `factor`."""
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
    """Loss of one step, and residuals of the identities of its gradient; both must be finite."""
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
    """Fraction of presentations whose own output has the strictly largest maximum."""
    y = layer(ring.spikes(labels, random).to(layer.w.device))
    return float(correct(y, torch.tensor([*labels], device=y.device)).double().mean())
