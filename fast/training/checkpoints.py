"""Checkpoints: a file is whole or absent, is checked when it is read, and the last two are kept.

A file is the state as `torch.save` writes it, under a seal (`data.seals`). It is written under
another name, synced to the disk, and then renamed. A file of a stranger takes no more memory than a
few times its length before it is refused.
"""

import hashlib
import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from delayprop.fast.data.new_files import HALF, content_of, write_whole
from delayprop.fast.data.seals import DamagedError, sealed, unsealed
from delayprop.spec.errors import SpecError, Verbatim, shown

FORMAT = "delayprop-checkpoint/3"  # /2 did not keep the accuracy that an early stop watches
KEPT = 2
NAME = re.compile(r"checkpoint-(\d{9}|[1-9]\d{9,})\.pt", re.ASCII)  # a file of another name is a user's own

GLOBALS = {
    "torch._utils _rebuild_tensor_v2", "collections OrderedDict",
    *(f"torch {kind}Storage" for kind in ("Float", "Double", "Long", "Bool")),
}
"""Everything that a state is made of; torch allows more, such as an array of any length."""
PLACES = 4  # a tensor stands in fewer places of a state


def checkpoints_in(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder by their steps, the newest first; none without the folder."""
    named = ((NAME.fullmatch(path.name), path) for path in folder.glob("checkpoint-*.pt"))
    return dict(sorted(((int(match[1]), path) for match, path in named if match), reverse=True))


class Checkpoints:
    """The checkpoints in the folder of a run; `own`: files left half written are removed."""

    def __init__(self, folder: Path, own: bool = True) -> None:
        self.folder = folder
        for path in folder.glob(f".*{HALF}") if own else ():
            path.unlink()

    def save(self, step: int, state: dict) -> Path:
        """Writes the state after `step` steps, and removes all but the two newest up to it."""
        path = self.folder / f"checkpoint-{step:09d}.pt"
        write_whole(path, encoded(state))
        until_now = [one for number, one in checkpoints_in(self.folder).items() if number <= step]
        for old in until_now[KEPT:]:
            old.unlink()
        return path

    def load(self, use: Callable[[dict], None] = lambda state: None) -> tuple[dict, list[str]]:
        """The newest intact state that `use` takes, and each newer file, with its damage.

        An error of `use` says that a state does not fit; without any that does, the error is a
        `SpecError`.
        """
        wrong: list[str] = []
        for path in checkpoints_in(self.folder).values():
            try:
                state = decoded(content_of(path))
            except (DamagedError, OSError) as error:
                wrong.append(f"{path.name} ({error})")
                continue
            try:
                use(state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                wrong.append(f"{path.name} (not of this run: {' '.join(str(error).split()) or type(error).__name__})")
            else:
                return state, wrong
        expected, remedy = "given with the --out of a run that has a checkpoint", "start a new run in another folder"
        if not wrong:
            raise SpecError("--resume", expected, Verbatim(f"{self.folder} without one"), "start without --resume")
        raise SpecError("--resume", expected, Verbatim("damaged ones"), f"{remedy}; damaged: {', '.join(wrong)}")


def check_content(state: dict, steps: float) -> None:
    """Refuses a state that is not of a run of at most `steps` steps."""
    if not isinstance(state, dict) or not isinstance(state.get("training"), dict):
        raise DamagedError("it has no training")
    if type(state.get("step")) is not int or not 0 <= state["step"] <= steps:
        raise DamagedError(f"its step is {shown(state.get('step'))} of {steps}")


def saved(state: dict) -> bytes:
    """What `torch.save` writes, made in memory: torch reports a full disk by errors of its own."""
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def encoded(state: dict) -> bytes:
    """The content of a checkpoint file with this state."""
    return sealed(FORMAT, saved(state))


def decoded(content: bytes) -> dict:
    """The state in a checkpoint's content; only tensors and plain values load, no code is executed.

    Content that is damaged, or of another format, raises `DamagedError`.
    """
    return loaded(unsealed(FORMAT, content))


def loaded(content: bytes) -> dict:
    """The state that `saved` wrote; only tensors and plain values load, no code is executed.

    `DamagedError`: it is none, or needs more memory than its length explains.
    """
    try:
        _check_archive(content)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Validating sparse tensor invariants")  # torch 2.15: that it is slow
            state: dict = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # noqa: TID251
    except DamagedError:
        raise
    except Exception as error:  # torch has no single error type for content that it refuses
        raise DamagedError(f"not tensors and plain values ({type(error).__name__})") from None
    _check_memory(state, PLACES * len(content))
    return state


def _check_archive(content: bytes) -> None:
    """Refuses an archive that states more bytes than the file has, or names a class of no state."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        names = {one.filename.lower() for one in members}  # torch finds them in any case
        if len(names) < len(members) or sum(one.file_size for one in members) > len(content):
            raise DamagedError("an archive that states more bytes than the file has")
        for one in members:
            if not one.filename.lower().endswith("data.pkl"):
                continue
            with archive.open(one) as file:
                steps = pickletools.genops(file.read(one.file_size))
                if others := {str(name) for step, name, _ in steps if step.name == "GLOBAL"} - GLOBALS:
                    raise DamagedError(f"not tensors and plain values ({min(others)})")


def _check_memory(state: object, room: int) -> None:
    """Refuses tensors whose numbers share their places, and a state of more than `room` bytes."""
    left = [state]
    while left:
        value = left.pop()
        if isinstance(value, Tensor):
            if not value.is_contiguous():
                raise DamagedError(f"numbers that share their places, in a tensor of shape {list(value.shape)}")
            room -= value.numel() * value.element_size()
        elif isinstance(value, dict | list | tuple):
            room -= len(value)
            if room >= 0:
                left += [*value, *value.values()] if isinstance(value, dict) else value
        if room < 0:
            raise DamagedError("a state that needs more memory than its length explains")


def digest(state: Any) -> str:
    """SHA-256 of every value in a state and its place there, for any file format."""
    sha = hashlib.sha256()
    _update(sha, state)
    return sha.hexdigest()


def _update(sha: Any, value: Any) -> None:
    if isinstance(value, dict):
        sha.update(f"dict {len(value)}".encode())
        for key in sorted(value, key=repr):
            _update(sha, key)
            _update(sha, value[key])
    elif isinstance(value, (list, tuple)):
        sha.update(f"list {len(value)}".encode())
        for entry in value:
            _update(sha, entry)
    elif isinstance(value, Tensor):
        sha.update(f"{value.dtype} {list(value.shape)}".encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    else:
        sha.update(repr(value).encode())
