"""A terminal is told which kernel is being compiled; a file or a pipe is not."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from numba.core.event import trigger_event

from fast.cpu.forward import forward_sweep
from fast.cpu.sorting import sort_by_bin


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
def test_each_kernel_is_announced_once(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner functions, and those of other packages, are not."""
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    compile_(forward_sweep, sort_by_bin)
    compile_(SimpleNamespace(py_func=io.open))
    compile_(sort_by_bin)
    lines = [f"compiling {name}, once for this machine ... 0 s" for name in ("forward sweep", "sort by bin")]
    assert screen.getvalue().splitlines() == (lines if terminal else [])
