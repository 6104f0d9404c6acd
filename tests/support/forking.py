"""Child processes of a process that has imported torch, Numba and pytest, and loaded the kernels.

A fresh interpreter spends two seconds of CPU time on imports. One server per test process spends
them once and forks a child per request. Each child has its own folder, environment, streams and
exit code. Use `subprocess` to test imports, `python -m` itself or the seed of hashes.
"""

import atexit
import faulthandler
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests import ROOT

HUNG = 1200  # s after which a child shows where it is, and fails; no test takes half of it
NO_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork lacks the threads of its parent


@dataclass(frozen=True)
class Child:
    pid: int
    out: Path
    err: Path

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Exit code (minus the signal that ended the child) and output; removes both files."""
        code = _server().ask({"wait": self.pid})
        texts = [path.read_text(encoding="utf-8") for path in (self.out, self.err)]
        self.out.unlink()
        self.err.unlink()
        return subprocess.CompletedProcess([], code, *texts)


def started(function: str, *arguments: Any, folder: Path = ROOT, environment: dict[str, str] | None = None) -> Child:
    """Forks a child that calls `function` ("module:name") and exits with its result (None: 0).

    `arguments` are plain values; paths become strings. `environment`: besides that of this process.
    """
    out, err = (_empty_file() for _ in range(2))
    request = {
        "function": function, "arguments": arguments, "folder": folder, "out": out, "err": err,
        "environment": {**os.environ, **(environment or {})},
    }
    return Child(_server().ask(request), out, err)


def _empty_file() -> Path:
    number, name = tempfile.mkstemp(prefix="delayprop-")
    os.close(number)
    return Path(name)


def called(
    function: str, *arguments: Any, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`started`, then `wait`."""
    return started(function, *arguments, folder=folder, environment=environment).wait()


def command(name: str, *arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
    """`python -m NAME ARGUMENTS`; `given` as for `started`."""
    return started_command(name, *arguments, **given).wait()


def started_command(name: str, *arguments: object, **given: Any) -> Child:
    """`command` without `wait`."""
    return started("tests.support.forking:run_module", name, *arguments, **given)


def run_module(name: str, *arguments: object) -> None:
    """`python -m NAME ARGUMENTS` in this process, which must be a child."""
    sys.argv = [name, *map(str, arguments)]
    sys.modules.pop(name, None)  # `runpy` would warn of it
    runpy.run_module(name, run_name="__main__", alter_sys=True)


class Server:
    """The server, for a test process: one JSON line per request, one number per answer."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "tests.support.forking"]
        path = [*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), **NO_THREADS}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.process.communicate)  # closes the pipe, which ends the server

    def ask(self, request: dict[str, Any]) -> int:
        """Sends a request; returns the answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(request, default=str), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, f"the server of forks ended with exit code {self.process.wait()}"
        return int(answer)


_server = cache(Server)


def serve() -> None:
    """Imports, then answers requests until the pipe closes."""
    import h5py  # noqa: F401
    import hypothesis  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pytest  # noqa: F401
    import torch

    from delayprop.fast.run import run_case
    from tests.support.networks.strategies import seeded_case

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()  # imports torch's compiler
    for precision in ("float32", "float64"):
        run_case(seeded_case(1, "layers"), precision)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(_child(**request))
        print(answer, flush=True)


def _child(function: str, arguments: list[Any], folder: str, out: str, err: str, environment: dict[str, str]) -> int:
    """Calls the function in the child; returns the exit code."""
    for path, stream in ((os.devnull, 0), (out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if stream else os.O_RDONLY), stream)
    code: Any = 1
    faulthandler.dump_traceback_later(HUNG, exit=True, file=2)
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        name, _, attribute = function.partition(":")
        code = getattr(import_module(name), attribute)(*arguments)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return int(code or 0)


if __name__ == "__main__":
    serve()
