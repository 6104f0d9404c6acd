"""Reads the JSON records in the folder of a run, and checks their shape."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from delayprop.fast.data.new_files import content_of
from delayprop.spec.checks import described
from delayprop.spec.errors import SpecError, Verbatim

T = TypeVar("T")
NUMBER = "a finite number"
AMOUNT = "a finite number of at least 0"
AMOUNT_OR_NULL = f"{AMOUNT} or null"
COUNT = "a whole number of at least 0"
TEXT = "text"


class RecordError(SpecError):
    """A record that cannot be used; `brief`: the record, and what is wrong with it."""

    def __init__(
        self, name: str, expected: str, got: object, remedy: str = "give the folder of a finished run", brief: str = ""
    ) -> None:
        super().__init__(name, expected, Verbatim(got), remedy)
        self.brief = brief or f"{name}: {got}"


def history(run: Path, shape: dict) -> list[dict]:
    """The lines of `history.jsonl`, at least one, each of this shape; else `RecordError`."""
    name = "history.jsonl"
    lines = content(run, name, bytes.decode).splitlines()
    if not lines:
        raise RecordError(name, "at least one line", "an empty file")
    return [checked(line, shape, f"{name} line {n}") for n, line in enumerate(lines, start=1)]


def record(run: Path, name: str, shape: dict) -> dict:
    """The content of a JSON file of the run, of this shape; else `RecordError`."""
    return checked(content(run, name, bytes.decode), shape, name)


def content(run: Path, name: str, convert: Callable[[bytes], T]) -> T:
    """A file of the run, converted; `RecordError`: it cannot be read, or is no UTF-8."""
    try:
        return convert(content_of(run / name))
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error.strerror) if isinstance(error, OSError) else type(error).__name__
        expected = f"the folder of a finished run, with {name}"
        raise RecordError("RUN", expected, f"{reason}: {run}", brief=f"{name}: {reason}") from None


def checked(text: str, shape: dict, name: str) -> dict:
    """A JSON object of this shape; else `RecordError`."""
    try:
        found: dict = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(name, "JSON", error) from None
    check_shape(found, shape, name)
    return found


def check_shape(value: object, shape: object, name: str) -> None:
    """Refuses a value of another shape, by the name of the first entry that differs.

    A shape is `NUMBER`, `AMOUNT_OR_NULL`, `AMOUNT`, `COUNT` or `TEXT`; a set of choices; a dict of
    required keys (`key?` may be missing); a list of one shape: a list of one or more such values; a
    tuple of shapes: a list of that length.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise RecordError(name, "an object", _described(value))
        for key, inner in shape.items():
            if key.removesuffix("?") in value:
                check_shape(value[key.removesuffix("?")], inner, f"{name} {key.removesuffix('?')}")
            elif not key.endswith("?"):
                raise RecordError(name, f"an object with {key}", "one without")
    elif isinstance(shape, list | tuple):
        if not isinstance(value, list) or not value or (isinstance(shape, tuple) and len(value) != len(shape)):
            expected = "a list of at least one" if isinstance(shape, list) else f"a list of {len(shape)}"
            raise RecordError(name, expected, _described(value))
        for n, entry in enumerate(value):
            check_shape(entry, shape[n if isinstance(shape, tuple) else 0], f"{name}[{n}]")
    elif isinstance(shape, set | frozenset):
        if type(value) not in (str, int) or value not in shape:
            raise RecordError(name, "one of " + ", ".join(map(str, sorted(shape))), _described(value))
    elif not _is(value, shape):
        raise RecordError(name, str(shape), _described(value))


def _is(value: object, shape: object) -> bool:
    if shape == TEXT:
        return isinstance(value, str)
    if shape == COUNT:
        return type(value) is int and value >= 0
    if value is None:
        return shape == AMOUNT_OR_NULL
    if type(value) not in (int, float) or not abs(value) < math.inf:  # type: ignore[arg-type]
        return False
    return shape not in (AMOUNT, AMOUNT_OR_NULL) or value >= 0  # type: ignore[operator]  # a number by now


def _described(value: object) -> object:
    """Containers by kind and length, all else as JSON."""
    return described(value) if isinstance(value, dict | list) else json.dumps(value)
