"""Mutation testing of the adjoints: `python -m tests.tools.mutation ROOM...`.

A room is a set of files with a share of survivors of its own: `ROOMS`. cosmic-ray (`pip install -e
'.[mutation]'`) changes one operator, number, comparison or loop at a time. For each mutant the
checks of `tests/support/faults/findings.py` run on a copy of the package, in a process of its own,
until one has a finding. A mutant that raises or takes too long is counted apart. Numba compiles
nothing here. The processes are forked from one that has imported the unchanged modules, so a mutant
takes some seconds; POSIX only.

It is run before a release, with `--sample`, and not for each change of a file: the record tells the
date at which a file was tried.

Kernels of the GPU run in Numba's simulator: the room `cuda`, and others with `--simulated`, since
some functions of `physics` serve the GPU alone.
"""

import argparse
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests import ROOT
from tests.support.faults.planting import forget, plant
from tests.support.simulated_gpu import small_blocks
from tests.tools.mutated_module import TESTS, failing_test


def _files(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.py" for name in names.split())


ROOMS = {
    "reference": _files("reference", "jumps adjoint"),
    "physics": _files("fast/physics", "factors synapse currents adjoint driven response jump own_events bin_step"),
    "cpu": _files(
        "fast/cpu", "lookup special_lookup reached bin_ahead sensitivities vector_step backward recurrent_backward"
    ),
    "cuda": _files("fast/cuda", "lookup backward recurrent_backward"),
    "nn": tuple(file for file in TESTS if file.startswith("fast/nn")),
    "training": tuple(file for file in TESTS if file.startswith("fast/training")),
}
"""The adjoints: of the reference, the physics that all kernels of `fast` share, and its callers.
Then the modules between kernels and user that decide gradients, steps and accuracies."""
COMPILED = ("nn", "training")  # rooms that run beside compiled kernels
MODULES = tuple(file for files in ROOMS.values() for file in files)
NOT_APPLIED = ("Shift", "Bit", "Mod", "_Is", "Decorator", "Invert", "Exception", "Variable")
"""Operators that do not occur here, do not apply to floats, or change nothing uncompiled."""

SECONDS, MEMORY = 200, 4 << 30  # processor time, which a busy machine does not change
NOTICED, SURVIVED, BROKEN, TOO_LONG = "noticed", "survived", "broke off", "took too long"


@dataclass(frozen=True)
class Mutant:
    file: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str


def mutants(file: str) -> Iterator[tuple[Mutant, str]]:
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    source = (ROOT / file).read_text(encoding="utf-8")
    tree = get_ast_from_path(ROOT / file)
    for name in sorted(operator_names()):
        if any(part in name for part in NOT_APPLIED):
            continue
        operator = get_operator(name)()
        count = sum(len(list(operator.mutation_positions(node))) for node in ast_nodes(tree))
        for occurrence in range(count):
            text = mutate_code(source, operator, occurrence)
            if text is None or text == source:
                continue
            n, before, after = _difference(source, text)
            if not before.startswith(("def ", ") ->", '"')):
                yield Mutant(file, name.split("/")[1], occurrence, n, before, after), text


def _difference(source: str, text: str) -> tuple[int, str, str]:
    pairs = zip(source.splitlines(), text.splitlines(), strict=False)
    differing = ((n, a.strip(), b.strip()) for n, (a, b) in enumerate(pairs, start=1) if a != b)
    return next(differing, (0, "", "a line more or less at the end"))


def outcome(mutant: Mutant, text: str, evidence: bytes) -> tuple[str, str]:
    """The outcome of a mutant, and the check or test that found it."""
    if mutant.file in TESTS:
        return in_a_fork(lambda: failing_test(mutant.file, text))
    package = mutant.file.split("/")[0]
    with tempfile.TemporaryDirectory() as folder:
        plant(None, package, Path(folder))
        (Path(folder) / mutant.file).write_text(text, encoding="utf-8")
        return in_a_fork(lambda: first_finding(package, folder, evidence))


def first_finding(package: str, folder: str, evidence: bytes) -> str:
    """The first check with a finding in the copy, or ""."""
    forget("delayprop")
    sys.path.insert(0, folder)
    checks = importlib.import_module("tests.support.faults.findings")
    module = importlib.import_module(f"delayprop.{package}")
    if os.environ["NUMBA_ENABLE_CUDASIM"] == "1":
        small_blocks()
    assert str(module.__file__).startswith(folder), "not the copy"
    return next((name for name, value in checks.findings(package, evidence) if not value <= 1), "")


def in_a_fork(work: Callable[[], str]) -> tuple[str, str]:
    """Run `work` in a process of its own, with bounded time and memory."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.write(there, work().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return TOO_LONG, ""
    if status:
        return BROKEN, ""
    return (NOTICED, said) if said else (SURVIVED, "")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutation", description=__doc__, allow_abbrev=False)
    parser.add_argument("--sample", type=int, default=0, help="number of mutants per room, drawn by seed 0 (0: all)")
    parser.add_argument("--file", action="append", help="of the rooms this file alone, such as one that has changed")
    parser.add_argument("--simulated", action="store_true", help="run the kernels of the GPU")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mutation.json", help="default: %(default)s")
    parser.add_argument("rooms", nargs="+", choices=tuple(ROOMS), help="the record of all others stays")
    options = parser.parse_args()
    compiled = options.rooms[0] in COMPILED
    if len({(room == "cuda", room in COMPILED) for room in options.rooms}) > 1:
        parser.error("give `cuda`, which runs in Numba's simulator, or `nn` and `training` in a command of their own")
    on_cuda = not compiled and (options.simulated or options.rooms == ["cuda"])
    os.environ |= {"NUMBA_DISABLE_JIT": str(int(not compiled)), "NUMBA_ENABLE_CUDASIM": str(int(on_cuda))}
    for name in ("torch", "numba", "mpmath", "hypothesis", "delayprop.spec"):
        importlib.import_module(name)
    evidence = b"" if compiled else gathered(more=not on_cuda)
    record: dict = {"format": "delayprop-mutation/2", "files": {}, "survivors": []}
    if options.out.exists():
        record = json.loads(options.out.read_text(encoding="utf-8"))
    for room in options.rooms:
        files = [file for file in ROOMS[room] if options.file is None or file in options.file]
        for file in files:
            unchanged = outcome(Mutant(file, "none", 0, 0, "", ""), (ROOT / file).read_text(encoding="utf-8"), evidence)
            assert unchanged == (SURVIVED, ""), f"nothing is changed, and {unchanged}"
        everything = [pair for file in files for pair in mutants(file)]
        start(record, files, Counter(mutant.file for mutant, _ in everything))
        if options.sample and options.sample < len(everything):
            chosen = np.random.default_rng(0).choice(len(everything), options.sample, replace=False)
            everything = [everything[n] for n in sorted(chosen.tolist())]
        for n, (mutant, text) in enumerate(everything, start=1):
            result, by = outcome(mutant, text, evidence)
            counts = record["files"][mutant.file]
            counts["tried"] += 1
            counts[result] += 1
            if result == SURVIVED:
                record["survivors"].append({**asdict(mutant), "outcome": result, "by": by})
            options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            if result == SURVIVED or not n % 50:
                where = f"{mutant.file} {n}/{len(everything)}"
                print(f"{time.strftime('%H:%M')} {where} {result} {mutant.line}: {mutant.after}", flush=True)


def gathered(more: bool) -> bytes:
    """The evidence of the checks, from another process: this one must not import the packages."""
    code = f"from tests.support.faults.evidence import gather; import sys; sys.stdout.buffer.write(gather({more}))"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0", "NUMBA_DISABLE_JIT": "0"}
    return subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment)


def start(record: dict, files: list[str], mutants: Counter[str]) -> None:
    """Begin the record of files anew: date and counts of each, and the survivors."""
    for file in files:
        none = dict.fromkeys(("tried", NOTICED, BROKEN, TOO_LONG, SURVIVED), 0)
        record["files"][file] = {"date": time.strftime("%Y-%m-%d"), "mutants": mutants[file], **none}
    record["files"] = {file: record["files"][file] for file in MODULES if file in record["files"]}
    record["survivors"] = [one for one in record["survivors"] if one["file"] not in files]


if __name__ == "__main__":
    main()
