"""`python -m tests.tools.make_certified [NAME ...]`: write `spec/certified/*.json` and their table.

Each number is computed by two routes that share no code, and is written only if both agree to 30
digits: the adjoint of `reference` at 80 digits, and central differences, with step 1e-36, of the
ground truth at 110. A number of a gradient is 0 if both routes find it below 1e-38 of the largest.
Between that and 1e-25 of the largest it could be either, so the file is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import mpmath

import delayprop.reference as reference
from delayprop.spec import Case, Result, SpecError, case_from_text
from delayprop.spec.checks import one_of
from tests.support.certified.average import NETWORKS as AVERAGE
from tests.support.certified.higher import NETWORKS as HIGHER
from tests.support.certified.lower import NETWORKS as LOWER
from tests.support.certified.parts import Certified
from tests.support.certified.stored import CLASSES, DIGITS, FOLDER, neurons, spikes_and_kappa
from tests.support.comparison import gradient_blocks
from tests.support.truth import Problem, gradient, simulate

ADJOINT_DIGITS, TRUTH_DIGITS, STEP = 80, 110, "1e-36"
ZERO, SMALL = mpmath.mpf("1e-38"), mpmath.mpf("1e-25")
NETWORKS: dict[str, Certified] = {
    f"{difficulty}-{name}": network
    for difficulty, networks in zip(CLASSES, (LOWER, AVERAGE, HIGHER), strict=True)
    for name, network in networks.items()
}
START, END = "<!-- table -->", "<!-- end of the table -->"


class Disagreement(ArithmeticError):
    """The digits of the two routes differ."""


def case_of(network: Certified) -> Case:
    return case_from_text(json.dumps(network.document))


def by_adjoint(network: Certified) -> dict:
    """The results by the reference, as strings."""
    case = case_of(network)
    return as_strings(case, reference.run(case, ADJOINT_DIGITS))


def by_differences(network: Certified) -> dict:
    """The results by the ground truth, as strings, without ties."""
    case = case_of(network)
    truth = simulate(Problem.from_case(case), TRUTH_DIGITS)
    slopes = gradient(case, TRUTH_DIGITS, STEP, network.sides)
    return as_strings(case, Result(truth.loss, truth.spikes, truth.kappa, truth.readout, slopes, ()))


def as_strings(case: Case, result: Result) -> dict:
    """The result in the layout of the command lines, each number a string of 30 digits.

    Raises:
        Disagreement: it is open whether a number of the gradient is 0.
    """
    with mpmath.workdps(ADJOINT_DIGITS):
        largest = max(abs(number) for block in gradient_blocks(case, result.gradients).values() for number in block)
        numbers = _numbers(case, result, largest)
        strings = _filled(result.to_dict(case.network), numbers)
        assert isinstance(strings, dict) and next(numbers, None) is None
        return strings


def _numbers(case: Case, result: Result, largest: mpmath.mpf) -> Iterator[mpmath.mpf]:
    """Every number of the result, in the order of its layout."""
    yield result.loss
    yield from (t for trains in result.spikes.values() for train in trains for t in train)
    yield from () if result.readout is None else result.readout
    if result.kappa_min is not None:
        yield result.kappa_min
    yield from (kappa for trains in result.kappa.values() for train in trains for kappa in train)
    for block in gradient_blocks(case, result.gradients).values():
        for number in block:
            if ZERO * largest < abs(number) < SMALL * largest:
                raise Disagreement(f"{mpmath.nstr(number, 5)} beside {mpmath.nstr(largest, 5)}: 0 or not?")
            yield number if abs(number) > ZERO * largest else mpmath.mpf(0)


def _filled(layout: object, numbers: Iterator[mpmath.mpf]) -> object:
    """The layout with each float replaced by the next number, as a string."""
    if isinstance(layout, float):
        return mpmath.nstr(next(numbers), DIGITS, strip_zeros=False, min_fixed=-1, max_fixed=8)
    if isinstance(layout, dict):
        return {key: _filled(value, numbers) for key, value in layout.items()}
    return [_filled(value, numbers) for value in layout] if isinstance(layout, list) else layout


def without_ties(results: Mapping) -> dict:
    return {key: value for key, value in results.items() if key != "ties"}


def with_certified(network: Certified) -> str:
    """The text of the file: the case, with the certified results as `expected`.

    Raises:
        Disagreement: the routes differ in one of 30 digits.
    """
    adjoint = by_adjoint(network)
    found, other = without_ties(adjoint), without_ties(by_differences(network))
    if found != other:
        (a, b), *others = [pair for pair in zip_longest(_strings(found), _strings(other)) if pair[0] != pair[1]]
        raise Disagreement(f"{1 + len(others)} numbers differ, the first: {a} by adjoint, {b} by differences")
    return text_of(network.document, adjoint)


def text_of(document: Mapping, results: Mapping) -> str:
    """The text of a file, with one line per key of case and results."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.items()]
    inner = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in results.items())
    return "{\n" + ",\n".join(lines) + ',\n"expected": {\n' + inner + "}\n}\n"


def _strings(value: object) -> Iterator[str]:
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, str):
        yield value
    for entry in entries:
        yield from _strings(entry)


def table() -> str:
    lines = ["| file | about | neurons | spikes | smallest kappa |", "|---|---|---|---|---|"]
    for name, network in NETWORKS.items():
        case = case_from_text((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert case.expected is not None
        spikes, kappa_min = spikes_and_kappa(case.expected)
        shown = "" if kappa_min is None else f"{kappa_min:.3g}"
        lines.append(f"| `{name}` | {network.about} | {neurons(case)} | {spikes} | {shown} |")
    return "\n".join(lines)


def with_table(readme: str) -> str:
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table()}\n{END}{after}"


def main(names: Sequence[str]) -> int:
    """Write the named files, or all, and the table; return the exit code."""
    try:
        chosen = [one_of(name, "NAME", tuple(NETWORKS)) for name in names] or list(NETWORKS)
    except SpecError as error:
        print(f"tests.tools.make_certified: {error}", file=sys.stderr)
        return 2
    for name in chosen:
        text = with_certified(NETWORKS[name])
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: both routes have the same {DIGITS} digits", flush=True)
    readme = FOLDER / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
