"""`python -m benchmarks.delays`: time and memory of a training step, against the longest delay.

A step: forward, backward, gradients of all weights and delays. Systems: `fast`, and `dcls`, a
network on a grid of 1 ms (`delay_lines`) with the weights and delays of `fast`. Each row is
measured in a process of its own, which a bound of memory and of time may end. A step of `fast` is
held against float64 and the identities after it is timed; a wrong one has no record. DCLS is the
authors' own package, an optional extra: a layer of ours would be compared with itself.
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.correctness import WRONG, Disagreement, in_precision
from benchmarks.delay_lines import Rival, check_installed
from benchmarks.sizes import DEFAULTS, Sizes
from benchmarks.speed import device_name, machine
from benchmarks.step import forward, in_turn, once, step
from benchmarks.workloads import build
from delayprop.spec.checks import positive_number, whole_number
from delayprop.spec.command import BAD_INPUT, OneLineParser, report
from delayprop.spec.errors import SpecError

ROOT = Path(__file__).parents[1]
PROG = "python -m benchmarks.delays"
SYSTEMS, BOTH = ("fast", "dcls"), ("float32", "float64")
LONGEST = (64, 128, 256, 512, 1024)  # ms, the longest delays of the default rows
WHOLE = (1, 256)
"""Hidden layers, and their neurons, for which `dcls` has all default rows; others have the first
alone. The time of its step grows with the delay: all rows would take hours."""
MINUTE = 60.0  # s: a first step that takes longer is the only one
SIZES = ("inputs", "hidden", "layers", "outputs", "batch", "spikes", "duration", "max_delay", "dtype")
MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Row:
    """One measurement: a system, its network and its threads."""

    system: str
    sizes: Sizes
    threads: int

    @property
    def key(self) -> dict:
        """The entries of a record that tell rows of one machine apart."""
        return {"system": self.system, **{name: getattr(self.sizes, name) for name in SIZES}, "threads": self.threads}

    def __str__(self) -> str:
        sizes = self.sizes
        network = "-".join(map(str, [sizes.inputs, *[sizes.hidden] * sizes.layers, sizes.outputs]))
        of_fast = f", {sizes.dtype}, threads: {self.threads}" if self.system == "fast" else ""
        return f"{self.system}, {network}, {sizes.max_delay:g} ms{of_fast}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit code 1: a wrong gradient, 2: bad options, or a system that is not
    installed, whose rows are left out."""
    default = DEFAULTS["shd-like"]
    parser = OneLineParser(PROG, "Time and memory of a step that learns delays, against the longest delay.")
    add = parser.add_argument
    add("--system", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="systems to run (default: all)")
    add("--layers", nargs="+", type=int, default=[1, 2], help="hidden layers (default: 1 2)")
    add("--hidden", nargs="+", type=int, default=[256, 512], help="neurons of each hidden layer (default: 256 512)")
    add("--max-delay", nargs="+", type=int, help="longest delays, whole ms (default: 64 to 1024; dcls: some of them)")
    add("--dtype", nargs="+", choices=BOTH, default=BOTH, help="precisions of fast (default: both)")
    add("--threads", nargs="+", type=int, default=[1, 2], help="threads of fast; dcls runs with the first")
    for name in ("batch", "inputs", "spikes"):
        add(f"--{name}", type=int, default=getattr(default, name), help=f"as in `shd-like` ({getattr(default, name)})")
    add("--duration", type=int, default=int(default.duration), help="of a trial, whole ms (default: %(default)s)")
    add("--repeats", type=int, default=2, help="timed steps, whose median counts, after one to warm up (default: 2)")
    add("--memory", type=float, help="GiB that a row may use (default: 80 %% of the free memory)")
    add("--seconds", type=float, default=600.0, help="a row may take (default: %(default)g)")
    add("--out", type=Path, default=Path("runs/delays.jsonl"), metavar="FILE", help="records (default: %(default)s)")
    add("--again", action="store_true", help="also run rows that the file has from this machine")
    return parser.run_writer(_run, argv)


def _run(options: argparse.Namespace) -> int:
    wanted, known = [*rows(options)], recorded(options.out)
    whole_number(options.repeats, "--repeats", 1, 1000, "give the number of steps to time")
    positive_number(options.seconds, "--seconds", "s")
    memory = free_memory() if options.memory is None else positive_number(options.memory, "--memory", "GiB")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    here, code = device_name("cpu"), 0
    try:
        if "dcls" in options.system:
            check_installed()
    except SpecError as error:
        code, wanted = report(PROG, error, BAD_INPUT), [row for row in wanted if row.system != "dcls"]
    for row in wanted:
        key = {**row.key, "device_name": here}
        if not options.again and any(key.items() <= one.items() for one in known):
            continue
        found = in_own_process(row, options.repeats, memory, options.seconds)
        for name, value in (("wrong", WRONG), ("refused", BAD_INPUT)):
            if name in found:
                code = WRONG if WRONG in (code, report(PROG, f"{row}: {found[name]}", value)) else value
        if "failed" in found:
            print(f"{row}: {found['failed']}", file=sys.stderr, flush=True)
        elif "seconds" in found:
            rate = " and ".join(f"{each:.1f}" for each in found["hidden_spikes_per_trial"])
            print(f"{row}: {found['seconds']:.3g} s a step, {found['mib_above_imports']:.0f} MiB above imports, "
                  f"{rate} spikes per hidden neuron and trial", flush=True)
        if found.keys() & {"failed", "seconds"}:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**key, **found}, allow_nan=False) + "\n")
    return code


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The rows that the options describe; `SpecError`: a size is out of range."""
    remedy = "give a number"
    for threads in options.threads:
        whole_number(threads, "--threads", 1, 1024, remedy)
    whole_number(options.duration, "--duration", 1, 1_000_000, "the grids step by 1 ms")
    given = {name: getattr(options, name) for name in ("batch", "inputs", "spikes")}
    of_fast = [*product(options.dtype, options.threads)]
    for layers, hidden, longest in product(options.layers, options.hidden, options.max_delay or LONGEST):
        whole_number(longest, "--max-delay", 1, 1_000_000, "the grids step by 1 ms")
        sizes = replace(
            DEFAULTS["shd-like"], layers=layers, hidden=hidden, max_delay=float(longest), w_mean=None,
            duration=float(options.duration), **given,
        )
        for system in options.system:
            if system == "fast":
                yield from (Row(system, replace(sizes, dtype=dtype), threads) for dtype, threads in of_fast)
            elif options.max_delay or (layers, hidden) == WHOLE or longest == LONGEST[0]:
                yield Row(system, sizes, options.threads[0])


def recorded(path: Path) -> list[dict]:
    """The records of a file; none where there is no file. `SpecError`: another content."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines]
    except ValueError:
        found = [None]
    if not all(isinstance(one, dict) and "system" in one for one in found):
        raise SpecError("--out", "a file of records of this command", str(path), "name another")
    return found


def free_memory() -> float:
    """80 % of the memory that is free, or where no system tells it of all memory, GiB."""
    free = _entry("/proc/meminfo", "MemAvailable:")
    if free is None:
        return 0.8 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return 0.8 * free / 1024


WORKER = "import sys; from benchmarks.delays import worker; worker(sys.argv[1])"


def in_own_process(row: Row, repeats: int, memory: float, seconds: float) -> dict:
    """The measurement of a row, or its end: `failed`, with the bound; `wrong`, `refused`: why."""
    asked = json.dumps({**asdict(row), "repeats": repeats, "memory": memory})
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-P", "-c", WORKER, asked]
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"takes more than {seconds:g} s", "seconds_bound": seconds}
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"ended with {ended.returncode}"])[-1]
        # A library that finds no memory may abort; its last line can be that of a traceback in C++.
        said = ended.stderr if ended.returncode < 0 else last
        if ended.returncode == -signal.SIGKILL or any(word in said.lower() for word in ("memory", "alloc")):
            return {"failed": f"needs more than {memory:.3g} GiB", "gib_bound": memory}
        return {"refused": last}
    found: dict = json.loads(ended.stdout.splitlines()[-1])
    return found


def worker(asked: str) -> None:
    """Measure one row within the bound of memory, and print the record."""
    given = json.loads(asked)
    row, bound = Row(given["system"], Sizes(**given["sizes"]), given["threads"]), int(given["memory"] * GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    try:
        found = measured(row, given["repeats"])
    except Disagreement as error:
        found = {"wrong": str(error)}
    except SpecError as error:
        found = {"refused": str(error)}
    print(json.dumps(found, allow_nan=False))


def measured(row: Row, repeats: int) -> dict:
    """Time and memory of the step of a row, a JSON object. `Disagreement`: `fast` is wrong."""
    torch.set_num_threads(row.threads)
    _load_all(row)
    imports = _mib("VmRSS")
    workload = build(row.sizes)
    rival = Rival(workload) if row.system == "dcls" else None
    network: nn.Module = workload.model if rival is None else rival
    loss: Callable[[], Tensor] = (lambda: forward(workload)) if rival is None else rival
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak from now on; elsewhere that of the process
    seconds, warm = [once(network, loss)[0]], 0
    if seconds[0] <= MINUTE:
        seconds, warm = [one[0] for one in in_turn([lambda: once(network, loss)], repeats)[0]], 1
    peak = _mib("VmHWM")
    found: dict = {
        "seconds": statistics.median(seconds), "repeats": len(seconds), "warm_up": warm,
        "mib": round(peak, 1), "mib_above_imports": round(peak - imports, 1), **machine("cpu"),
    }
    if rival is not None:
        spikes = rival.spikes_seen
        found["versions"]["dcls"] = version("dcls")
    else:
        _, found["gradient_error"], _ = in_precision(workload, workload.in_float64())
        spikes = [len(train.times) for train in step(workload).trains]
    return {**found, "hidden_spikes_per_trial": [each / (row.sizes.batch * row.sizes.hidden) for each in spikes]}


def _load_all(row: Row) -> None:
    """Load what belongs to no network: the kernels of `fast`, which find the first weights of all
    systems, and the package of a rival."""
    step(build(replace(row.sizes, layers=1, inputs=20, hidden=8, batch=2, spikes=400, duration=200.0, max_delay=16.0)))
    if row.system == "dcls":
        check_installed()


def _mib(name: str) -> float:
    """The memory of this process, MiB: `VmRSS` now, `VmHWM` the largest (not on Linux: both)."""
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)
    found = _entry("/proc/self/status", name)
    return largest if found is None else found


def _entry(file: str, name: str) -> float | None:
    """An entry of a file of Linux, in MiB; None: another system."""
    with suppress(OSError):
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return None


if __name__ == "__main__":
    sys.exit(main())
