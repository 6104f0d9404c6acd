"""A line on a terminal for each kernel that is compiled, so that a first run never looks hung."""

from __future__ import annotations

import sys
import time
from typing import Any

from numba.core.event import Event, Listener, register

KERNELS = "fast."  # compiled functions of these modules are announced


class _Announcer(Listener):
    """Announces the outermost function that is being compiled; inner ones are parts of it."""

    def __init__(self) -> None:
        self.depth, self.began, self.started = 0, 0.0, False

    def on_start(self, event: Event) -> None:
        self.depth += 1
        name = _kernel(event.data["dispatcher"])
        if self.depth == 1 and name and sys.stderr.isatty():
            self.began, self.started = time.perf_counter(), True
            print(f"compiling {name}, once for this machine ...", end=" ", file=sys.stderr, flush=True)

    def on_end(self, event: Event) -> None:
        self.depth -= 1
        if self.depth == 0 and self.started:
            self.started = False
            print(f"{time.perf_counter() - self.began:.0f} s", file=sys.stderr, flush=True)


def _kernel(dispatcher: Any) -> str:
    """The name of a kernel in words; "" for a function of another package."""
    function = dispatcher.py_func
    return function.__name__.replace("_", " ") if function.__module__.startswith(KERNELS) else ""


register("numba:compile", _Announcer())
