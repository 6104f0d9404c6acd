"""Checkpoints: written whole or not at all, checked when they are read, the last two kept.

A file is one line of JSON, with the format, the length and the SHA-256 of what follows, and then what `torch.save`
makes of the state. It is written under another name in the same folder, brought to the disk, and then renamed: so
whatever ends the process, a file that has the name of a checkpoint is one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spec import SpecError
from spec.errors import Verbatim

FORMAT = "delayprop-checkpoint/2"  # /1 held no settings, no first network, and no end that validation set
KEPT = 2
PATTERN, HALF = "checkpoint-*.pt", ".half-written-by-delayprop"


class DamagedError(ValueError):
    """A checkpoint that is not what was written."""


class Checkpoints:
    """Those of one run, in its folder.

    Args:
        folder: of the run.
        own: whether this process holds it. What a killed one has half written there is removed then; nothing else is
            touched.
    """

    def __init__(self, folder: Path, own: bool = True) -> None:
        self.folder = folder
        for path in folder.glob(f".*{HALF}") if own else ():
            path.unlink()

    def paths(self) -> list[Path]:
        """Those there are, the newest first."""
        return sorted(self.folder.glob(PATTERN), reverse=True)

    def save(self, step: int, state: dict) -> Path:
        """Write the state after so many steps, and remove all but the last two.

        Raises:
            OSError: it cannot be written; those that are there stay as they are.
        """
        path = self.folder / f"checkpoint-{step:09d}.pt"
        write_whole(path, encoded(state))
        for old in self.paths()[KEPT:]:
            old.unlink()
        return path

    def load(self) -> tuple[dict, list[str]]:
        """The newest state that is whole, and what is wrong with those that are newer.

        Raises:
            SpecError: there is none.
        """
        wrong: list[str] = []
        for path in self.paths():
            try:
                return decoded(path.read_bytes()), wrong
            except (DamagedError, OSError) as error:
                wrong.append(f"{path.name}: {error}")
        got = Verbatim("; ".join(wrong) if wrong else f"{self.folder} without one")
        raise SpecError("--resume", "given with the --out of a run that has a checkpoint", got, "start it without")


def encoded(state: dict) -> bytes:
    """The state as the bytes of a checkpoint."""
    content = io.BytesIO()
    torch.save(state, content)
    body = content.getvalue()
    head = {"format": FORMAT, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body


def decoded(content: bytes) -> dict:
    """The state of a checkpoint's bytes. Only tensors and plain values are read: nothing in a file is run.

    Raises:
        DamagedError: the bytes are not those that were written, or of a format that this version does not know.
    """
    line, _, body = content.partition(b"\n")
    try:
        head = json.loads(line)
        length, digest, kind = int(head["bytes"]), str(head["sha256"]), str(head["format"])
    except (ValueError, KeyError, TypeError):
        raise DamagedError("no checkpoint of this project, or its first line is damaged") from None
    if kind != FORMAT:
        raise DamagedError(f"of format {kind}; this version reads {FORMAT}: go on with the version that wrote it")
    if len(body) != length:
        raise DamagedError(f"{len(body)} bytes of {length}")
    if hashlib.sha256(body).hexdigest() != digest:
        raise DamagedError("its checksum is wrong")
    try:
        state: dict = torch.load(io.BytesIO(body), weights_only=True)
    except Exception as error:  # torch has no one type for what it refuses
        raise DamagedError(f"not tensors and plain values ({type(error).__name__})") from None
    return state


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that under its name there is all of it, or what was there before, at any moment.

    Raises:
        OSError: it cannot be written; then nothing is left of it.
    """
    half = path.with_name(f".{path.name}{HALF}")
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name itself
    finally:
        os.close(folder)


def digest(state: Any) -> str:
    """SHA-256 of a state: of every number in it and its place, whatever file it came from."""
    found = hashlib.sha256()
    _add(found, state)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, dict):
        found.update(f"dict {len(value)}".encode())
        for key in sorted(value, key=repr):
            _add(found, key)
            _add(found, value[key])
    elif isinstance(value, (list, tuple)):
        found.update(f"list {len(value)}".encode())
        for entry in value:
            _add(found, entry)
    elif isinstance(value, Tensor):
        found.update(f"{value.dtype} {list(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    else:
        found.update(repr(value).encode())
