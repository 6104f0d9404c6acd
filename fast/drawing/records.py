"""Reading the folder of a run, checked, and the look that all pictures share."""

from __future__ import annotations

import json
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0b6fa4", "#d1495b", "#3a7d44", "#8a5a9e")

NUMBER = "a finite number"
NUMBER_OR_NULL = "a finite number or null"
COUNT = "a whole number of at least 0"
TEXT = "text"


class RecordError(ValueError):
    """A record that cannot be drawn: "`name` must be <expected>, got <got>; <remedy>"."""

    def __init__(self, name: str, expected: str, got: str, remedy: str = "give the folder of a finished run") -> None:
        super().__init__(f"`{name}` must be {expected}, got {got}; {remedy}")


def history(run: Path, shape: dict) -> list[dict]:
    """The lines of `history.jsonl`, at least one, each of this shape.

    Raises:
        RecordError: no such file, or a line of another shape.
    """
    name, lines = "history.jsonl", _read(run, "history.jsonl").splitlines()
    if not lines:
        raise RecordError(name, "at least one line", "an empty file")
    found = [_parsed(line, f"{name} line {n}") for n, line in enumerate(lines, start=1)]
    for n, line in enumerate(found, start=1):
        _check(line, shape, f"{name} line {n}")
    return found


def result(run: Path, shape: dict) -> dict:
    """What `result.json` holds, of this shape.

    Raises:
        RecordError: no such file, or another shape.
    """
    return _object(run, "result.json", shape)


def options(run: Path, shape: dict) -> dict:
    """What `options.json` holds, of this shape: the settings of the command line.

    Raises:
        RecordError: no such file, or another shape.
    """
    return _object(run, "options.json", shape)


def _object(run: Path, name: str, shape: dict) -> dict:
    found = _parsed(_read(run, name), name)
    _check(found, shape, name)
    return found


def _read(run: Path, name: str) -> str:
    try:
        return (run / name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise RecordError("RUN", f"the folder of a finished run, with {name}", f"{run} ({reason})") from None


def _parsed(text: str, name: str) -> dict:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(name, "JSON", str(error)) from None


def _check(value: object, shape: object, name: str) -> None:
    """Refuse a value of another shape.

    Args:
        shape: `NUMBER`, `NUMBER_OR_NULL`, `COUNT` or `TEXT`; a set of choices; a dict of the keys that are read (`key?`
            may be missing); a list of one shape: a list of one or more of it; a tuple of shapes: a list of that many.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise RecordError(name, "an object", _kind(value))
        for wanted, inner in shape.items():
            key = wanted.removesuffix("?")
            if key not in value:
                if key != wanted:
                    continue
                raise RecordError(name, f"an object with {key}", "one without")
            _check(value[key], inner, f"{name} {key}")
    elif isinstance(shape, list | tuple):
        if not isinstance(value, list) or not value or (isinstance(shape, tuple) and len(value) != len(shape)):
            expected = "a list of at least one" if isinstance(shape, list) else f"a list of {len(shape)}"
            raise RecordError(name, expected, _kind(value))
        for n, entry in enumerate(value):
            _check(entry, shape[n if isinstance(shape, tuple) else 0], f"{name}[{n}]")
    elif isinstance(shape, set | frozenset):
        if type(value) not in (str, int) or value not in shape:
            raise RecordError(name, "one of " + ", ".join(map(str, sorted(shape))), _kind(value))
    elif not _is(value, shape):
        raise RecordError(name, str(shape), _kind(value))


def _is(value: object, shape: object) -> bool:
    if shape == TEXT:
        return isinstance(value, str)
    if shape == COUNT:
        return type(value) is int and value >= 0
    if value is None:
        return shape == NUMBER_OR_NULL
    return type(value) in (int, float) and abs(value) < math.inf  # type: ignore[arg-type]  # a number by now


def _kind(value: object) -> str:
    """Containers by kind and length, all else as it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return json.dumps(value)[:60]


def plain(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Label the axes and take away what carries no information."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, run: Path, name: str) -> str:
    """Write the picture into the folder of its run; the path as text.

    Raises:
        OSError: the folder cannot be written to.
    """
    path = run / name
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return str(path)
