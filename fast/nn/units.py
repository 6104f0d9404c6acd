"""Units of time, and warnings where a user has probably mixed them up."""

import sys
import warnings
from typing import Any

from delayprop.spec.checks import duration as spec_duration

UNITS = ("ms", "s", "us")  # in which data may come
SHORTEST = 0.1  # ms: no trial and no time constant is shorter, unless its unit is wrong
BRIEFEST_DELAYS = 1.0  # ms: an upper bound of delays is rarely less, unless it is 0 or its unit is wrong
INSIDE = ("delayprop.", "torch.")


def warn(words: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user: the nearest caller outside of `INSIDE`."""
    depth, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(INSIDE):
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(words, category, stacklevel=depth)


def in_ms(times: Any, unit: str) -> Any:
    """Times of a unit, an array or a tensor, in ms: each with one rounding at most."""
    if unit == "ms":
        return times
    return times * 1000 if unit == "s" else times / 1000


def warn_if_short(value: float, name: str, shortest: float = SHORTEST) -> None:
    """Warn of a time so short that it was probably meant in seconds."""
    if value < shortest:
        meant = f"all times are in ms, so {value:g} s are {1000 * value:g}"
        warn(f"`{name}` is {value:g} ms, which looks like seconds: {meant}")


def checked_duration(duration: object) -> float:
    """The duration of a trial that a user gives, ms."""
    found = spec_duration(duration, "duration")
    warn_if_short(found, "duration")
    return found
