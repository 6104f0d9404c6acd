"""Files of a folder that a stranger may have prepared: no link in it leads to another file, and no
pipe makes a reader wait."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

HALF = ".half-written-by-delayprop"


def new_file(path: Path) -> BinaryIO:
    """Opens a new file for writing; an older one, or a link of this name, is removed first."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically: its name leads to the whole new content or to the previous file."""
    half = path.with_name(f".{path.name}{HALF}")
    try:
        with new_file(half) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
    _keep_names(path.parent)


def remove_now(path: Path) -> None:
    """Removes a file, if it is there, before anything that follows, whatever ends the machine."""
    path.unlink(missing_ok=True)
    _keep_names(path.parent)


def _keep_names(path: Path) -> None:
    """Makes the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def content_of(path: Path) -> bytes:
    """Reads a file; a pipe or a device, which might never end, is an `OSError`."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device", str(path))
        return file.read()


def unlinked(path: str, flags: int) -> int:
    """An `opener` of Python's `open` that follows no link in the last part of a path."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
