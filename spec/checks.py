"""Checks of single values and arrays; each raises `SpecError` with the name it was given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from spec.errors import SpecError, Verbatim

MAX_SIZE = 10_000_000
TIME_CONSTANTS = DURATIONS = (1e-9, 1e9)  # ms; beyond, rates and their products leave float64


def frozen(values: np.ndarray) -> np.ndarray:
    """The array, made read-only."""
    values.setflags(write=False)
    return values


def finite_number(value: object, name: str, expected: str = "a finite number") -> float:
    """`value` as a float; booleans, text, NaN and infinities are refused."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise SpecError(name, expected, described(value), "give a plain number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpecError(name, expected, Verbatim(number), "give a number that float64 can hold")
    return number


def positive_number(value: object, name: str, unit: str = "") -> float:
    """`value` as a float above 0."""
    expected = f"a finite number above 0 ({unit})" if unit else "a finite number above 0"
    number = finite_number(value, name, expected)
    if number <= 0:
        raise SpecError(name, expected, number, "give a positive number")
    return number


def time_constant(value: object, name: str) -> float:
    """`value` as a time constant in ms, within `TIME_CONSTANTS`."""
    return _number_of_ms(value, name, *TIME_CONSTANTS)


def duration(value: object, name: str) -> float:
    """`value` as the duration of a trial in ms, within `DURATIONS`."""
    return _number_of_ms(value, name, *DURATIONS)


def _number_of_ms(value: object, name: str, low: float, high: float) -> float:
    number = positive_number(value, name, "ms")
    if not low <= number <= high:
        raise SpecError(name, f"from {low:g} to {high:g} (ms)", number, "choose another unit of time")
    return number


def non_negative_time(value: object, name: str) -> float:
    """`value` as a time or delay in ms, at least 0."""
    expected = "a finite number of at least 0 (ms)"
    number = finite_number(value, name, expected)
    if number < 0:
        raise SpecError(name, expected, number, "times and delays start at 0")
    return number + 0.0  # -0.0 becomes 0.0, so that equal times compare and print alike


def whole_number(value: object, name: str, low: int, high: int, remedy: str) -> int:
    """`value` as an int from `low` to `high`; booleans and floats are refused."""
    expected = f"a whole number from {low} to {high}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise SpecError(name, expected, described(value), remedy)
    if not low <= value <= high:
        raise SpecError(name, expected, Verbatim(value), remedy)
    return int(value)


def text(value: object, name: str) -> str:
    """`value` as a name: a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise SpecError(name, "a string that is not empty", described(value), "give a name in quotes")
    return value


def one_of(value: object, name: str, choices: Sequence[str]) -> str:
    """`value`, one of the strings `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise SpecError(name, "one of " + ", ".join(choices), described(value), "choose one of these, in quotes")
    return value


def sequence(value: object, name: str, length: int | None, what: str) -> Sequence[object]:
    """`value` as a list (or array) of `length` entries, one for each `what`."""
    expected = f"a list of {what}" if length is None else f"a list of {length}, one for each {what}"
    if isinstance(value, np.ndarray) and value.ndim > 0:
        value = list(value)
    if not isinstance(value, list | tuple):
        raise SpecError(name, expected, described(value), "give a list")
    if length is not None and len(value) != length:
        raise SpecError(name, expected, Verbatim(f"a list of {len(value)}"), "add or remove entries")
    return value


def is_list(value: object) -> bool:
    """Whether `value` is a list, a tuple or an array; what it holds is not looked at."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def per_neuron(value: object, name: str, size: int, check: Callable[[object, str], float]) -> np.ndarray:
    """One number for all neurons, or one number a neuron, each checked: a read-only float64 array `[size]`."""
    if is_list(value):
        entries = sequence(value, name, size, "neuron")
        names = [f"{name}[{j}]" for j in range(size)]
    else:
        entries, names = [value], [name]
    numbers = [check(entry, entry_name) for entry, entry_name in zip(entries, names, strict=True)]
    return frozen(np.array(numbers * size if len(numbers) < size else numbers, dtype=np.float64))


def described(value: object) -> object:
    """Containers by kind and length, all else as it is: a message shows one value, not a matrix."""
    if value is None:
        return Verbatim("null")
    if isinstance(value, list | tuple):
        return Verbatim(f"a list of {len(value)}")
    if isinstance(value, dict):
        return Verbatim("an object")
    return value
