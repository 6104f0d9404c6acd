"""Shows on standard error that kernels are being compiled, so that a first run never looks hung.

On a terminal each kernel has a bar; elsewhere, as in a notebook or a log, one line comes first.
Both give about the number of kernels that are left.
"""

import sys
from types import FunctionType
from typing import Any

from numba.core.event import Event, Listener, register
from tqdm import tqdm

KERNELS = "delayprop.fast."  # compiled functions of these modules are announced
TOLD = "delayprop compiles its kernels, about {}, once for this machine: a minute or two"
LINE = "{desc} {percentage:3.0f}%|{bar}| {elapsed}"

imported: list[Any] = []  # kernels


class _Announcer(Listener):
    """Announces the outermost function that is being compiled; its bar counts the functions that it
    calls, which are compiled before it."""

    def __init__(self) -> None:
        self.depth, self.told = 0, False
        self.bar: tqdm | None = None
        self.left: set[FunctionType] = set()

    def on_start(self, event: Event) -> None:
        self.depth += 1
        outermost = event.data["dispatcher"]
        if self.depth > 1 or sys.stderr is None or not outermost.py_func.__module__.startswith(KERNELS):
            return
        if sys.stderr.isatty():
            self.left = to_compile(outermost)
            name = f"compiling {outermost.py_func.__name__.replace('_', ' ')}, once for this machine"
            if (others := waiting(outermost)) > 0:
                name += f", about {others} more"
            self.bar = tqdm(desc=name, total=len(self.left), leave=False, mininterval=0, bar_format=LINE)
        elif not self.told:
            self.told = True
            print(TOLD.format(1 + waiting(outermost)), file=sys.stderr, flush=True)

    def on_end(self, event: Event) -> None:
        self.depth -= 1
        if self.bar is not None:
            self.left.discard(event.data["dispatcher"].py_func)
            self.bar.update(self.bar.total - len(self.left) - self.bar.n)
            if self.depth == 0:
                self.bar.close()
                self.bar = None


def waiting(kernel: Any) -> int:
    """The number of kernels that are compiled for no more types than `kernel` is, which is being
    compiled: a network needs most kernels, and each for about as many types."""
    return sum(one is not kernel and len(one.overloads) <= len(kernel.overloads) for one in imported)


def to_compile(kernel: Any) -> set[FunctionType]:
    """The functions that are compiled with a kernel, itself included.

    They are found by the names in the code of each. A function that an earlier kernel calls too is
    compiled already; if this kernel itself is, then for other types, and all are compiled anew.
    """
    found, unread = {kernel.py_func}, [kernel.py_func]
    while unread:
        function = unread.pop()
        named = (function.__globals__.get(name) for name in function.__code__.co_names)
        new = {
            one.py_func for one in named
            if hasattr(one, "py_func") and (getattr(kernel, "overloads", None) or not getattr(one, "overloads", None))
        } - found
        found |= new
        unread += new
    return found


announcer = _Announcer()
register("numba:compile", announcer)
