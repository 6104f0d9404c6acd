"""The folder of a training run: made for it, never shared, written line by line."""

from __future__ import annotations

import json
from pathlib import Path

from spec import SpecError
from spec.errors import Verbatim


class RunFolder:
    """A new folder for one run.

    Args:
        out: where; must not exist, or be empty. None: the first free `runs/<task>-<n>`.

    Raises:
        SpecError: the folder holds something already, or cannot be made.
    """

    def __init__(self, out: str | None, task: str) -> None:
        if out is None:
            n = 1
            while (Path("runs") / f"{task}-{n}").exists():
                n += 1
            self.path = Path("runs") / f"{task}-{n}"
        else:
            self.path = Path(out)
        if self.path.is_dir() and any(self.path.iterdir()):
            got = Verbatim(f"{self.path}, which is not empty")
            raise SpecError("--out", "a new or empty folder", got, "nothing is overwritten; name another")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            got = Verbatim(f"{self.path}: {error.strerror}")
            raise SpecError("--out", "a folder that can be made", got, "name another") from None

    def write(self, name: str, content: dict) -> None:
        """Write one JSON object as a file."""
        (self.path / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def append(self, content: dict) -> None:
        """Add one line to `history.jsonl`."""
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
