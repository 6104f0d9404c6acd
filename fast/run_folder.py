"""The folder of a training run: made for it, never shared, written line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spec import SpecError
from spec.errors import Verbatim


class RunFolder:
    """A new folder for one run.

    Args:
        out: where; must not exist, or be empty. None: the first free `runs/<task>-<n>`.

    Raises:
        SpecError: the folder holds something already, or cannot be made, read or written.
    """

    def __init__(self, out: str | None, task: str) -> None:
        with _refused_as("a folder that can be made and read", "name another"):
            self.path = _first_free(Path("runs"), task) if out is None else _new_or_empty(Path(out))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within, a write that fails (no room, no permission) is a `SpecError`."""
        with _refused_as("a folder with room to write", "make room, or name another"):
            yield

    def write(self, name: str, content: dict) -> None:
        """Write one JSON object as a file."""
        self.write_bytes(name, (json.dumps(content, indent=1) + "\n").encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self.writing():
            (self.path / name).write_bytes(content)

    def append(self, content: dict) -> None:
        """Add one line to `history.jsonl`."""
        with self.writing(), (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")


@contextmanager
def _refused_as(expected: str, remedy: str) -> Iterator[None]:
    """Name `--out` for what the file system refuses; its reason stands first, since a message cuts long paths."""
    try:
        yield
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        raise SpecError("--out", expected, Verbatim(f"{error.strerror or error}{where}"), remedy) from None


def _first_free(runs: Path, task: str) -> Path:
    """Make `<task>-<n>` with the lowest free `n`. Making it is the test: two runs started at once never share one."""
    runs.mkdir(exist_ok=True)
    n = 1
    while True:
        path = runs / f"{task}-{n}"
        try:
            path.mkdir()
        except FileExistsError:
            n += 1
        else:
            return path


def _new_or_empty(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        got = Verbatim(f"{path}, which is not empty")
        raise SpecError("--out", "a new or empty folder", got, "nothing is overwritten; name another")
    return path
