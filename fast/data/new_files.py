"""Files of a folder that a stranger may have prepared: no link in it leads to another file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def new_file(path: Path) -> BinaryIO:
    """Opens a new file for writing; an older one, or a link of this name, is removed first.

    Raises:
        OSError: the file cannot be made.
    """
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb")


def unlinked(path: str, flags: int) -> int:
    """An `opener` of Python's `open` that follows no link in the last part of a path."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
