"""The folder of a training run: made for it, held by one process at a time, its log written line by line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fast.training.checkpoints import HALF, write_whole
from fast.training.tensorboard import Board
from spec import SpecError
from spec.errors import Verbatim

OPTIONS, LOCK, LOG = "options.json", ".lock", "history.jsonl"
MAY_CHANGE = ("out", "resume", "save_seconds")
"""Options that any run may be resumed with another value of."""


class NotWrittenError(Exception):
    """The disk refused what a run has to keep."""


class RunFolder:
    """The folder of one run, locked until `close`. The system frees the lock of a process that ends, however it does.

    Args:
        out: where; must not exist, or be empty, unless the run is resumed. None: the first free `runs/<task>-<n>`.
        task: its name.
        options: of the command line, kept with the run.
        resume: whether a run that is there goes on.
        may_change: options that this run may be resumed with another value of; most are what it is.

    Raises:
        SpecError: the folder holds something already, holds no run to resume, or one with other options, is in use,
            or cannot be made or read.
        NotWrittenError: there is no room.
    """

    def __init__(
        self, out: str | None, task: str, options: dict, resume: bool = False, may_change: tuple[str, ...] = ()
    ) -> None:
        with _refused_as_option():
            self.path = _existing(out) if resume else _new(out, task)
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                got = Verbatim(f"{self.path}, where another process is at work")
                raise SpecError("--out", "a folder that no other run uses", got, "wait for it, or stop it") from None
        self.history: list[dict] = []
        self._board = Board(self.path) if options.get("tensorboard") else None
        try:
            if resume:
                before = _compare(self.path, options, {*MAY_CHANGE, *may_change})
                self.write(OPTIONS, {**before, **{name: options[name] for name in may_change if name in options}})
            else:
                self.write(OPTIONS, options)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the folder free."""
        if self._board is not None:
            self._board.close()
        os.close(self._lock)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Within, a write that fails (no room, no permission) is a `NotWrittenError`."""
        try:
            yield
        except OSError as error:
            where = error.filename or self.path
            raise NotWrittenError(f"{error.strerror or error}: {where}; make room, then go on with --resume") from None

    def write(self, name: str, content: dict) -> None:
        """Write one JSON object as a file."""
        self.write_bytes(name, (json.dumps(content, indent=1) + "\n").encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        with self.writing():
            write_whole(self.path / name, content)

    def append(self, content: dict) -> None:
        """Add one line to the log, and to `history`; its numbers go to TensorBoard too, if that was asked for."""
        with self.writing(), (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a checkpoint counts on its lines
        self.history.append(content)
        if self._board is not None:
            with self.writing():
                self._board.add(len(self.history), content)

    def discard(self, name: str) -> None:
        """Remove a file that is no longer true."""
        with self.writing():
            (self.path / name).unlink(missing_ok=True)

    def go_back_to(self, lines: int) -> None:
        """Keep the first so many lines of the log: what came after them is done again.

        Raises:
            SpecError: there are fewer.
        """
        path = self.path / LOG
        try:
            found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            self.history = [json.loads(line) for line in found[:lines]]
        except ValueError:
            found, self.history = [], []
        if len(self.history) < lines:
            got = Verbatim(f"{len(self.history)} of {lines} lines of {path}")
            raise SpecError("--resume", "given for a run whose log is whole", got, "start it anew")
        self.write_bytes(LOG, "".join(line + "\n" for line in found[:lines]).encode())


@contextmanager
def _refused_as_option() -> Iterator[None]:
    """Name `--out` for what the file system refuses; its reason stands first, since a message cuts long paths."""
    try:
        yield
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        got = Verbatim(f"{error.strerror or error}{where}")
        raise SpecError("--out", "a folder that can be made and read", got, "name another") from None


def _new(out: str | None, task: str) -> Path:
    if out is None:
        return _first_free(Path("runs"), task)
    path = Path(out)
    path.mkdir(parents=True, exist_ok=True)
    begun = {one.name for one in path.iterdir()} - {LOCK, OPTIONS}  # what a run leaves that was killed before its first
    if any(not (name.startswith(".") and name.endswith(HALF)) for name in begun):
        got = Verbatim(f"{path}, which is not empty")
        raise SpecError("--out", "a new or empty folder", got, "nothing is overwritten; name another, or give --resume")
    return path


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


def _existing(out: str | None) -> Path:
    if out is None:
        raise SpecError("--resume", "given with --out", Verbatim("no --out"), "name the folder of the run")
    path = Path(out)
    if not (path / OPTIONS).is_file():
        got = Verbatim(f"{path} without one")
        raise SpecError("--resume", "given with the --out of a run", got, "start it without")
    return path


def _compare(folder: Path, options: dict, may_change: set[str]) -> dict:
    """Refuse options other than those the run was started with, or fewer epochs; what they were."""
    try:
        before = json.loads((folder / OPTIONS).read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError("it holds no options")
    except (OSError, ValueError) as error:
        got = Verbatim(f"{folder / OPTIONS} that cannot be read ({error})")
        raise SpecError("--resume", "given for a run that is whole", got, "start it anew") from None
    for name in sorted({*before, *options} - may_change):
        if before.get(name) != options.get(name):
            expected = f"{before.get(name)}, as this run was started with"
            raise SpecError(f"--{name.replace('_', '-')}", expected, options.get(name), "or start another run")
    if options.get("epochs", 0) < before.get("epochs", 0):
        expected = f"at least {before['epochs']}, as before"
        raise SpecError("--epochs", expected, options.get("epochs"), "give as many, or more")
    return before
