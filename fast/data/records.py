"""The record of a run: the files in its folder, under one seal; and lines of JSON typed by hand.

The seal, `seal.sha256`, has the SHA-256 of each file. It is the last file that a run writes, and
the first that goes when another changes, so it fits whenever a run is killed. A folder without one
is read with a warning: an older version wrote it, or its run has not ended.
"""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from delayprop.fast.data.new_files import content_of
from delayprop.fast.data.seals import DamagedError, sealed, unsealed
from delayprop.spec.checks import described
from delayprop.spec.errors import SpecError, Verbatim, printable

OPTIONS, LOG, RESULT, NETWORK, ARRAYS = "options.json", "history.jsonl", "result.json", "network.pt", "page.npz"
FILES = (OPTIONS, LOG, RESULT, NETWORK, ARRAYS)
SEAL, FORMAT = "seal.sha256", "delayprop-run/1"
NUMBER, AMOUNT = "a finite number", "a finite number of at least 0"
COUNT, TEXT = "a whole number of at least 0", "text"
PAIRS = "a list of pairs of whole numbers of at least 0"


class RecordError(SpecError):
    """A record that cannot be used."""

    def __init__(self, name: str, expected: str, got: object, remedy: str) -> None:
        super().__init__(name, expected, Verbatim(got), remedy)


class Record:
    """The files of a run, as the run wrote them.

    `RecordError`: a file has changed since, cannot be read, or is missing when it is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, files_in(folder) if folder.is_dir() else {}
        if not self.files:
            got = "one without its files" if folder.is_dir() else "no such folder"
            raise RecordError(str(folder), "the folder of a finished run", got, "give the folder of `--out`")
        if not check_seal(folder, self.files, FILES, "restore it, or --resume the run"):
            unknown = "an older version wrote it, or its run has not ended; its files are not checked"
            print(printable(f"warning: {folder} has no seal: {unknown}"), file=sys.stderr)

    def content(self, name: str) -> bytes:
        if name not in self.files:
            raise RecordError(
                str(self.folder), "the folder of a finished run", f"no {name}", "let it finish, or --resume it"
            )
        return self.files[name]

    @cached_property
    def options(self) -> dict[str, Any]:
        return self._objects(OPTIONS, [self.content(OPTIONS)])[0]

    @cached_property
    def result(self) -> dict[str, Any]:
        return self._objects(RESULT, [self.content(RESULT)])[0]

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the log, at least one."""
        return self._objects(LOG, self.content(LOG).splitlines())

    def _objects(self, name: str, texts: Sequence[bytes]) -> list[dict[str, Any]]:
        with of_this_version(self.folder):
            found = [json.loads(text) for text in texts]
            if not found or not all(isinstance(one, dict) for one in found):
                raise DamagedError(f"{name} without a JSON object per {'line' if name == LOG else 'file'}")
        return found


@contextmanager
def of_this_version(folder: Path) -> Iterator[None]:
    """Context that takes values of a record: files without a seal may have others, and so may those
    of another version."""
    try:
        yield
    except (SpecError, OSError):
        raise
    except Exception as error:  # no single type: a missing entry, a network or an array of another shape
        reason = str(error) if isinstance(error, DamagedError) else f"{type(error).__name__}: {error}"
        expected, remedy = "the folder of a run of this version", "restore the file, or train again"
        raise RecordError("RUN", expected, f"{reason}: {folder}", remedy) from error  # messages cut paths


def files_in(folder: Path, names: Sequence[str] = FILES) -> dict[str, bytes]:
    """The content of each of these files that is there; `RecordError`: one cannot be read."""
    found = {}
    for name in names:
        try:
            found[name] = content_of(folder / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            got = f"{name}: {error.strerror}"
            raise RecordError(str(folder), "a folder whose files can be read", got, "put it right") from None
    return found


def seal_of(files: Mapping[str, bytes]) -> bytes:
    """The content of the seal: a line per file, as the program `sha256sum` prints it."""
    return sealed(FORMAT, "".join(f"{digest_of(content)}  {name}\n" for name, content in files.items()).encode())


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_seal(folder: Path, files: Mapping[str, bytes], names: Sequence[str], remedy: str) -> dict[str, str]:
    """The SHA-256 of each file of the sealed folder; empty: it has no seal.

    `RecordError`: among these names a file is not that of the seal; `files`: those that are there.
    """
    try:
        body = unsealed(FORMAT, content_of(folder / SEAL)).decode()
        known = {name: digest for digest, name in (line.split("  ") for line in body.splitlines())}
        wrong = [
            f"{name} {'changed' if name in known and name in files else 'missing' if name in known else 'added'}"
            for name in names if known.get(name) != (digest_of(files[name]) if name in files else None)
        ]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        wrong = [f"{SEAL} changed ({error.strerror if isinstance(error, OSError) else error})"]
    if wrong:
        raise RecordError(str(folder), "as the run wrote it", ", ".join(wrong), remedy)
    return known


def checked(text: str, shape: Mapping[str, str], name: str, remedy: str) -> dict[str, Any]:
    """A JSON object that someone may have typed; `RecordError`: it has not these entries.

    `shape`: the kind of each entry, a key of `KINDS`; `key?` may be missing.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(name, "JSON", error, remedy) from None
    if not isinstance(found, dict):
        raise RecordError(name, "an object", described(found), remedy)
    for key, kind in shape.items():
        if (known := key.removesuffix("?")) in found:
            if not KINDS[kind](value := found[known]):
                got = described(value) if isinstance(value, dict | list) else json.dumps(value)
                raise RecordError(f"{name} {known}", kind, got, remedy)
        elif known == key:
            raise RecordError(name, f"an object with {key}", "one without", remedy)
    return found


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < math.inf


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


KINDS: dict[str, Callable[[Any], bool]] = {
    NUMBER: _is_number, AMOUNT: lambda value: _is_number(value) and value >= 0, COUNT: _is_count,
    TEXT: lambda value: isinstance(value, str),
    PAIRS: lambda value: isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and all(map(_is_count, one)) for one in value
    ),
}
