"""Checks of single values and arrays; each raises `SpecError` under the name given to it."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from inspect import signature
from types import UnionType
from typing import ParamSpec, TypeVar

import numpy as np

from delayprop.spec.errors import SpecError, Verbatim

P = ParamSpec("P")
R = TypeVar("R")
MAX_SIZE = 10_000_000
SHORTEST, LONGEST = 1e-9, 1e9  # ms; beyond, rates and their products leave float64


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


def duration(value: object, name: str) -> float:
    """`value` in ms, from `SHORTEST` to `LONGEST`."""
    number = positive_number(value, name, "ms")
    if not SHORTEST <= number <= LONGEST:
        raise SpecError(name, f"from {SHORTEST:g} to {LONGEST:g} (ms)", number, "choose another unit of time")
    return number


time_constant = duration  # has the same range


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


def one_of(value: object, name: str, choices: Collection[str]) -> str:
    """`value`, one of the strings `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise SpecError(name, "one of " + ", ".join(choices), described(value), "choose one of these, in quotes")
    return value


def sequence(value: object, name: str, length: int | None, what: str) -> Sequence[object]:
    """`value` as a list, tuple or array of `length` entries, one for each `what`."""
    expected = f"a list of {what}" if length is None else f"a list of {length}, one for each {what}"
    if not is_list(value):
        raise SpecError(name, expected, described(value), "give a list")
    entries = list(value)  # type: ignore[call-overload]
    if length is not None and len(entries) != length:
        raise SpecError(name, expected, Verbatim(f"a list of {len(entries)}"), "add or remove entries")
    return entries


def of_type(value: object, name: str, kinds: type | UnionType, expected: str, remedy: str) -> None:
    """Refuse a value of another type."""
    if not isinstance(value, kinds):
        raise SpecError(name, expected, Verbatim(type(value).__name__), remedy)


def refuse(bad: np.ndarray, array: np.ndarray, name: str, expected: str, remedy: str) -> None:
    """Raise with the first entry of `array` for which the mask `bad` is true."""
    for index in np.argwhere(bad)[:1]:
        place = "".join(f"[{i}]" for i in index)
        raise SpecError(name + place, expected, float(array[tuple(index)]), remedy)


def answering(words: Mapping[str, tuple[str, str]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: a function that lacks an argument answers its name by `SpecError`, with `words`:
    by the name of the argument, what it must be, and what to do."""

    def of(function: Callable[P, R]) -> Callable[P, R]:
        own = signature(function).parameters

        @wraps(function)
        def checked(*args: P.args, **given: P.kwargs) -> R:
            for word in given:
                if word in words and word not in own:
                    expected, remedy = words[word]
                    raise SpecError(word, expected, given[word], remedy)
            return function(*args, **given)

        return checked

    return of


def is_list(value: object) -> bool:
    """Whether `value` is a list, a tuple or an array; its entries may be anything."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def per_neuron(value: object, name: str, size: int, check: Callable[[object, str], float]) -> np.ndarray:
    """One number for all neurons, or one per neuron, each checked: read-only float64 `[size]`."""
    if is_list(value):
        numbers = [check(entry, f"{name}[{j}]") for j, entry in enumerate(sequence(value, name, size, "neuron"))]
    else:
        numbers = [check(value, name)] * size
    return frozen(np.array(numbers, dtype=np.float64))


def described(value: object) -> object:
    """A container by its kind and length, anything else unchanged: a message shows no matrix."""
    if value is None:
        return Verbatim("null")
    if isinstance(value, list | tuple):
        return Verbatim(f"a list of {len(value)}")
    if isinstance(value, dict):
        return Verbatim("an object")
    return value
