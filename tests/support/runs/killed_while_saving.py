"""Kills processes at random moments while they save; for a child of `tests.support.forking`.

KIND is `whole` (`fast.training.checkpoints`) or `in-place` (a naive writer, the control). Each of N
children saves one checkpoint after another until it is killed, and then the newest state is read.
Prints, as JSON, how often a state was lost (none was readable, a damaged one was skipped, or the
newest was older than before), the last step, and how many half-written files were left.
"""

import json
import os
import random
import signal
import time
from itertools import count
from pathlib import Path

import torch

from delayprop.fast.training.checkpoints import HALF, Checkpoints, encoded
from delayprop.spec import SpecError

STATE = {"network": torch.arange(200_000, dtype=torch.float64)}


def save_for_ever(kind: str, folder: Path, first: int) -> None:
    checkpoints = Checkpoints(folder)
    for step in count(first):
        state = {**STATE, "step": step}
        if kind == "whole":
            checkpoints.save(step, state)
        else:
            (folder / "checkpoint-000000001.pt").write_bytes(encoded(state))


def main(kind: str, kills: int, name: str) -> None:
    folder, draw, lost, half_written, last = Path(name), random.Random(0), 0, 0, 0
    began = time.perf_counter()
    Checkpoints(folder).save(0, {**STATE, "step": 0})
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
        assert torch.equal(state["network"], STATE["network"])
        lost += bool(wrong) or state["step"] < last
        last = max(last, state["step"])
    print(json.dumps({"lost": lost, "half_written": half_written, "last": last}))
