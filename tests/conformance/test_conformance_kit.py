"""The conformance kit grades right results exact, partial ones on their part, wrong ones wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Connection, Network, Result, SpecError, UnsupportedError
from delayprop.spec.conformance import check
from delayprop.spec.conformance.capabilities import CAPABILITIES, needs
from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.grading import GRADES, MOST_DIGITS, grade, right_digits
from delayprop.spec.conformance.layout import GRADIENTS, QUANTITIES
from tests.support.implementations import Run, every_run
from tests.support.peers.conformance_documents import DOCUMENTS
from tests.support.peers.reports import ONE, answers, of
from tests.support.tolerances import U64, WELL_CONDITIONED

ALL = len(DOCUMENTS)


@every_run
def test_both_implementations_are_exact_in_all(run: Run) -> None:
    report = check(run)
    assert {of(report, name) for name in QUANTITIES} == {"exact"}
    assert {report.summary(capability=name).grade for name in CAPABILITIES} == {"exact"}
    assert report.passed and report.likeness is None and report.factors == ()
    worst = report.summary()
    assert worst.digits is not None and worst.digits > -math.log10(WELL_CONDITIONED)
    assert (worst.offered, worst.whole, worst.cases) == (ALL, ALL, ALL)
    assert str(report).endswith("\nnothing offered is wrong") and "pattern" not in str(report)


def test_single_precision_has_its_grade() -> None:
    report = check(lambda case: run_case(case, "float32"))
    assert {of(report, name) for name in QUANTITIES} == {"single precision"}
    assert report.passed and report.likeness is None


def test_every_case_and_capability_is_in_the_set() -> None:
    by_name = {one.name: needs(one) for one in stored()}
    assert sorted(by_name) == sorted(DOCUMENTS)
    assert {name for found in by_name.values() for name in found} == set(CAPABILITIES)
    assert by_name[ONE] == (
        "one layer", "feed-forward", "one pair of time constants", "delays off the grid", "spike_time_mse",
        "spikes beyond the targets",
    )
    assert {"recurrent", "absent synapses"} <= set(by_name["recurrent-self-connection"])
    assert {"skip connections", "parallel connections"} <= set(by_name["skip-and-parallel"])
    assert "events after the end" in by_name["after-the-end"] and "no delays" in by_name["hidden-layer-no-delays"]
    assert by_name["silent-network"] == (
        "one layer", "feed-forward", "spike_time_mse", "missing spikes", "silent neurons", "silent network"
    ), "gradients of 0 test neither delays nor constants"
    assert (files("delayprop.spec.conformance") / "faults.json").is_file()


def test_a_limited_simulator_finds_cases_that_it_can_do() -> None:
    """Networks with one pair of constants, and no special structure, have all delays and losses."""
    special = ("recurrent", "several", "absent", "parallel", "skip", "tau_mem", "other than", "silent", "after the end")
    plain = [set(needs(one)) for one in stored() if not any(s in n for n in needs(one) for s in special)]
    for delays in ("no delays", "delays in whole ms", "delays off the grid"):
        for layers in ("one layer", "hidden layers"):
            assert any({delays, layers} <= need for need in plain), (delays, layers)
    for loss in ("max_voltage", "mean_voltage", "first_spike_time", "spike_time_mse"):
        assert any(loss in need and "delays in whole ms" in need for need in plain), loss


def test_the_question_does_not_hold_the_answer() -> None:
    seen: list[Case] = []

    def run(case: Case) -> Result:
        seen.append(case)
        return reference.run(case)

    assert check(run, cases=[ONE]).passed and seen[0].expected is None
    assert all("expected" not in one.question for one in stored())


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
    assert document["format"] == "conformance-report/1" and document["passed"] and document["graded"]
    assert document["quantities"]["w"]["grade"] == "exact" and document["quantities"]["d"]["digits"] is None
    assert document["capabilities"]["recurrent"]["grade"] == "not offered" and len(document["cases"]) == ALL


def test_weights_alone_are_enough() -> None:
    """Dense arrays of weights are accepted too."""
    report = check(lambda case: {"gradients": {"connections": [
        {"weights": gradient.dL_dw} for gradient in reference.run(case).gradients.connections
    ]}})
    assert report.passed and {name for name in QUANTITIES if of(report, name) != "not offered"} == {"w"}


def refuse(case: Case) -> dict:
    raise NotImplementedError


def test_a_simulator_that_offers_nothing_does_not_pass() -> None:
    empty = check(lambda case: {})
    assert not empty.passed and str(empty).endswith("nothing was offered, so nothing is graded")
    assert not check(refuse).passed


def negate_tau_mem(found: dict) -> None:
    constants = found["gradients"]["populations"]["out"]
    constants["tau_mem"] = [-number for number in constants["tau_mem"]]


def test_one_wrong_block_is_found_and_no_other() -> None:
    report = check(answers(negate_tau_mem), cases=[ONE])
    assert [of(report, name) for name in GRADIENTS] == ["exact", "exact", "wrong", "exact", "exact", "exact", "exact"]
    assert not report.passed
    assert report.wrong == ["one-neuron: gradients.populations.out.tau_mem has -0.3 right digits"]


def on_a_grid(case: Case) -> dict:
    """Delays rounded to whole ms: right on the grid; off it approximate, or another network."""
    connections = tuple(
        Connection(c.source, c.target, np.where(c.exists, c.w, None), c.d.round()) for c in case.network.connections
    )
    network = Network(case.network.populations, connections)
    return reference.run(replace(case, network=network)).to_dict(case.network)


def test_a_grid_is_right_on_itself_and_not_elsewhere() -> None:
    report = check(on_a_grid)
    assert report.summary(capability="delays in whole ms").grade == "exact"
    assert report.summary(capability="no delays").grade == "exact"
    assert report.summary(capability="delays off the grid").grade == "wrong"
    assert not report.passed and report.likeness is not None
    assert not report.likeness.clear and "no known pattern; the nearest is " in str(report), "rounding is not cutting"


def without_a_spike(found: dict) -> None:
    name = next(name for name, trains in found["spikes"].items() if any(trains))
    for quantity in ("spikes", "kappa"):
        found[quantity][name] = [train[:-1] for train in found[quantity][name]]


def test_the_gradient_of_another_network_has_no_digits() -> None:
    report = check(answers(without_a_spike), cases=[ONE])
    reason = "spikes.out[0]: 5 spikes, right are 6"
    assert of(report, "spikes") == of(report, "w") == of(report, "loss") == "another network"
    states = {block.path: (block.state, block.digits, block.reason) for block in report.cases[0].blocks}
    assert states["spikes.out"] == states["gradients.connections[0].weights"] == ("another network", None, reason)
    assert states["kappa.out"][0] == "another network", "other spikes"
    assert not report.passed and report.wrong == [f"{ONE}: {reason}"]


def test_kappa_of_other_spikes_fails_alone() -> None:
    report = check(answers(without_a_spike, lambda found: found.pop("spikes")), cases=[ONE])
    assert of(report, "kappa") == "failed" and of(report, "w") == "exact"
    assert report.wrong == [f"{ONE}: kappa.out[0]: 5 spikes, right are 6"]


def test_control_spikes_that_are_left_out_change_nothing() -> None:
    report = check(answers(without_a_spike, lambda found: [found.pop(key) for key in ("spikes", "kappa")]), cases=[ONE])
    assert of(report, "spikes") == "not offered" and of(report, "w") == "exact" and report.passed


def test_digits_are_those_of_the_relative_error() -> None:
    true = np.array([3.0, 4.0])
    assert right_digits(true * (1 + 1e-5), true, 0.0) == pytest.approx(5, abs=1e-6)
    assert right_digits(-true, true, 0.0) == pytest.approx(-math.log10(2))
    assert right_digits(true, true, 0.0) == MOST_DIGITS == -math.log10(U64)
    assert right_digits(np.array([1e-6, 0.0]), np.zeros(2), 1e-3) == pytest.approx(3), "a block of 0 has a floor"
    assert right_digits(np.array([1e308, 1e308]), true, 1.0) == pytest.approx(math.log10(5) - 308 - math.log10(2) / 2)
    assert all(grade(least) == name for name, least in GRADES)
    assert [grade(least - 1e-9) for _, least in GRADES] == ["single precision", "approximate", "wrong"]


def test_a_number_among_zeros_is_wrong() -> None:
    """The gradient of a silent network has no size of its own, so the loss is the scale."""
    report = check(
        answers(lambda found: found["gradients"]["connections"][0].update(weights=[[1e3, 0.0]])), ["silent-network"]
    )
    assert of(report, "w") == "wrong" and of(report, "d") == "exact"


@pytest.mark.parametrize(("arguments", "name"), [({"cases": ["nowhere"]}, "case"), ({"digits": math.nan}, "digits")])
def test_bad_arguments_are_refused(arguments: dict, name: str) -> None:
    with pytest.raises(SpecError, match=f"`{name}` must be "):
        check(reference.run, **arguments)
