"""Reports of the conformance kit on changed results, and accessors for parts of a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import delayprop.reference as reference
from delayprop.spec import Case
from delayprop.spec.conformance import Report, check
from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.faults import Likeness

ONE = "one-neuron"
Change = Callable[[dict], object]


def answers(*changes: Change) -> Callable[[Case], dict]:
    """A function that returns the results of the reference, with the changes."""

    def run(case: Case) -> dict:
        found = json.loads(json.dumps(reference.run(case).to_dict(case.network)))
        for change in changes:
            change(found)
        return found

    return run


def of(report: Report, quantity: str) -> str:
    return report.summary((quantity,)).grade


def graded(results: dict[str, dict], names: Sequence[str] | None = None) -> Report:
    """The report of the kit on a simulator with these results."""
    given: Iterator[dict] = iter([results[one.name] for one in stored(names)])
    return check(lambda case: next(given), names)


def near(report: Report) -> Likeness:
    assert report.likeness is not None
    return report.likeness
