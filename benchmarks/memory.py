"""The memory that a step adds at its peak, measured in a process of its own.

    python -m benchmarks.memory '{"workload": "shd-like", ...}' THREADS

builds the workload, runs a step of one trial to load the kernels, and reads the resident memory.
Then it resets the system's high-water mark (`VmHWM`, by writing 5 to `/proc/self/clear_refs`), runs
two whole steps, and prints the mark minus the first reading in MB of 10^6 bytes. It is a process of
its own because the allocator may keep and reuse memory that an earlier step has freed. It runs two
steps because a training loop holds the last step while it starts the next.
On a GPU the mark is torch's own. Without such a file (not Linux) the peak is unknown.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.sizes import Sizes
from benchmarks.step import forward, step
from benchmarks.workloads import Workload, build

ROOT = Path(__file__).resolve().parent.parent
RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def peak_added_mb(sizes: Sizes) -> float | None:
    """The memory that a step of these sizes adds at its peak, MB; None if it is unknown.

    Raises:
        MemoryError: the process was killed, as systems do that run out of memory.
        RuntimeError: the process failed otherwise; the message is the end of its error output.
    """
    line = [sys.executable, "-m", "benchmarks.memory", json.dumps(vars(sizes)), str(torch.get_num_threads())]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        raise MemoryError(f"the process that measures memory was ended by signal {-done.returncode}")
    if done.returncode != 0:
        raise RuntimeError(f"measuring memory failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def measured(workload: Workload) -> float | None:
    """Measure in this process, which must not have run a step before."""
    cuda = workload.sizes.device == "cuda"
    if not cuda and not os.access(RESET, os.W_OK):
        return None
    step(workload.of_trials(1))
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        before = _status("VmRSS")
        RESET.write_text("5", encoding="utf-8")
    for _ in range(2):
        workload.model.zero_grad()
        loss = forward(workload)
        loss.backward()
    return ((torch.cuda.max_memory_allocated() if cuda else _status("VmHWM")) - before) / 1e6


def _status(name: str) -> int:
    """An entry of the status file, in bytes."""
    (line,) = (line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    print(json.dumps(measured(build(Sizes(**json.loads(sys.argv[1]))))))
