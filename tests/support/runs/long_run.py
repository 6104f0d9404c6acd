"""Many training steps of a small network in one process; for a child of `tests.support.forking`.

Prints, as JSON, memory (resident bytes) and open files after the warm-up and after each tenth of
STEPS, and the losses and spikes. KIND is `plain`, or a leak (the controls): `graphs` keeps autograd
graphs, `numbers` keeps 256 numbers per step, `files` keeps one open file per hundred steps.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from delayprop.fast import LI, LIF, Spikes, cross_entropy

WARM_UP = 500
TRIALS = [[[1.5 + trial + 2.0 * channel] for channel in range(4)] for trial in range(4)]
LABELS = [0, 1, 2, 0]


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


class Small:
    """4 channels, 8 neurons, 3 outputs; all parameters learn."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.hidden = LIF(4, 8, max_delay=10.0).initialise_(3.0, 1.5, 5.0)
        self.out = LI(8, 3, readout="max_voltage", max_delay=10.0).initialise_(0.0, 0.5)
        weights, delays = [self.hidden.w, self.out.w], [self.hidden.d, self.out.d]
        groups: list[dict] = [{"params": weights, "lr": 1e-4}, {"params": delays, "lr": 1e-3}]
        self.optimiser = torch.optim.Adam(groups)

    def step(self) -> tuple[torch.Tensor, int]:
        """The loss, and the number of hidden spikes."""
        spikes = self.hidden(Spikes.from_trains(TRIALS, 30.0))
        self.optimiser.zero_grad()
        loss = cross_entropy(self.out(spikes), torch.tensor(LABELS))
        loss.backward()
        self.optimiser.step()
        self.hidden.project_()
        self.out.project_()
        return loss, len(spikes.times)


def main(kind: str, steps: int) -> None:
    net, kept, found = Small(), list[Any](), list[tuple[int, int]]()
    losses, fired = list[float](), 0
    for step in range(1, WARM_UP + steps + 1):
        loss, spikes = net.step()
        fired += spikes
        if kind == "graphs":
            kept.append(cross_entropy(net.out(net.hidden(Spikes.from_trains(TRIALS, 30.0))), torch.tensor(LABELS)))
        elif kind == "numbers":
            kept.append(net.hidden.w.detach().clone().repeat(8, 1))
        elif kind == "files" and step % 100 == 0:
            kept.append(open(os.devnull))  # noqa: SIM115 - never closed: that is the fault
        if step >= WARM_UP and (step - WARM_UP) % (steps // 10) == 0:
            found.append((memory(), open_files()))
            losses.append(float(loss.detach()))
    took, files = zip(*found, strict=True)
    print(json.dumps({"memory": took, "files": files, "losses": losses, "fired": fired}))
