"""The conformance set is the ground truth, and the kit grades functions by it: right results exact,
partial ones on their part, wrong ones wrong."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import READOUTS, Case, Result, SpecError, UnsupportedError, load_case
from delayprop.spec.conformance import Report, check
from delayprop.spec.conformance.cases import capabilities, needs, stored
from delayprop.spec.conformance.grading import GRADES, MOST_DIGITS, grade, right_digits
from delayprop.spec.conformance.layout import GRADIENTS, QUANTITIES
from tests.support.commands import skeleton
from tests.support.implementations import Run, every_run
from tests.support.parameters import changed, parameters, with_parameters
from tests.support.tolerances import U64, WELL_CONDITIONED
from tests.tools.make_conformance import FILES, with_results

ALL = len(stored())
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_stored_result_is_the_ground_truth(file: Path) -> None:
    """They agree bit for bit: the simulation rounds alike on every machine."""
    text = file.read_text(encoding="utf-8")
    assert text == with_results(text)


@every_run
def test_implementations_have_the_layout_of_the_set(run: Run) -> None:
    """Keys in order, lengths and nulls; also `kappa_min` and ties, which the kit does not grade."""
    for file in FILES:
        case = load_case(file)
        found, expected = run(case).to_dict(case.network), case.expected
        assert expected is not None
        assert json.dumps(skeleton(found)) == json.dumps(skeleton(expected)), file.stem
        assert found["ties"] == expected["ties"]
        assert (found["kappa_min"] or 0.0) == pytest.approx(expected["kappa_min"] or 0.0, rel=WELL_CONDITIONED)


def test_the_set_needs_every_capability_and_reads_every_readout() -> None:
    own = {one.name: set(needs(one)) for one in stored()}
    assert sorted(own) == sorted(file.stem for file in FILES) and len(FILES) == 24
    assert all(one.case.expected is None and "expected" not in one.question for one in stored()), "no answers in it"
    assert set.union(*own.values()) == set(capabilities())
    losses = [one.case.loss for one in stored()]
    assert {one.reads.name if one.reads else one.kind for one in losses} == {*READOUTS, "spike_time_mse"}
    assert own["one-neuron"] == {
        "one layer", "feed-forward", "one pair of time constants", "delays off the grid", "spike_time_mse",
        "spikes beyond the targets",
    }
    assert {"recurrent", "absent synapses"} <= own["recurrent-self-connection"]
    assert {"skip connections", "parallel connections"} <= own["skip-and-parallel"]
    assert "events after the end" in own["after-the-end"] and "no delays" in own["hidden-layer-no-delays"]
    assert own["silent-network"] == {
        "one layer", "feed-forward", "spike_time_mse", "missing spikes", "silent neurons", "silent network"
    }, "gradients of 0 test neither delays nor constants"


def test_a_limited_simulator_finds_cases_that_it_can_do() -> None:
    """Networks with one pair of constants, and no special structure, have all delays and losses."""
    special = ("recurrent", "several", "absent", "parallel", "skip", "tau_mem", "other than", "silent", "after the end")
    plain = [own for own in map(needs, stored()) if not any(word in need for need in own for word in special)]
    for delays in ("no delays", "delays in whole ms", "delays off the grid"):
        for layers in ("one layer", "hidden layers"):
            assert any({delays, layers} <= set(need) for need in plain), (delays, layers)
    for loss in ("max_voltage", "mean_voltage", "first_spike_time", "spike_time_mse"):
        assert any({loss, "delays in whole ms"} <= set(need) for need in plain), loss


@every_run
def test_both_implementations_are_exact_in_all(run: Run) -> None:
    report = check(run)
    assert {of(report, name) for name in QUANTITIES} == {"exact"} and report.factors == ()
    assert {report.summary(capability=name).grade for name in capabilities()} == {"exact"}
    worst = report.summary()
    assert worst.digits is not None and worst.digits > -math.log10(WELL_CONDITIONED)
    assert (worst.offered, worst.whole, worst.cases) == (ALL, ALL, ALL)
    assert report.passed and str(report).endswith("\nnothing offered is wrong")


def test_single_precision_has_its_grade() -> None:
    report = check(lambda case: run_case(case, "float32"))
    assert {of(report, name) for name in QUANTITIES} == {"single precision"}
    assert report.passed and report.factors == ()


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


@pytest.mark.parametrize(("function", "reason"), [
    (raising, "ZeroDivisionError: of my own"), (lambda case: exit(3), "SystemExit: 3"),
    (lambda case: None, "the function must return a Result or a dictionary, got None"),
    (lambda case: [1.0], "the function must return a Result or a dictionary, got [1.0]"),
    (lambda case: replace(reference.run(case), loss=math.nan),
     "ArithmeticError: `loss` of the result is nan: the case exceeds this precision"),
])
def test_a_function_that_fails_does_not_end_the_run(function: Callable[[Case], object], reason: str) -> None:
    report = check(lambda case: function(case) if case.duration == 50.0 else reference.run(case), [ONE, "zero-delays"])
    states = {case.name: (case.state, case.reason) for case in report.cases}
    assert states == {ONE: ("failed", reason), "zero-delays": ("answered", None)}
    assert of(report, "w") == "failed" and not report.passed and report.wrong == [f"{ONE}: {reason}"]


def test_a_misspelt_key_is_reported() -> None:
    report = check(answers(lambda found: found.update(gradient=found.pop("gradients"))), cases=[ONE])
    assert report.cases[0].unknown_keys == ("gradient",) and of(report, "w") == "not offered"
    assert "keys without a meaning:\n  one-neuron: gradient" in str(report)
