"""The numbers of a run's log for TensorBoard, with `--tensorboard`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from delayprop.spec.errors import UnsupportedError, Verbatim

FOLDER = "tensorboard"


def check_tensorboard() -> None:
    """Refuses the option where the package `tensorboard` is missing."""
    if find_spec("tensorboard") is None:
        got = Verbatim("none")
        raise UnsupportedError("--tensorboard", "given where tensorboard is installed", got, "pip install tensorboard")


class ScalarWriter:
    """Writes the numbers of each log line by name; the step is the number of the line. A resumed
    run replaces the lines that it repeats."""

    def __init__(self, run: Path) -> None:
        self.path = run / FOLDER
        self._writer: Any = None

    def add(self, line: int, content: dict) -> None:
        """Writes one line of the log, counted from 1."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # an optional package, and seconds to import

            self._writer = SummaryWriter(str(self.path), purge_step=line)
        for name, value in _numbers(content, ""):
            self._writer.add_scalar(name, value, line)
        self._writer.flush()

    def close(self) -> None:
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
