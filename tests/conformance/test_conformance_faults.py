"""Every known fault is named as itself, and what is no known fault is not given a name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

import reference
from spec.conformance import check
from spec.conformance.cases import stored
from spec.conformance.faults import NEAR, SAME, known
from tests.support.faults.catalogue import FAULTS
from tests.support.faults.fault_signatures import BEYOND_ROUNDING, WRITTEN, all_faulty_results, document, planted
from tests.support.peers.reports import graded, near
from tests.tools.make_fault_signatures import FILE, text_of

EVERYTHING = "weight, delay, tau_mem, tau_syn, threshold, reset, input-time"
NAMES = [*(fault.name for fault in planted()), *WRITTEN]


@cache
def planted_anew() -> tuple[tuple[str, str, dict[str, dict]], ...]:
    return tuple(all_faulty_results())


@cache
def faulty() -> dict[str, dict[str, dict]]:
    """The results of every fault, by its name and the case: planted anew, not read from the file."""
    return {name: results for name, _, results in planted_anew()}


def changed(results: dict[str, dict], change: Callable[[dict], object]) -> dict[str, dict]:
    copies: dict[str, dict] = json.loads(json.dumps(results))
    for found in copies.values():
        change(found)
    return copies


def test_what_is_stored_is_what_the_faults_give() -> None:
    """But for rounding: the last of ten digits."""
    found, kept = document(planted_anew()), json.loads(FILE.read_text(encoding="utf-8"))
    assert text_of(kept) == FILE.read_text(encoding="utf-8")
    assert [fault["name"] for fault in kept["faults"]] == [fault["name"] for fault in found["faults"]] == NAMES
    for ours, stored_fault in zip(found["faults"], kept["faults"], strict=True):
        assert ours["what"] == stored_fault["what"]
        for case in stored():
            a, b = (fault["cases"].get(case.name, {}) for fault in (ours, stored_fault))
            assert list(a) == list(b), (ours["name"], case.name)
            for path in a:
                assert a[path] == pytest.approx(b[path], rel=BEYOND_ROUNDING, abs=BEYOND_ROUNDING)


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_named_as_itself(name: str) -> None:
    """The confusion is the identity: no other fault is the same in all, and none is near."""
    found = near(graded(faulty()[name]))
    assert found.clear and found.name == name and found.also == ()
    assert found.distance < SAME


@pytest.mark.parametrize("name", NAMES)
def test_control_without_itself_a_fault_is_like_no_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bound rests on: every other fault is farther away than it by half at least."""
    others = tuple(fault for fault in known() if fault.name != name)
    monkeypatch.setattr("spec.conformance.report.known", lambda: others)
    found = near(graded(faulty()[name]))
    assert found.distance > 1.5 * NEAR and not found.clear


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_named_in_single_precision_too(name: str) -> None:
    """With noise of 1e-6 of each number."""
    found = near(graded(noisy(faulty()[name], 1e-6)))
    assert found.clear and found.name == name


def test_control_with_noise_of_its_own_size_it_is_not() -> None:
    found = near(graded(noisy(faulty()["same slope before and after the reset"], 0.3)))
    assert not found.clear and found.name == "same slope before and after the reset"


def noisy(results: dict[str, dict], size: float) -> dict[str, dict]:
    generator = np.random.default_rng(0)

    def of(value: object) -> object:
        if isinstance(value, dict):
            return {key: of(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [of(entry) for entry in value]
        return value * (1 + size * generator.standard_normal()) if isinstance(value, float) else value

    return {case: of(found) for case, found in results.items()}  # type: ignore[misc]


def test_the_sign_of_delays_reads_as_such() -> None:
    report = graded(faulty()["flipped sign of the delay gradient"])
    found = near(report)
    assert found.truth == pytest.approx(2.0)
    shown = str(report)
    assert f"distance {found.distance:.1e} to that fault, 2.0e+00 to the right results" in shown
    assert 'like "flipped sign of the delay gradient" (dL/dd has the other sign): ' in shown
    assert "all delay gradients are -1.000 times the right ones (to " in shown


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda found: scale(found["gradients"], 0.25), f"all {EVERYTHING} gradients are 0.2500 times the right ones"),
        (lambda found: scale(found["gradients"]["connections"], 0.0), "all weight, delay gradients are 0"),
        (lambda found: scale(found["gradients"]["inputs"], -3.0), "all input-time gradients are -3.000 times the "),
    ],
)
def test_a_common_factor_is_found(change: Callable[[dict], object], line: str) -> None:
    report = graded(changed({one.name: one.expected for one in stored()}, change))
    assert line in str(report) and len(report.factors) == 1
    assert not near(report).clear


def scale(value: object, factor: float) -> None:
    """Every number in it times a factor, in place."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        if isinstance(entry, float):
            value[key] = entry * factor  # type: ignore[index]
        else:
            scale(entry, factor)


def test_a_factor_of_some_cases_is_told_from_one_of_all() -> None:
    (found,) = graded(faulty()["no half in the squares"]).factors
    assert found.factor == pytest.approx(2.0) and 0 < found.blocks < found.of
    assert graded(faulty()["times in s"]).factors[0].quantities == ("d", "tau_mem", "tau_syn", "t_in")
    assert graded(faulty()["same slope before and after the reset"]).factors == ()


def test_control_noise_is_no_known_fault_and_no_factor() -> None:
    generator = np.random.default_rng(1)

    def scramble(found: dict) -> None:
        for connection in found["gradients"]["connections"]:
            connection["delays"] = [
                [None if v is None else float(generator.standard_normal()) for v in row] for row in connection["delays"]
            ]

    report = graded(changed({one.name: one.expected for one in stored()}, scramble))
    assert not near(report).clear and report.factors == () and "no known pattern" in str(report)


def test_control_the_right_results_are_like_nothing() -> None:
    report = check(reference.run)
    assert report.likeness is None and "pattern" not in str(report)


def test_a_fault_that_changes_what_is_right_is_not_named() -> None:
    """Delays alone times 1000 are not "times in s", which changes time constants too, unless these are not offered."""

    def in_seconds(found: dict) -> None:
        for connection in found["gradients"]["connections"]:
            scale(connection["delays"], 1e3)

    def delays_alone(found: dict) -> None:
        in_seconds(found)
        found["gradients"] = {"connections": [{"delays": c["delays"]} for c in found["gradients"]["connections"]]}

    right = {one.name: one.expected for one in stored()}
    assert not near(graded(changed(right, in_seconds))).clear
    alone = near(graded(changed(right, delays_alone)))
    assert alone.clear and alone.name == "times in s"


def test_faults_that_are_the_same_in_what_is_offered_are_all_named() -> None:
    """In one layer nobody sends anything back, so what is left out of that is left out of the delays alone."""
    layer = ["one-neuron", "one-layer-no-delays", "one-layer-first-spikes", "missing-and-free-spikes"]

    def delays_alone(found: dict) -> None:
        found["gradients"] = {"connections": [{"delays": c["delays"]} for c in found["gradients"]["connections"]]}

    one, two = "lambda_V left out of the delay gradient", "lambda_V left out of what a spike sends back"
    found = near(graded(changed(faulty()[one], delays_alone), layer))
    assert found.clear and {found.name, *found.also} == {one, two}
    assert near(graded(changed(faulty()[one], delays_alone))).also == (), "a hidden layer tells them apart"


def test_numbers_far_out_resemble_nothing() -> None:
    def huge(found: dict) -> None:
        found["gradients"]["connections"][0]["weights"][0][0] = 1e300

    report = graded(changed({one.name: one.expected for one in stored()}, huge))
    assert report.likeness is None and report.factors == () and not report.passed


def test_every_fault_of_the_catalogue_has_a_signature() -> None:
    """Each changes several cases, and something by more than single precision explains."""
    assert [fault.name for fault in known()] == NAMES
    assert {fault.name for fault in FAULTS} <= set(NAMES)
    for fault in known():
        assert len({case for case, _ in fault.blocks}) >= 5, fault.name
