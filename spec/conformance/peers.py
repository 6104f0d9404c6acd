"""The simulator that is graded: a Python function, or a command in a process of its own.

A failure of the simulator is an answer too; it never ends the run.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from delayprop.spec.case import Case
from delayprop.spec.conformance.cases import Stored
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim, printable, shown
from delayprop.spec.results import Result

NOT_OFFERED = 5  # exit code of a command that does not offer a case
MOST_OUTPUT = 64 * 2**20  # bytes; results of these cases have some thousand


@dataclass(frozen=True, eq=False)
class Answer:
    state: str  # `answered`, `not offered` or `failed`
    document: Mapping[str, object] | None  # the result, if answered
    reason: str | None  # one line, if not answered


Peer = Callable[[Stored], Answer]


def of_function(function: Callable[[Case], object]) -> Peer:
    """A peer from a function: `Case` to `Result`, or to a dictionary in its JSON layout."""

    def ask(one: Stored) -> Answer:
        try:
            found = function(one.case)
            if isinstance(found, Result):
                found = found.to_dict(one.case.network)
        except (UnsupportedError, NotImplementedError) as error:
            return Answer("not offered", None, _line(error) or "no reason given")
        except (Exception, SystemExit) as error:
            return _failed(f"{type(error).__name__}: {error}")
        if not isinstance(found, Mapping):
            return _failed(f"the function must return a Result or a dictionary, got {shown(found)}")
        return Answer("answered", found, None)

    return ask


def of_command(command: Sequence[str], timeout: float) -> Peer:
    """A peer from a command, to which the path of a case file is appended, and which prints its
    result within `timeout` s. The peer raises `SpecError` if there is no such program."""

    def ask(one: Stored) -> Answer:
        with TemporaryDirectory() as folder, TemporaryFile() as out, TemporaryFile() as err:
            path = Path(folder) / f"{one.name}.json"
            path.write_text(one.question, encoding="utf-8")
            try:
                process = subprocess.Popen([*command, str(path)], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                           start_new_session=True)
            except (OSError, ValueError) as error:
                got = Verbatim(f"{command[0]}: {getattr(error, 'strerror', None) or error}")
                raise SpecError("command", "a program that can be started", got, "give its path, quoted") from None
            try:
                ended_by = _wait(process, timeout, (out, err))
            finally:
                _kill(process)
            out.seek(0)
            err.seek(0)
            last = _line(err.read(MOST_OUTPUT).decode("utf-8", "replace").strip().rpartition("\n")[2])
            if ended_by is not None:
                return _failed(ended_by)
            if process.returncode == NOT_OFFERED:
                return Answer("not offered", None, last or "no reason given")
            if (code := process.returncode) != 0:
                ending = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
                return _failed(f"{ending}{last and ': '}{last}")
            return _parsed(out.read(MOST_OUTPUT))

    return ask


def _wait(process: subprocess.Popen[bytes], timeout: float, outputs: tuple[IO[bytes], ...]) -> str | None:
    """Wait until the process ends; the reason if it must be killed, else None."""
    end = time.monotonic() + timeout
    while True:
        try:
            process.wait(min(0.1, max(0.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                return f"not done after {timeout:g} s"
        if any(os.fstat(output.fileno()).st_size > MOST_OUTPUT for output in outputs):
            return f"more than {MOST_OUTPUT >> 20} MiB of output"
        if process.returncode is not None:
            return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process, unless it has ended, together with the processes that it has started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _parsed(output: bytes) -> Answer:
    try:
        found = json.loads(output.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        got = shown(output.decode("utf-8", "replace")) if output.strip() else "nothing"
        return _failed(f"standard output must be one JSON object ({type(error).__name__}: {error}), got {got}")
    if not isinstance(found, dict):
        return _failed(f"standard output must be one JSON object, got {shown(found)}")
    return Answer("answered", found, None)


def _failed(reason: str) -> Answer:
    return Answer("failed", None, _line(reason))


def _line(text: object) -> str:
    """The text in one line of at most 200 characters."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= 200 else line[:197] + "..."
