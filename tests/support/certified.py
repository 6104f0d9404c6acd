"""The certified set: its reader, and the count of right digits.

A network is a file `spec/certified/CLASS-NAME.json`: a case whose `expected` is the output of the
command lines, each number a string of 30 significant digits. A block is the loss, the readout, the
spike times or the kappa of one population, or the gradient by one kind of parameter of one
connection or population. Its right digits are `-log10` of its relative error, norm of the
difference over norm (NIST: log relative error). A block of zeros must be exactly 0.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mpmath

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result, SpecError, load_case
from delayprop.spec.conformance.layout import Place, found_at, numbers, places
from tests import ROOT

FOLDER = ROOT / "spec" / "certified"
CLASSES = ("lower", "average", "higher")
DIGITS = 30  # number of certified digits, which is the largest count

RUNS: dict[str, Callable[[Case], Result]] = {"reference": reference.run, "fast float64": run_case,
                                             "fast float32": lambda case: run_case(case, "float32")}


def files(difficulty: str = "*") -> list[Path]:
    return sorted(FOLDER.glob(f"{difficulty}-*.json"))


def neuron_files() -> list[Path]:
    """Networks of neurons given by equations."""
    return sorted((FOLDER / "neurons").glob("*.json"))


def certified_values(case: Case) -> Mapping:
    """The certified results of a case, as strings in the layout of the command lines."""
    assert case.expected is not None, "a case of the certified set has `expected`"
    return case.expected


def right_digits(found: Mapping, certified: Mapping) -> float:
    """Right digits of the worst block, 0 to 30; see `digits_by_block`."""
    return min(digits_by_block(found, certified).values())


def digits_by_block(found: Mapping, certified: Mapping) -> dict[str, float]:
    """Right digits of each block, by its path: 0 (no digit, NaN, missing, a spike too many) to 30.
    In `found`, strings hold more digits than float64. Raises `SpecError` where `found` has another
    layout."""
    with mpmath.workdps(2 * DIGITS):
        true = [(place, numbers(place.expected, place.expected, place.path, read=_exact))
                for place in places(dict(certified))]
        return {  # spikes without one too: one found there is wrong
            place.path: _digits(found_at(found, place), place, values)
            for place, values in true if values or place.quantity == "spikes"
        }


def _digits(found: object, place: Place, true: list[mpmath.mpf]) -> float:
    try:
        values = numbers(found, place.expected, place.path, read=_exact)
    except SpecError:  # missing, another number of spikes, not finite
        return 0.0
    off = mpmath.norm([a - b for a, b in zip(values, true, strict=True)])
    if off == 0:
        return float(DIGITS)
    norm = mpmath.norm(true)
    return 0.0 if norm == 0 else min(float(DIGITS), max(0.0, -float(mpmath.log10(off / norm))))


def _exact(value: Any, name: str) -> mpmath.mpf:
    """A finite number with all its digits."""
    try:
        number = mpmath.mpf(math.nan if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = mpmath.nan
    if not mpmath.isfinite(number):
        raise SpecError(name, "a finite number", value, "give one")
    return number


def changed_digit(number: str, place: int = DIGITS) -> str:
    """The number with another digit at this place (1: the first significant)."""
    digits = [k for k, letter in enumerate(number) if letter.isdigit()]
    first = next(n for n, k in enumerate(digits) if number[k] != "0")
    k = digits[first + place - 1]
    return number[:k] + str((int(number[k]) + 1) % 10) + number[k + 1 :]


def spikes_and_kappa(certified: Mapping) -> tuple[int, float | None]:
    count = sum(len(train) for trains in certified["spikes"].values() for train in trains)
    return count, None if certified["kappa_min"] is None else float(certified["kappa_min"])


def neurons(case: Case) -> int:
    return sum(population.size for population in case.network.populations if population.kind != "input")


def row_of(path: Path) -> dict[str, Any]:
    """A network of the set, and the right digits of each implementation."""
    case = load_case(path)
    certified = certified_values(case)
    spikes, kappa_min = spikes_and_kappa(certified)
    difficulty, _, name = path.stem.partition("-")
    row = {"class": difficulty, "network": name, "neurons": neurons(case), "spikes": spikes, "kappa_min": kappa_min}
    return row | {label: right_digits(run(case).to_dict(case.network), certified) for label, run in RUNS.items()}
