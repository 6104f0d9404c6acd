"""The numbers of a run's log for TensorBoard, by option."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spec import UnsupportedError
from spec.errors import Verbatim

FOLDER = "tensorboard"


def check_board() -> None:
    """Refuse the option where the package is not there.

    Raises:
        UnsupportedError: it says how to get it.
    """
    if find_spec("tensorboard") is None:
        got = Verbatim("none")
        raise UnsupportedError("--tensorboard", "given where tensorboard is installed", got, "pip install tensorboard")


class Board:
    """Every number of every line, under its name, at the number of the line. What a resumed run repeats replaces what
    was there."""

    def __init__(self, run: Path) -> None:
        self.path = run / FOLDER
        self._writer: Any = None

    def add(self, line: int, content: dict) -> None:
        """One line of the log, counted from 1."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # takes seconds, and is not always there

            self._writer = SummaryWriter(str(self.path), purge_step=line)
        for name, value in _numbers(content, ""):
            self._writer.add_scalar(name, value, line)
        self._writer.flush()

    def close(self) -> None:
        """Give its file free."""
        if self._writer is not None:
            self._writer.close()


def _numbers(content: dict, prefix: str) -> list[tuple[str, float]]:
    found = []
    for name, value in content.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append((prefix + name, float(value)))
    return found
