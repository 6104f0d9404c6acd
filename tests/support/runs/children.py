"""For child processes: a kernel that never ends, a save that is killed, thousands of steps, and the
memory of a command."""

import io
import json
import os
import resource
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import njit

from delayprop.fast import LI, LIF, Spikes, cross_entropy, param_groups, project_
from delayprop.fast.training.checkpoints import Checkpoints, encoded
from delayprop.fast.training.run_folder import Folder
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


def dies_while_saving(kind: str, call: int, folder: str) -> None:
    """Saves a checkpoint, and is killed: within the bytes of its file (`call` 0), or at a call.

    The calls are those that sync the file, rename it, and sync its folder. `kind` is `whole`
    (`fast.training.checkpoints`) or `in place` (a naive writer, the control).
    """
    turn = count(1)

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: os.kill(os.getpid(), signal.SIGKILL) if next(turn) == call else function(*given)

    os.fsync, os.replace = dying(os.fsync), dying(os.replace)
    state = {"step": 2, "d": torch.tensor([0.1, 1e-300, -0.0, 12.184172], dtype=torch.float64), "names": ["w", "d"]}
    if not call:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the system then kills at a size
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    if kind == "whole":
        Checkpoints(Path(folder)).save(2, state)
    else:
        (Path(folder) / "checkpoint-000000001.pt").write_bytes(encoded(state))


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
