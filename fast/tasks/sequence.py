"""Sequence detection: two inputs, two outputs, and nothing but delays to tell an order of spikes from its reverse.

Class A is input 0 first and input 1 a gap of 10 ms later, class B the reverse; the output with the larger maximum
voltage is the answer. Weights are fixed at 1. Delays start at the worst case: 0 on the diagonal, 10 off it, so that
each pattern arrives together at the *wrong* output. (Task of Meszaros, Knight, Nowotny, arXiv 2501.07331.)

The optimum is known. Two arrivals a time `s` apart give, with `tau_mem = 2 tau_syn`, the maximum voltage
`(1 + sech(s / tau_mem)) / 4`. With `x = d[j][j] - d[i][j]` an output sees the right pattern `x - gap` apart and the
wrong one `x + gap` apart. Setting the derivative of the difference to 0 gives
`sinh((x - gap)/tau) sinh((x + gap)/tau) = 1`, that is `x = tau/2 arccosh(2 + cosh(2 gap / tau))`: a little more than
the gap, since the wrong pattern is pushed apart as well.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fast.certificate import Residuals, residuals, watched
from fast.layers import LI
from fast.losses import cross_entropy
from fast.spikes import Spikes
from fast.traces import arrivals, voltage
from fast.training.finite import check_finite
from fast.training.follower import Folder
from fast.training.processes import Processes
from fast.training.settings import delay_rate
from fast.training.shared import RESIDUALS, right_answers
from reports.sequence import draw
from spec import SpecError
from spec.checks import finite_number, whole_number

GAP, TAU_MEM, TAU_SYN, WORST = 10.0, 10.0, 5.0, 10.0
MAX_DELAY, DURATION = 15.0, 60.0
# After LEARN presentations of each pattern, both are presented in each step, without momentum and with a step that
# shrinks by SHRINK: so the delays settle at the optimum instead of circling it.
LEARN, SHRINK = 10, 0.85
ALLOWED, UNSEEN = 6, 500


def optimum() -> float:
    """The best `d[j][j] - d[i][j]`, ms."""
    return TAU_MEM / 2 * math.acosh(2 + math.cosh(2 * GAP / TAU_MEM))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this task."""
    parser.add_argument("--epochs", type=int, default=40, help="presentations of each pattern (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=1.0, help="Adam's step for the delays, ms (default: %(default)s)")
    parser.add_argument(
        "--jitter", type=float, default=0.0, help="sd of noise on input times, ms (default: %(default)s)"
    )
    parser.add_argument("--freeze-delays", action="store_true", help="the control: learn nothing")


def prepare(options: argparse.Namespace, dtype: torch.dtype, processes: Processes) -> Sequence:
    """The training, for the engine.

    Raises:
        SpecError: an option out of range.
    """
    whole_number(options.epochs, "--epochs", 1, 1_000_000, "give the number of presentations of each pattern")
    delay_rate(options.lr, "--lr")
    if not 0 <= finite_number(options.jitter, "--jitter") <= GAP:
        raise SpecError("--jitter", f"from 0 to {GAP} (ms)", options.jitter, "the order must remain to be seen")
    processes.check_batch(1)  # one presentation a step
    return Sequence(options, dtype)


class Sequence:
    """Two delays an output; a step of the engine is an epoch, which presents each pattern once."""

    goes_on = True

    def __init__(self, options: argparse.Namespace, dtype: torch.dtype) -> None:
        self.options, self.steps = options, options.epochs
        self.layer = LI(2, 2, readout="max_voltage", tau_mem=TAU_MEM, tau_syn=TAU_SYN, max_delay=MAX_DELAY, dtype=dtype)
        with torch.no_grad():
            self.layer.w.fill_(1.0)
            self.layer.d.copy_(WORST * (1 - torch.eye(2)))
        self.d_start, self.before = self.layer.d.tolist(), _traces(self.layer)
        self.layer.to(options.device)
        self.learn = torch.optim.Adam([self.layer.d], lr=options.lr)
        self.settle = torch.optim.Adam([self.layer.d], lr=options.lr, betas=(0.0, 0.9))
        self.presented: Spikes | None = None

    def start(self, folder: Folder) -> None:
        """Say what the lines will be."""
        print(f"sequence detection, seed {self.options.seed}: delays d[input][output] in ms\n{RESIDUALS}")

    def step(self, number: int, folder: Folder, check: Callable[[], None]) -> None:
        """One epoch: first the patterns one by one, later together."""
        epoch, random = number + 1, np.random.default_rng([self.options.seed, number])
        order = random.permutation(2).tolist()
        for labels in [[label] for label in order] if epoch <= LEARN else [order]:
            self.presented = _patterns(labels, self.options.jitter, random).to(self.options.device)
            loss, found = _step(self.layer, self.presented, labels)
            if not self.options.freeze_delays:
                (self.learn if epoch <= LEARN else self.settle).step()
                self.layer.project_()
            accuracy = _accuracy(self.layer, [0, 1], 0.0, random)
            _progress(folder, epoch, labels, loss, accuracy, self.layer, found)
        if epoch > LEARN:
            for group in self.settle.param_groups:
                group["lr"] *= SHRINK

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
        unseen, history = np.random.default_rng([self.options.seed, self.steps, 1]), folder.history
        unseen_accuracy = _accuracy(self.layer, [0, 1] * (UNSEEN // 2), self.options.jitter, unseen)
        reached = next((line["presentation"] for line in history if line["accuracy"] == 1.0), None)
        learned = history[-1]["accuracy"] == 1.0
        result = {
            "task": "sequence", "learned": learned, "presentations": reached, "unseen_accuracy": unseen_accuracy,
            "optimum": optimum(), "d_start": self.d_start, "d": self.layer.d.tolist(), "before": self.before,
            "after": _traces(self.layer),
        }  # fmt: skip
        folder.write("result.json", result)
        with folder.writing():
            pictures = draw(folder.path)
        _summary(self.layer, result, self.options, pictures, str(folder.path))
        return 0 if learned else 1


def _patterns(labels: list[int], jitter: float, random: np.random.Generator) -> Spikes:
    """One presentation a label; with jitter both times get noise (an onset keeps them positive: see `_noise`)."""
    trials = []
    for label in labels:
        first, second = np.array([0.0, GAP]) + _noise(jitter, random)
        trials.append([[first], [second]] if label == 0 else [[second], [first]])
    return Spikes.from_trains(trials, DURATION + 10 * jitter)


def _noise(jitter: float, random: np.random.Generator) -> np.ndarray:
    """Two draws from N(5 jitter, jitter), again beyond 5 sd, so never negative; the onset itself changes nothing."""
    noise = random.normal(0.0, jitter, 2)
    while np.abs(noise).max() > 5 * jitter:
        noise = random.normal(0.0, jitter, 2)
    return noise + 5 * jitter


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
def _accuracy(layer: LI, labels: list[int], jitter: float, random: np.random.Generator) -> float:
    """Share of presentations whose right output has the strictly larger maximum."""
    y = layer(_patterns(labels, jitter, random).to(layer.w.device))
    return float(right_answers(y, torch.tensor(labels, device=y.device)).double().mean())


def _progress(
    folder: Folder, epoch: int, labels: list[int], loss: float, accuracy: float, layer: LI, found: Residuals
) -> None:
    """Print and record one presentation."""
    d, shown_patterns = layer.d.tolist(), "+".join("AB"[label] for label in sorted(labels))
    entry = {
        "presentation": epoch, "patterns": shown_patterns, "loss": loss, "accuracy": accuracy, "d": d,
        "A": found.A, "B": found.B, "C": found.C,
    }  # fmt: skip
    folder.append(entry)
    shown = "  ".join(f"d[{i}][{j}] {d[i][j]:6.3f}" for i in range(2) for j in range(2))
    print(
        f"{epoch:4d} {shown_patterns:3}  loss {loss:.4f}  accuracy {accuracy:4.0%}  {shown}  "
        f"{found}",
        flush=True,
    )


def _traces(layer: LI) -> list[dict]:
    """What both outputs see of both patterns: voltages and arrivals, for the picture."""
    times = np.linspace(0.0, 45.0, 451)
    traces = []
    for label in (0, 1):
        spikes = _patterns([label], 0.0, np.random.default_rng(0))
        for neuron in (0, 1):
            V = voltage(layer, spikes, neuron, times)
            traces.append({
                "pattern": "AB"[label], "output": neuron, "t": times.tolist(), "V": V.tolist(),
                "arrivals": [t for t, _ in arrivals(layer, spikes, neuron)],
            })  # fmt: skip
    return traces


def _summary(layer: LI, result: dict, options: argparse.Namespace, pictures: list[str], folder: str) -> None:
    d, best = layer.d.detach().double(), result["optimum"]
    print("\noutput   d[right input]   d[other input]   difference   closed-form optimum   apart by")
    for j in (0, 1):
        difference = float(d[j, j] - d[1 - j, j])
        row = (float(d[j, j]), float(d[1 - j, j]), difference, best, difference - best)
        print("{:6d} {:13.4f} ms {:13.4f} ms {:9.4f} ms {:18.4f} ms {:+9.1e} ms".format(j, *row))
    when = f"after {result['presentations']} presentations of each pattern" if result["learned"] else "never"
    unseen = f"{UNSEEN} unseen samples with jitter {options.jitter:g} ms"
    kind = unseen if options.jitter else "the patterns (no jitter)"
    print(f"\n100 % reached: {when}; accuracy on {kind}: {result['unseen_accuracy']:.1%}")
    if result["learned"] and result["presentations"] > ALLOWED:
        print(f"slower than the {ALLOWED} presentations of each pattern that the paper reports")
    print(f"pictures: {', '.join(pictures)}; record: {folder}")
