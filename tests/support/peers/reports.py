"""Simulators for the conformance kit: the reference, with changes of its results."""

import json
from collections.abc import Callable

import delayprop.reference as reference
from delayprop.spec import Case
from delayprop.spec.conformance import Report

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
