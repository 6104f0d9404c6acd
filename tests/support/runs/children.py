"""For child processes: a kernel that never ends, saves that are killed, thousands of steps, and the
memory of a command."""

import io
import json
import os
import random
import resource
import signal
import time
from contextlib import redirect_stderr
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import njit

from delayprop.fast import LI, LIF, Spikes, cross_entropy, param_groups, project_
from delayprop.fast.training.checkpoints import HALF, Checkpoints, encoded
from delayprop.fast.training.run_folder import Folder
from delayprop.spec import SpecError
from tests.support.runs.short_runs import classification, run

AT_WORK = "at-work"  # a file in the folder of the run: its kernel has begun


@njit(nogil=True)
def spin(until: np.ndarray) -> int:
    """Returns when `until[0]` is above 0, which no one sets."""
    n = 0
    while until[0] == 0:
        n += until[1]
    return n


def deaf(folder: str) -> int:
    """Runs a training whose first step is in a kernel for ever; returns the exit code."""
    spin(np.ones(2, np.int64))  # compiles it

    def step(number: int, folder: Folder, check: Any) -> None:
        (folder.path / AT_WORK).touch()
        spin(np.zeros(2, np.int64))

    training: Any = classification()
    training.step = step
    return run(training, Path(folder))


SAVED = {"network": torch.arange(200_000, dtype=torch.float64)}


def save_for_ever(kind: str, folder: Path, first: int) -> None:
    checkpoints = Checkpoints(folder)
    for step in count(first):
        state = {**SAVED, "step": step}
        if kind == "whole":
            checkpoints.save(step, state)
        else:
            (folder / "checkpoint-000000001.pt").write_bytes(encoded(state))


def killed_while_saving(kind: str, kills: int, name: str) -> None:
    """Kills processes at random moments while they save.

    `kind` is `whole` (`fast.training.checkpoints`) or `in-place` (a naive writer, the control).
    Each child saves one checkpoint after another until it is killed, and then the newest state is
    read. Prints, as JSON, how often a state was lost (none was readable, a damaged one was skipped,
    or the newest was older than before), the last step, and the number of half-written files.
    """
    folder, draw, lost, half_written, last = Path(name), random.Random(0), 0, 0, 0
    began = time.perf_counter()
    Checkpoints(folder).save(0, {**SAVED, "step": 0})
    took = time.perf_counter() - began
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            save_for_ever(kind, folder, last + 1)
        time.sleep(draw.uniform(0.1, 3.0) * took)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        half_written += len(list(folder.glob(f".*{HALF}")))
        try:
            state, wrong = Checkpoints(folder).load()
        except SpecError:
            lost += 1
            continue
        assert torch.equal(state["network"], SAVED["network"])
        lost += bool(wrong) or state["step"] < last
        last = max(last, state["step"])
    print(json.dumps({"lost": lost, "half_written": half_written, "last": last}))


WARM_UP = 500
TRIALS = [[[1.5 + trial + 2.0 * channel] for channel in range(4)] for trial in range(4)]
LABELS = torch.tensor([0, 1, 2, 0])


def long_run(kind: str, steps: int) -> None:
    """Many training steps of a small network, whose weights and delays learn.

    Prints, as JSON, memory (resident bytes) and open files after the warm-up and after each tenth
    of the steps, and the losses and spikes. `kind` is `plain`, or a leak (the controls): `numbers`
    keeps 256 numbers per step, `files` keeps one open file per hundred steps.
    """
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


def measured(name: str, *words: str) -> None:
    """Runs a command; prints, as JSON, its exit code, its errors, and the memory (MiB) it took."""
    main, errors = import_module(name).main, io.StringIO()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with redirect_stderr(errors):
        code = main(words)
    took = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"code": code, "errors": errors.getvalue(), "took": took}))
