"""The conformance kit names unreadable results and functions that fail, and goes on."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

import delayprop.reference as reference
from delayprop.spec import Case
from delayprop.spec.conformance import check
from delayprop.spec.conformance.grading import grade
from tests.support.peers.reports import ONE, answers, of

LIST_OF_1 = "must be a list of 1, one for each entry"
FINITE = "must be a finite number"


def connection(**entries: object) -> Callable[[dict], object]:
    return lambda found: found["gradients"]["connections"][0].update(entries)


@pytest.mark.parametrize(("change", "quantity", "reason"), [
    (connection(delays=[[math.nan]]), "d",
     f"`gradients.connections[0].delays[0][0]` {FINITE}, got nan; give a number that float64 can hold"),
    (connection(weights=[[1.0, 2.0]]), "w",
     f"`gradients.connections[0].weights[0]` {LIST_OF_1}, got a list of 2; add or remove entries"),
    (lambda found: found["gradients"].update(connections={}), "d",
     f"`gradients.connections` {LIST_OF_1}, got an object; give a list"),
    (connection(weights=[[None]]), "w",
     f"`gradients.connections[0].weights[0][0]` {FINITE}, got null; give a plain number"),
    (lambda found: found.update(loss="small"), "loss", f"`loss` {FINITE}, got 'small'; give a plain number"),
    (lambda found: found["spikes"].update(out=[]), "spikes",
     f"`spikes.out` {LIST_OF_1}, got a list of 0; add or remove entries"),
    (lambda found: found.update(gradients=[]), "t_in",
     "`gradients` must be an object, got a list of 0; see section 7 of the specification"),
], ids=["nan", "shape", "no list", "null", "text", "neurons", "no object"])
def test_an_unreadable_block_fails_and_is_named(change: Callable[[dict], object], quantity: str, reason: str) -> None:
    report = check(answers(change), cases=[ONE])
    assert of(report, quantity) == "failed" and not report.passed
    assert f"{ONE}: {reason}" in report.wrong
    digits = [block.digits for block in report.cases[0].blocks if block.state == "graded"]
    assert digits and {grade(found) for found in digits if found is not None} == {"exact"}


def raising(case: Case) -> dict:
    raise ZeroDivisionError("of my\nown")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (raising, "ZeroDivisionError: of my own"),
        (lambda case: exit(3), "SystemExit: 3"),
        (lambda case: None, "the function must return a Result or a dictionary, got None"),
        (lambda case: [1.0], "the function must return a Result or a dictionary, got [1.0]"),
        (
            lambda case: replace(reference.run(case), loss=math.nan),
            "ArithmeticError: `loss` of the result is nan: the case exceeds this precision",
        ),
    ],
)
def test_a_function_that_fails_does_not_end_the_run(function: Callable[[Case], object], reason: str) -> None:
    report = check(lambda case: function(case) if case.duration == 50.0 else reference.run(case), [ONE, "zero-delays"])
    states = {case.name: (case.state, case.reason) for case in report.cases}
    assert states == {ONE: ("failed", reason), "zero-delays": ("answered", None)}
    assert of(report, "w") == "failed" and not report.passed and report.wrong == [f"{ONE}: {reason}"]


def test_a_misspelt_key_is_reported() -> None:
    report = check(answers(lambda found: found.update(gradient=found.pop("gradients"))), cases=[ONE])
    assert report.cases[0].unknown_keys == ("gradient",) and of(report, "w") == "not offered"
    assert "keys without a meaning:\n  one-neuron: gradient" in str(report)
