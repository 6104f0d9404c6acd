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
from delayprop.spec import Case, Result, load_case
from delayprop.spec.conformance.layout import found_at, places
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
        return {
            place.path: _digits(found_at(found, place), place.expected)
            for place in places(dict(certified))
            if place.quantity == "spikes" or any(_flat(place.expected))  # without spikes too: one found there is wrong
        }


def _digits(found: object, certified: object) -> float:
    if _shape(found) != _shape(certified):
        return 0.0
    if not _flat(certified):
        return float(DIGITS)
    pairs = [(_number(a), mpmath.mpf(b)) for a, b in zip(_flat(found), _flat(certified), strict=True)]
    if not all(mpmath.isfinite(a) for a, _ in pairs):  # nan-ok: no right digit
        return 0.0
    off, norm = mpmath.norm([a - b for a, b in pairs]), mpmath.norm([b for _, b in pairs])
    if off == 0:
        return float(DIGITS)
    return 0.0 if norm == 0 else min(float(DIGITS), max(0.0, -float(mpmath.log10(off / norm))))


def _number(value: Any) -> mpmath.mpf:
    """The value as a number, or NaN."""
    try:
        return mpmath.mpf(math.nan if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        return mpmath.nan


def _shape(value: object) -> object:
    """Lengths and places of nulls; two lists of spikes match only with equal counts per neuron."""
    if isinstance(value, list):
        return [_shape(entry) for entry in value]
    return None if value is None else "number"


def _flat(value: object) -> list:
    if isinstance(value, list):
        return [number for entry in value for number in _flat(entry)]
    return [] if value is None else [value]


def changed_digit(number: str, place: int = DIGITS) -> str:
    """The number with another digit at this place (1: the first significant)."""
    digits = [k for k, letter in enumerate(number) if letter.isdigit()]
    first = next(n for n, k in enumerate(digits) if number[k] != "0")
    k = digits[first + place - 1]
    return number[:k] + str((int(number[k]) + 1) % 10) + number[k + 1 :]


def spikes_and_kappa(certified: Mapping) -> tuple[int, float | None]:
    count = len(_flat(list(certified["spikes"].values())))
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


def digits_table() -> list[dict[str, Any]]:
    """Rows per network: class, network, neurons, spikes, kappa_min, digits per implementation."""
    return [row_of(path) for difficulty in CLASSES for path in files(difficulty)]
