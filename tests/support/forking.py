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
import shutil
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

HUNG = 1200
"""Seconds after which a child shows where it is, and fails; no test takes half of it."""
NO_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""A fork lacks the threads of its parent, so the parent starts none."""


@dataclass(frozen=True)
class Child:
    """A running child, with the folder of its streams."""

    pid: int
    streams: Path

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Exit code (minus the signal that ended the child) and output; removes the folder."""
        code = _ask({"wait": self.pid})
        texts = [(self.streams / name).read_text(encoding="utf-8") for name in ("out", "err")]
        shutil.rmtree(self.streams)
        return subprocess.CompletedProcess([], code, *texts)


def started(function: str, *arguments: Any, folder: Path = ROOT, environment: dict[str, str] | None = None) -> Child:
    """Forks a child that calls `function` ("module:name") with plain values (paths become strings)
    and exits with its result (None: 0); `environment`: variables besides those of this process."""
    streams = Path(tempfile.mkdtemp(prefix="delayprop-"))
    variables = {**os.environ, **(environment or {})}
    request = {"function": function, "arguments": arguments, "folder": folder, "streams": streams}
    return Child(_ask({**request, "environment": variables}), streams)


def called(function: str, *arguments: Any, **given: Any) -> subprocess.CompletedProcess[str]:
    """`started`, then `wait`."""
    return started(function, *arguments, **given).wait()


def command(name: str, *arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
    """`python -m NAME ARGUMENTS`; `given` as for `started`."""
    return called("tests.support.forking:run_module", name, *arguments, **given)


def run_module(name: str, *arguments: object) -> None:
    """`python -m NAME ARGUMENTS` in this process, which must be a child."""
    sys.argv = [name, *map(str, arguments)]
    sys.modules.pop(name, None)  # `runpy` would warn of it
    runpy.run_module(name, run_name="__main__", alter_sys=True)


@cache
def _server() -> subprocess.Popen[str]:
    """The server, for a test process: one JSON line per request, one number per answer."""
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.support.forking"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, **NO_THREADS}, text=True,
    )
    atexit.register(process.communicate)  # closes the pipe, which ends the server
    return process


def _ask(request: dict[str, Any]) -> int:
    """Sends a request; returns the answer, unless the server has ended."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    print(json.dumps(request, default=str), file=server.stdin, flush=True)
    answer = server.stdout.readline()
    assert answer, f"the server of forks ended with exit code {server.wait()}"
    return int(answer)


def serve() -> None:
    """Imports, then answers requests until the pipe closes."""
    import torch

    from tests.support.kernels import run_once

    for name in ("h5py", "hypothesis", "matplotlib.pyplot", "pytest"):
        import_module(name)
    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()  # imports torch's compiler
    run_once("layers", "float64", "layers", "float32")
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(_child(**request))
        print(answer, flush=True)


def _child(function: str, arguments: list[Any], folder: str, streams: str, environment: dict[str, str]) -> int:
    """Calls the function in the child; returns the exit code."""
    for path, stream in ((os.devnull, 0), (f"{streams}/out", 1), (f"{streams}/err", 2)):
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
