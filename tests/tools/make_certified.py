"""`python -m tests.tools.make_certified [NAME ...]`: write `expected` of `spec/certified/*.json`.

A file without `expected`, with a row in the table of `README.md`, is a new network. Each number is
computed by two routes that share `spec` alone (of neurons also the order of events), and is written
only if both agree to 30 digits: the adjoint of `reference` at 80 digits, and central differences,
with step 1e-36, of the ground truth at 110. A number of a gradient is 0 if both routes find it
below 1e-38 of the largest. Between that and 1e-25 of the largest it could be either, so the file is
refused.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import mpmath

import delayprop.reference as reference
from delayprop.spec import Case, Result, SpecError, case_from_text, load_case
from delayprop.spec.checks import one_of
from tests.support.certified import DIGITS, FOLDER, certified_values, files, neuron_files, neurons, spikes_and_kappa
from tests.support.comparison import gradient_blocks
from tests.support.truth import Key, replay, truth_of

ADJOINT_DIGITS, TRUTH_DIGITS, STEP = 80, 110, "1e-36"
ZERO, SMALL = mpmath.mpf("1e-38"), mpmath.mpf("1e-25")
NAMES = (*(path.stem for path in files()), *(f"neurons/{path.stem}" for path in neuron_files()))
SIDES: dict[str, dict[Key, int]] = {
    "lower-arrival-at-the-end": {("d", 0, 1, 0): -1, ("d", 0, 1, 1): -1, ("t_in", "in", 1, 0): -1},
}
"""Parameters with a one-sided derivative (specification, section 4), and the side."""
ROW = re.compile(r"^\| `([\w/-]+)` \| ([^|]*) \|.*", re.MULTILINE)  # of the table in README.md


class Disagreement(ArithmeticError):
    """The digits of the two routes differ."""


def document_of(name: str) -> dict:
    """The case of a file, without its results."""
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value for key, value in document.items() if key != "expected"}


def case_of(document: dict) -> Case:
    return case_from_text(json.dumps(document))


def by_adjoint(document: dict) -> dict:
    """The results by the reference, as strings."""
    case = case_of(document)
    return as_strings(case, reference.run(case, ADJOINT_DIGITS))


def by_differences(document: dict, sides: Mapping[Key, int]) -> dict:
    """The results by the ground truth, as strings, without ties."""
    case = case_of(document)
    if any(population.kind == "neuron" for population in case.network.populations):
        return as_strings(case, replay.result_of(case, TRUTH_DIGITS, STEP))
    return as_strings(case, truth_of(case, TRUTH_DIGITS, STEP, sides))


def as_strings(case: Case, result: Result) -> dict:
    """The result in the layout of the command lines, each number a string of 30 digits; raises
    `Disagreement` where it is open whether a number of the gradient is 0."""
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


def with_certified(document: dict, sides: Mapping[Key, int]) -> str:
    """The text of the file, with the certified results as `expected`; raises `Disagreement`."""
    adjoint = by_adjoint(document)
    found, other = without_ties(adjoint), without_ties(by_differences(document, sides))
    if found != other:
        pairs = zip_longest(*(re.findall('"[^"]*"', json.dumps(results)) for results in (found, other)))
        (a, b), *others = [pair for pair in pairs if pair[0] != pair[1]]
        raise Disagreement(f"{1 + len(others)} numbers differ, the first: {a} by adjoint, {b} by differences")
    return text_of(document, adjoint)


def text_of(document: Mapping, results: Mapping) -> str:
    """The text of a file, with one line per key of case and results."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.items()]
    inner = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in results.items())
    return "{\n" + ",\n".join(lines) + ',\n"expected": {\n' + inner + "}\n}\n"


def with_table(readme: str) -> str:
    """The README with the numbers of its table; the second column is written by hand."""

    def row(found: re.Match[str]) -> str:
        case = load_case(FOLDER / f"{found[1]}.json")
        spikes, kappa_min = spikes_and_kappa(certified_values(case))
        shown = "" if kappa_min is None else f"{kappa_min:.3g}"
        return f"| `{found[1]}` | {found[2]} | {neurons(case)} | {spikes} | {shown} |"

    return ROW.sub(row, readme)


def main(names: Sequence[str]) -> int:
    """Write the results of the named files, or of all, and the table; return the exit code."""
    try:
        chosen = [one_of(name, "NAME", NAMES) for name in names] or NAMES
    except SpecError as error:
        print(f"tests.tools.make_certified: {error}", file=sys.stderr)
        return 2
    for name in chosen:
        text = with_certified(document_of(name), SIDES.get(name, {}))
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: both routes have the same {DIGITS} digits", flush=True)
    readme = FOLDER / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
