"""Many training steps of a small network in one process; for a child of `tests.support.forking`.

Prints, as JSON, memory (resident bytes) and open files after the warm-up and after each tenth of
STEPS, and the losses and spikes. KIND is `plain`, or a leak (the controls): `numbers` keeps 256
numbers per step, `files` keeps one open file per hundred steps.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from delayprop.fast import LI, LIF, Spikes, cross_entropy, param_groups, project_

WARM_UP = 500
TRIALS = [[[1.5 + trial + 2.0 * channel] for channel in range(4)] for trial in range(4)]
LABELS = torch.tensor([0, 1, 2, 0])


def main(kind: str, steps: int) -> None:
    """4 channels, 8 neurons, 3 outputs; weights and delays learn."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    hidden = LIF(4, 8, max_delay=10.0).initialise_(3.0, 1.5, 5.0)
    net = torch.nn.Sequential(hidden, LI(8, 3, readout="max_voltage", max_delay=10.0).initialise_(0.0, 0.5))
    optimiser = torch.optim.Adam(param_groups(net, lr=1e-4, delay_lr=1e-3))
    found: dict[str, Any] = {"memory": [], "files": [], "losses": [], "fired": 0}
    kept: list[Any] = []
    for step in range(1, WARM_UP + steps + 1):
        spikes = hidden(Spikes.from_trains(TRIALS, 30.0))
        optimiser.zero_grad()
        loss = cross_entropy(net[1](spikes), LABELS)
        loss.backward()
        optimiser.step()
        project_(net)
        found["fired"] += len(spikes.times)
        if kind == "numbers":
            kept.append(hidden.w.detach().clone().repeat(8, 1))
        elif kind == "files" and step % 100 == 0:
            kept.append(open(os.devnull))  # noqa: SIM115 - never closed: that is the fault
        if step >= WARM_UP and (step - WARM_UP) % (steps // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found["memory"].append(pages * os.sysconf("SC_PAGE_SIZE"))
            found["files"].append(len(os.listdir("/proc/self/fd")))
            found["losses"].append(float(loss.detach()))
    print(json.dumps(found))
