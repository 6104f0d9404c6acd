"""The folder of a training run: locked by one process, with a log that grows line by line."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from delayprop.fast.data.new_files import HALF, content_of, remove_now, unlinked, write_whole
from delayprop.fast.data.records import LOG, OPTIONS, SEAL, check_seal, digest_of, files_in, seal_of
from delayprop.fast.training.settings import with_defaults
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LOCK = ".lock"
TENSORBOARD = "tensorboard"  # folder of the log for TensorBoard, with `--tensorboard`
MAY_CHANGE = ("out", "resume", "save_seconds", "preset", "changed")
"""Options that may differ whenever a run is resumed; `preset` and `changed` say where settings come
from, and each setting is compared by itself."""
LONGEST = 60  # letters of a stored option in a message


class NotWrittenError(Exception):
    """The file system refused a file that the run must keep."""


class Folder:
    """The folder of a run. A process that does not write changes only `history`."""

    writes = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history: list[dict] = []
        self._sealed: dict[str, str] = {}  # the SHA-256 of each file, as long as the seal of the folder is right
        self._tensorboard: ScalarWriter | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Context in which a failed write (no space, no permission) raises `NotWrittenError`."""
        try:
            yield
        except OSError as error:
            where, remedy = error.filename or self.path, "make room" if error.errno in FULL else "put it right"
            raise NotWrittenError(f"{error.strerror or error}: {where}; {remedy}, then go on with --resume") from None

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all."""
        if self.writes:
            with self.writing():
                if self._sealed.get(name) != digest_of(content):
                    self._unseal()
                write_whole(self.path / name, content)

    def seal(self) -> None:
        """Seals the record of a run that has ended, unless its seal still fits."""
        if self.writes and not self._sealed:
            with self.writing():
                write_whole(self.path / SEAL, seal_of(files_in(self.path)))

    def _unseal(self) -> None:
        if self._sealed:
            remove_now(self.path / SEAL)
            self._sealed = {}

    def write(self, name: str, content: dict) -> None:
        self.write_bytes(name, (json.dumps(content, indent=1) + "\n").encode())

    def append(self, content: dict) -> None:
        """Appends a line to the log and to `history`, and its numbers to TensorBoard if wanted."""
        if self.writes:
            with self.writing():
                self._unseal()
                with open(self.path / LOG, "a", encoding="utf-8", opener=unlinked) as file:
                    file.write(json.dumps(content) + "\n")
                    file.flush()
                    os.fsync(file.fileno())  # the next checkpoint counts on these lines
                if self._tensorboard is not None:
                    self._tensorboard.add(len(self.history) + 1, content)
        self.history.append(content)

    def remove(self, name: str) -> None:
        if self.writes:
            with self.writing():
                self._unseal()
                (self.path / name).unlink(missing_ok=True)

    def truncate_log(self, lines: int) -> None:
        """Keeps the first lines of the log, as a resumed run repeats the later ones."""
        if not self.writes:
            return
        path = self.path / LOG
        try:
            found = content_of(path).decode("utf-8").splitlines() if path.exists() else []
            self.history = [json.loads(line) for line in found[:lines]]
            if not all(isinstance(line, dict) for line in self.history):
                raise ValueError("a line is no object")
        except (OSError, ValueError, RecursionError):
            found, self.history = [], []
        if len(self.history) < lines:
            got = Verbatim(f"{len(self.history)} of {lines} lines of {path}")
            raise SpecError("--resume", "given for a run whose log is complete", got, "start a new run")
        self.write_bytes(LOG, "".join(line + "\n" for line in found[:lines]).encode())

    def close(self) -> None:
        """Releases the lock."""


class RunFolder(Folder):
    """The folder of a run, locked until `close`, or until its process ends in any way.

    `options`: of the command line, stored with the run. `may_change`: those that may differ when
    this run is resumed, beside `MAY_CHANGE`. `SpecError`: the folder is not empty, holds no run to
    resume or one with other options, is in use, or cannot be created or read.
    """

    writes = True

    def __init__(
        self, out: str | None, task: str, options: dict, resume: bool = False, may_change: tuple[str, ...] = ()
    ) -> None:
        try:
            super().__init__(_existing(out) if resume else _new(out, task))
            # A soft lock would outlive a process that is killed.
            self._lock = FileLock(self.path / LOCK, timeout=0, fallback_to_soft=False, thread_local=False)
            self._lock.acquire()
        except Timeout:
            got = Verbatim(f"{self.path}, which another process uses")
            raise SpecError("--out", "a folder that no other run uses", got, "wait for it, or stop it") from None
        except OSError as error:  # the reason comes first: messages cut paths
            where = "" if error.filename is None else f": {error.filename}"
            got = Verbatim(f"{error.strerror or error}{where}")
            raise SpecError("--out", "a folder that can be made and read", got, "name another") from None
        self._tensorboard = ScalarWriter(self.path) if options.get("tensorboard") else None
        try:
            if resume:
                files = files_in(self.path, (OPTIONS, LOG))  # all others are written again
                self._sealed = check_seal(self.path, files, (OPTIONS, LOG), "restore it, or start a new run")
                before = _compare(self.path, files.get(OPTIONS, b""), options, {*MAY_CHANGE, *may_change})
                changed = {name for name in may_change if name in before or name in options}
                options = {**before, **{name: options.get(name) for name in changed}}
            self.write(OPTIONS, options)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._tensorboard is not None:
            self._tensorboard.close()
        self._lock.release()


def check_tensorboard() -> None:
    """Refuses the option where the package `tensorboard` is missing."""
    if find_spec("tensorboard") is None:
        got = Verbatim("none")
        raise UnsupportedError("--tensorboard", "given where tensorboard is installed", got, "pip install tensorboard")


class ScalarWriter:
    """Writes the numbers of each log line by name; the step is the number of the line. A resumed
    run replaces the lines that it repeats."""

    def __init__(self, run: Path) -> None:
        self.path = run / TENSORBOARD
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


def _new(out: str | None, task: str) -> Path:
    """A new or empty folder of this name; None: the first free `runs/<task>-<n>`."""
    if out is None:
        Path("runs").mkdir(exist_ok=True)
        numbers = count(1)
        while True:
            free = Path("runs") / f"{task}-{next(numbers)}"
            with suppress(FileExistsError):  # `mkdir` is the test, so no runs share it
                free.mkdir()
                return free
    if not out.isprintable():
        raise SpecError("--out", "a name of letters that can be printed", Verbatim(ascii(out)), "name another folder")
    path = Path(out)
    path.mkdir(parents=True, exist_ok=True)
    if not is_unstarted(path):
        got = Verbatim(f"{path}, which is not empty")
        raise SpecError("--out", "a new or empty folder", got, "nothing is overwritten; name another, or give --resume")
    return path


def is_unstarted(path: Path) -> bool:
    """Whether a folder is missing or empty, or has what a run leaves that was killed before its
    first checkpoint."""
    names = {one.name for one in path.iterdir()} - {LOCK, OPTIONS} if path.is_dir() else set()
    return all(name.startswith(".") and name.endswith(HALF) for name in names) and not path.is_file()


def _existing(out: str | None) -> Path:
    if out is None:
        raise SpecError("--resume", "given with --out", Verbatim("no --out"), "name the folder of the run")
    path = Path(out)
    if not (path / OPTIONS).exists():
        got = Verbatim(f"{path} without one")
        raise SpecError("--resume", "given with the --out of a run", got, "start without --resume")
    return path


def _compare(folder: Path, stored: bytes, options: dict, may_change: set[str]) -> dict:
    """The stored options; refuses changed options, and fewer epochs."""
    try:
        before = json.loads(stored)
        if not isinstance(before, dict) or "task" not in before:
            raise ValueError("it holds no options")
        before = with_defaults(before)
    except (ValueError, RecursionError) as error:
        got = Verbatim(f"{error}: {folder / OPTIONS}")
        raise SpecError("--resume", "given for a run with readable options", got, "start a new run") from None
    for name in sorted({*before, *options} - may_change):
        if before.get(name) != options.get(name):
            value = str(before.get(name))
            value = value if len(value) <= LONGEST else "that of its options.json"
            expected = f"{value}, as this run was started with"
            raise SpecError(f"--{name.replace('_', '-')}", expected, options.get(name), "give it, or start another run")
    if options.get("epochs", 0) < before.get("epochs", 0):
        expected = f"at least {before['epochs']}, as before"
        raise SpecError("--epochs", expected, options.get("epochs"), "give as many, or more")
    return before
