"""A terminal shows a bar while a kernel is being compiled; a file or a pipe shows one line."""

from __future__ import annotations

import io
import re
import sys
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
from numba.core.event import trigger_event

from delayprop.fast.compiling.announcing import TOLD, announcer, to_compile
from delayprop.fast.cpu.forward import forward_sweep, forward_trial
from delayprop.fast.cpu.sorting import sort_by_bin


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def compile_(outer: Any, *inner: Any) -> None:
    with trigger_event("numba:compile", data={"dispatcher": outer}):
        for one in inner:
            compile_(one)


@pytest.mark.parametrize("terminal", [True, False])
def test_each_kernel_has_a_bar(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner functions, and kernels of other packages, have none. No terminal: one line for all."""
    screen = Screen(terminal)
    monkeypatch.setattr(announcer, "told", False)
    monkeypatch.setattr(sys, "stderr", screen)
    compile_(forward_sweep, forward_trial)
    compile_(SimpleNamespace(py_func=io.open))
    compile_(sort_by_bin)
    shown = screen.getvalue()
    for name, times in (("forward sweep", 1), ("sort by bin", 1), ("forward trial", 0), ("open", 0)):
        assert (f"compiling {name}, once for this machine   0%|" in shown) == (terminal and times)
    if terminal:
        assert not shown.rpartition("\r")[2].strip(), "the line is free again"
    else:
        assert shown == f"{TOLD}\n"


def test_functions_of_an_earlier_kernel_do_not_count() -> None:
    def before() -> None: ...
    def after() -> None: ...

    named = {
        "early": SimpleNamespace(py_func=before, overloads={1: 1}),
        "late": SimpleNamespace(py_func=after, overloads={}),
    }
    kernel = FunctionType(compile("early(), late()", "kernel", "exec"), named)
    assert to_compile(SimpleNamespace(py_func=kernel, overloads={})) == {kernel, after}
    assert to_compile(SimpleNamespace(py_func=kernel, overloads={1: 1})) == {kernel, before, after}


def test_the_bar_counts_the_to_compile_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    functions = to_compile(forward_sweep)
    names = {function.__name__ for function in functions}
    assert {"forward_sweep", "forward_trial", "collect"} < names and len(names) > 30
    inner = [SimpleNamespace(py_func=one) for one in functions if one.__name__ != "forward_sweep"]
    compile_(forward_sweep, *inner, *inner)  # for several types, some are compiled several times
    shown = [int(percent) for percent in re.findall(r"(\d+)%", screen.getvalue())]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] == 100 and len(set(shown)) > 30
