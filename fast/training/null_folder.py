"""What a process that does not write has instead of a run's folder: its path and history, and nothing on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fast.training.run_folder import RunFolder


class Follower:
    """The folder of a run that another process writes."""

    def __init__(self, path: Path) -> None:
        self.path, self.history = path, list[dict]()

    def close(self) -> None:
        """There is nothing to give free."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nothing is written within."""
        yield

    def write(self, name: str, content: dict) -> None:
        """Not here."""

    def write_bytes(self, name: str, content: bytes) -> None:
        """Not here."""

    def discard(self, name: str) -> None:
        """Not here."""

    def append(self, content: dict) -> None:
        """Only to the history."""
        self.history.append(content)

    def go_back_to(self, lines: int) -> None:
        """The history is the writer's."""


Folder = RunFolder | Follower
