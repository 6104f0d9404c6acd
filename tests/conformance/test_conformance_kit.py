"""The conformance kit grades right results exact, partial ones on their part, wrong ones wrong."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result, SpecError, UnsupportedError
from delayprop.spec.conformance import check
from delayprop.spec.conformance.cases import CAPABILITIES, stored
from delayprop.spec.conformance.grading import GRADES, MOST_DIGITS, grade, right_digits
from delayprop.spec.conformance.layout import GRADIENTS, QUANTITIES
from tests.support.faults.catalogue import FAULTS, Fault
from tests.support.faults.planting import plant, results
from tests.support.implementations import Run, every_run
from tests.support.parameters import changed, parameters, with_parameters
from tests.support.peers.reports import ONE, answers, of
from tests.support.tolerances import U64, WELL_CONDITIONED

ALL = len(stored())


@every_run
def test_both_implementations_are_exact_in_all(run: Run) -> None:
    report = check(run)
    assert {of(report, name) for name in QUANTITIES} == {"exact"} and report.factors == ()
    assert {report.summary(capability=name).grade for name in CAPABILITIES} == {"exact"}
    worst = report.summary()
    assert worst.digits is not None and worst.digits > -math.log10(WELL_CONDITIONED)
    assert (worst.offered, worst.whole, worst.cases) == (ALL, ALL, ALL)
    assert report.passed and str(report).endswith("\nnothing offered is wrong")


def test_single_precision_has_its_grade() -> None:
    report = check(lambda case: run_case(case, "float32"))
    assert {of(report, name) for name in QUANTITIES} == {"single precision"}
    assert report.passed and report.factors == ()


@pytest.mark.full
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.package == "reference"], ids=lambda f: f.name)
def test_control_planted_faults_are_not_exact(fault: Fault, tmp_path: Path) -> None:
    found = results("reference", plant(fault, "reference", tmp_path))
    answered = iter([found[one.name] for one in stored()])
    report = check(lambda case: next(answered), digits=10.0)
    assert report.graded and not report.passed


def limited(case: Case) -> dict:
    """No recurrence, one `tau_mem`, no gradient but by weights, no kappa."""
    names = [population.name for population in case.network.populations if population.kind != "input"]
    for connection in case.network.connections:
        if connection.source in names and names.index(connection.source) >= names.index(connection.target):
            raise UnsupportedError("connections", "feed-forward", connection.source, "use the reference")
    if len({tau for p in case.network.populations if p.tau_mem is not None for tau in p.tau_mem}) > 1:
        raise NotImplementedError("one tau_mem for all")
    found = answers()(case)
    for connection in found["gradients"]["connections"]:
        del connection["delays"]
    del found["gradients"]["populations"], found["gradients"]["inputs"], found["kappa"]
    return found


def test_offered_quantities_are_graded_and_the_others_named() -> None:
    report = check(limited)
    assert {name: of(report, name) for name in QUANTITIES} == {
        **dict.fromkeys(("spikes", "loss", "readout", "w"), "exact"),
        **dict.fromkeys(("kappa", "d", "tau_mem", "tau_syn", "v_th", "v_reset", "t_in"), "not offered"),
    }
    assert report.passed and report.summary(capability="recurrent").grade == "not offered"
    reasons = {case.name: case.reason for case in report.cases if case.state == "not offered"}
    assert set(reasons) == {"recurrent-self-connection", "recurrent-whole-ms", "mean-voltage-heterogeneous"}
    assert reasons["mean-voltage-heterogeneous"] == "one tau_mem for all"
    shown = str(report)
    assert "recurrent-whole-ms: `connections` must be feed-forward, got 'hid'; use the reference" in shown
    assert f"  d: in {ALL - 3} of {ALL - 3} answers" in shown
    assert shown.endswith("nothing offered is wrong; blocks left out are listed above")
    assert (report.summary(("w",)).offered, report.summary(("w",)).cases) == (ALL - 3, ALL)
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert document["format"] == "conformance-report/2" and document["passed"] and document["graded"]
    assert document["quantities"]["w"]["grade"] == "exact" and document["quantities"]["d"]["digits"] is None
    assert document["capabilities"]["recurrent"]["grade"] == "not offered" and len(document["cases"]) == ALL


def test_weights_alone_are_enough() -> None:
    """Dense arrays of weights are accepted too."""
    report = check(lambda case: {"gradients": {"connections": [
        {"weights": gradient.dL_dw} for gradient in reference.run(case).gradients.connections
    ]}})
    assert report.passed and {name for name in QUANTITIES if of(report, name) != "not offered"} == {"w"}


def test_an_empty_answer_does_not_pass() -> None:
    empty = check(lambda case: {})
    assert not empty.passed and str(empty).endswith("nothing was offered, so nothing is graded")


def on_a_grid(case: Case) -> dict:
    """Delays rounded to whole ms: right on the grid; off it approximate, or another network."""
    rounded = changed(parameters(case), lambda kind, values: values.round() if kind == "d" else values)
    return reference.run(with_parameters(case, rounded)).to_dict(case.network)


def test_a_grid_is_right_on_itself_and_not_elsewhere() -> None:
    report = check(on_a_grid)
    assert report.summary(capability="delays in whole ms").grade == "exact"
    assert report.summary(capability="no delays").grade == "exact"
    assert report.summary(capability="delays off the grid").grade == "wrong"
    assert not report.passed and report.factors == ()


def with_scaled(factor: float, *kinds: str) -> Callable[[Case], Result]:
    """The reference, with the gradients by these kinds of parameters scaled."""

    def run(case: Case) -> Result:
        result = reference.run(case)
        by_kind = changed(result.gradients, lambda kind, values: values * (factor if kind in kinds else 1.0))
        return replace(result, gradients=by_kind)

    return run


EVERYTHING = "weight, delay, tau_mem, tau_syn, threshold, reset, input-time"


@pytest.mark.parametrize(("kinds", "factor", "line"), [
    (GRADIENTS, 0.25, f"all {EVERYTHING} gradients are 0.2500 times the right ones"),
    (["w"], 0.0, "all weight gradients are 0"),
    (["d"], -1.0, "all delay gradients are -1.000 times the right ones (to "),
    (["t_in"], -3.0, "all input-time gradients are -3.000 times the right ones"),
])
def test_a_common_factor_is_found(kinds: Sequence[str], factor: float, line: str) -> None:
    report = check(with_scaled(factor, *kinds))
    assert line in str(report) and len(report.factors) == 1
    assert report.to_dict()["factors"][0]["factor"] == pytest.approx(factor, rel=1e-6)


def test_one_wrong_block_is_found_and_no_other() -> None:
    report = check(with_scaled(-1.0, "tau_mem"), cases=[ONE])
    assert [of(report, name) for name in GRADIENTS] == ["exact", "exact", "wrong", "exact", "exact", "exact", "exact"]
    assert not report.passed and report.factors == (), "a single number is a multiple of any other"
    assert report.wrong == ["one-neuron: gradients.populations.out.tau_mem has -0.3 right digits"]


def without_a_spike(found: dict) -> None:
    for quantity in ("spikes", "kappa"):
        found[quantity]["out"] = [train[:-1] for train in found[quantity]["out"]]


def without(*keys: str) -> Callable[[dict], object]:
    return lambda found: [found.pop(key) for key in keys]


@pytest.mark.parametrize(("left_out", "spikes", "kappa", "others", "wrong"), [
    ((), "another network", "another network", "another network", ["spikes.out[0]: 5 spikes, right are 6"]),
    (("spikes",), "not offered", "failed", "exact", ["kappa.out[0]: 5 spikes, right are 6"]),
    (("spikes", "kappa"), "not offered", "not offered", "exact", []),
])
def test_numbers_of_another_network_have_no_digits(
    left_out: tuple[str, ...], spikes: str, kappa: str, others: str, wrong: list[str]
) -> None:
    """A spike less; where the spikes are left out, only kappa shows it."""
    report = check(answers(without_a_spike, without(*left_out)), cases=[ONE])
    assert [of(report, name) for name in ("spikes", "kappa", "w", "loss")] == [spikes, kappa, others, others]
    assert report.wrong == [f"{ONE}: {line}" for line in wrong] and report.passed != bool(wrong)
    digits = {block.path: block.digits for block in report.cases[0].blocks if block.state != "left out"}
    assert (digits["gradients.connections[0].weights"] is None) == (others == "another network")


def test_digits_are_those_of_the_relative_error() -> None:
    true = np.array([3.0, 4.0])
    assert right_digits(true * (1 + 1e-5), true, 0.0) == pytest.approx(5, abs=1e-6)
    assert right_digits(-true, true, 0.0) == pytest.approx(-math.log10(2))
    assert right_digits(true, true, 0.0) == MOST_DIGITS == -math.log10(U64)
    assert right_digits(np.array([1e-6, 0.0]), np.zeros(2), 1e-3) == pytest.approx(3), "a block of 0 has a floor"
    assert right_digits(np.array([1e308, 1e308]), true, 1.0) == pytest.approx(math.log10(5) - 308 - math.log10(2) / 2)
    assert all(grade(least) == name for name, least in GRADES)
    assert [grade(least - 1e-9) for _, least in GRADES] == ["single precision", "approximate", "wrong"]


@pytest.mark.parametrize("number", [1e3, 1e300])
def test_a_number_among_zeros_is_wrong(number: float) -> None:
    """The gradient of a silent network has no size of its own, so the loss is the scale."""
    report = check(answers(lambda found: found["gradients"]["connections"][0].update(weights=[[number, 0.0]])),
                   ["silent-network"])
    assert of(report, "w") == "wrong" and of(report, "d") == "exact" and report.factors == ()


@pytest.mark.parametrize(("arguments", "name"), [({"cases": ["nowhere"]}, "case"), ({"digits": math.nan}, "digits")])
def test_bad_arguments_are_refused(arguments: dict, name: str) -> None:
    with pytest.raises(SpecError, match=f"`{name}` must be "):
        check(reference.run, **arguments)
