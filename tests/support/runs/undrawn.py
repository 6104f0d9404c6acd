"""`python -m tests.support.runs.undrawn OPTIONS`: `python -m fast.train` without its pictures.

A short run takes less time than its pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from fast import train

TASKS = ("sequence.task", "yin_yang", "braille", "shd", "ssc", "spikes")


def without_pictures(setattr: Callable[[str, Any], object]) -> None:
    """Replace the drawing of each task, by `monkeypatch.setattr` or the like."""
    for task in TASKS:
        setattr(f"fast.tasks.{task}.draw", lambda folder: [])


def main(*options: str) -> int:
    """Train; the exit code."""
    without_pictures(pytest.MonkeyPatch().setattr)
    return train.main(options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
