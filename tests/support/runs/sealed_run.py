"""A training run under watch of the audit events of Python.

`python -m tests.support.runs.sealed_run REPORT PLANT [OPTIONS of fast.train]` refuses every socket,
and records every change of a file or folder and every start of a program. REPORT becomes a JSON
object of these records, up to the very end of the process. PLANT does something forbidden while the
data are drawn (a control), or nothing (`-`). Without options only PLANT runs. Audit events cover
functions of Python, not libraries of other languages.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod", "os.chown", "os.utime", "os.setxattr",
           "os.removexattr", "shutil.rmtree"}
OF_TWO = {"os.rename", "os.link", "os.symlink"}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"}


class NetworkError(Exception):
    """A refused socket."""


class Watch:
    def __init__(self) -> None:
        self.changed: list[list[str]] = []
        self.talked: list[str] = []
        self.started: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITES and not isinstance(path, int):
                self.note(event, path)
        elif event in CHANGES:
            self.note(event, arguments[0], arguments[-1])
        elif event in OF_TWO:
            self.note(event, arguments[0])
            self.note(event, arguments[1])
        elif event in STARTS:
            self.started.append(os.path.basename(os.fsdecode(arguments[0])))
        elif event.startswith("socket.") and event != "socket.gethostname":
            self.talked.append(event)
            raise NetworkError(event)

    def note(self, event: str, path: Any, folder: Any = -1) -> None:
        """Records a path, which may be relative to an open folder."""
        base = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) and folder >= 0 else os.getcwd()
        self.changed.append([event, os.path.normpath(os.path.join(base, os.fsdecode(path)))])


def connect_then_write() -> None:
    """The error of the socket is swallowed, as is common."""
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)
    except Exception as error:
        print(f"offline: {type(error).__name__}")
    Path("seen").write_text("x")


def in_an_open_folder() -> None:
    Path("there").mkdir()
    folder = os.open("there", os.O_RDONLY)
    os.mkdir("inner", dir_fd=folder)
    os.close(folder)


PLANTS: dict[str, Callable[[], object]] = {
    "-": lambda: None,
    "look up": lambda: socket.getaddrinfo("localhost", 80),
    "connect, then write": connect_then_write,
    "by number": lambda: os.close(os.open("seen", os.O_CREAT | os.O_WRONLY)),
    "rename": lambda: Path("given").rename("seen"),
    "remove": lambda: Path("given").unlink(),
    "in an open folder": in_an_open_folder,
    "at home": lambda: Path("~/.seen").expanduser().write_text("x"),
    "start": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
}


def train(plant: str, options: tuple[str, ...]) -> int:
    """Trains Yin-Yang on few points, and resumes at the end; without options only PLANT runs."""
    if not options:
        PLANTS[plant]()
        return 0
    from delayprop.fast import train  # under watch
    from delayprop.fast.tasks import yin_yang
    from tests.support.runs.reading import Patch, calls
    from tests.support.runs.short_runs import without_pictures

    with Patch.context() as patch, nullcontext() if plant == "-" else without_pictures():
        calls(patch, yin_yang, "points", lambda *_: PLANTS[plant]())
        patch.setattr(yin_yang, "POINTS", {"train": 60, "valid": 30, "test": 30})
        train.main(options)
        return train.main([*options, "--resume"])


def main(report: str, plant: str, *options: str) -> int:
    """Watches a training; returns the exit code."""
    watch, file = Watch(), open(report, "w", encoding="utf-8")  # noqa: SIM115 - closed at the very end
    atexit.register(file.close)  # first, and so called last
    atexit.register(lambda: json.dump(vars(watch), file))
    sys.addaudithook(watch)
    return train(plant, options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
