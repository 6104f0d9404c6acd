"""Every known fault is named as itself; an unknown fault gets no name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.faults import NEAR, SAME, known
from tests.support.faults.catalogue import FAULTS, Fault
from tests.support.faults.fault_signatures import BEYOND_ROUNDING, WRITTEN, all_faulty_results, document, planted
from tests.support.faults.planting import plant, results
from tests.support.peers.reports import graded, near
from tests.tools.make_fault_signatures import FILE, text_of

EVERYTHING = "weight, delay, tau_mem, tau_syn, threshold, reset, input-time"
NAMES = [*(fault.name for fault in planted()), *WRITTEN]
FLIPPED, ONE_SLOPE = "flipped sign of the delay gradient", "same slope before and after the reset"
Results = dict[str, dict]

every_fault = pytest.mark.parametrize("name", NAMES)


@cache
def planted_anew() -> tuple[tuple[str, str, Results], ...]:
    return tuple(all_faulty_results())


@cache
def faulty() -> dict[str, Results]:
    """The results of every fault by its name, planted anew instead of read from the file."""
    return {name: found for name, _, found in planted_anew()}


def right() -> Results:
    return {one.name: one.expected for one in stored()}


def changed(given: Results, change: Callable[[dict], object]) -> Results:
    copies: Results = json.loads(json.dumps(given))
    for found in copies.values():
        change(found)
    return copies


def scale(value: object, factor: Callable[[], float]) -> None:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        if isinstance(entry, float):
            value[key] = entry * factor()  # type: ignore[index]
        else:
            scale(entry, factor)


def noisy(given: Results, size: float) -> Results:
    generator = np.random.default_rng(0)
    return changed(given, lambda found: scale(found, lambda: 1 + size * generator.standard_normal()))


def delays_alone(found: dict) -> None:
    found["gradients"] = {"connections": [{"delays": c["delays"]} for c in found["gradients"]["connections"]]}


@pytest.mark.full
def test_the_stored_signatures_are_those_of_the_faults() -> None:
    """The last of ten digits may differ by rounding."""
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


@every_fault
def test_a_fault_is_named_as_itself(name: str) -> None:
    found = near(graded(faulty()[name]))
    assert found.clear and found.name == name and found.also == ()
    assert found.distance < SAME


@every_fault
def test_control_without_itself_a_fault_is_like_no_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The margin of the bound: every other fault is at least 1.5 times as far away."""
    others = tuple(fault for fault in known() if fault.name != name)
    monkeypatch.setattr("delayprop.spec.conformance.report.known", lambda: others)
    found = near(graded(faulty()[name]))
    assert found.distance > 1.5 * NEAR and not found.clear


@every_fault
def test_a_fault_is_named_in_single_precision_too(name: str) -> None:
    """The results carry relative noise of 1e-6."""
    found = near(graded(noisy(faulty()[name], 1e-6)))
    assert found.clear and found.name == name


def test_control_with_noise_of_its_own_size_it_is_not() -> None:
    found = near(graded(noisy(faulty()[ONE_SLOPE], 0.3)))
    assert not found.clear and found.name == ONE_SLOPE


def test_the_report_on_a_fault_in_full() -> None:
    report = graded(faulty()[FLIPPED])
    found, shown = near(report), str(report)
    assert found.truth == pytest.approx(2.0)
    assert f"distance {found.distance:.1e} to that fault, 2.0e+00 to the right results" in shown
    assert f'like "{FLIPPED}" (dL/dd has the other sign): ' in shown
    assert "all delay gradients are -1.000 times the right ones (to " in shown


@pytest.mark.parametrize(
    ("parts", "factor", "line"),
    [
        ((), 0.25, f"all {EVERYTHING} gradients are 0.2500 times the right ones"),
        (("connections",), 0.0, "all weight, delay gradients are 0"),
        (("inputs",), -3.0, "all input-time gradients are -3.000 times the "),
    ],
)
def test_a_common_factor_is_found(parts: tuple[str, ...], factor: float, line: str) -> None:
    def change(found: dict) -> None:
        for part in parts or found["gradients"]:
            scale(found["gradients"][part], lambda: factor)

    report = graded(changed(right(), change))
    assert line in str(report) and len(report.factors) == 1
    assert not near(report).clear


def test_a_factor_of_some_cases_differs_from_one_of_all() -> None:
    (found,) = graded(faulty()["no half in the squares"]).factors
    assert found.factor == pytest.approx(2.0) and 0 < found.blocks < found.of
    assert graded(faulty()["times in s"]).factors[0].quantities == ("d", "tau_mem", "tau_syn", "t_in")
    assert graded(faulty()[ONE_SLOPE]).factors == ()


def test_control_noise_is_no_known_fault_and_no_factor() -> None:
    generator = np.random.default_rng(1)

    def scramble(found: dict) -> None:
        for connection in found["gradients"]["connections"]:
            connection["delays"] = [
                [None if v is None else float(generator.standard_normal()) for v in row] for row in connection["delays"]
            ]

    report = graded(changed(right(), scramble))
    assert not near(report).clear and report.factors == () and "no known pattern" in str(report)


def in_seconds(found: dict) -> None:
    for connection in found["gradients"]["connections"]:
        scale(connection["delays"], lambda: 1e3)


def test_a_fault_that_would_change_right_numbers_is_not_named() -> None:
    """Delays alone times 1000 are "times in s" only if time constants are not offered."""
    times_1000 = changed(right(), in_seconds)
    assert not near(graded(times_1000)).clear
    alone = near(graded(changed(times_1000, delays_alone)))
    assert alone.clear and alone.name == "times in s"


def test_faults_that_agree_in_all_offered_numbers_are_all_named() -> None:
    """In one layer no spike sends anything back: both faults change the delays alone."""
    layer = ["one-neuron", "one-layer-no-delays", "one-layer-first-spikes", "missing-and-free-spikes"]
    one, two = "lambda_V left out of the delay gradient", "lambda_V left out of what a spike sends back"
    alone = changed(faulty()[one], delays_alone)
    found = near(graded(alone, layer))
    assert found.clear and {found.name, *found.also} == {one, two}
    assert near(graded(alone)).also == (), "a hidden layer separates them"


def test_a_huge_number_resembles_nothing() -> None:
    def huge(found: dict) -> None:
        found["gradients"]["connections"][0]["weights"][0][0] = 1e300

    report = graded(changed(right(), huge))
    assert report.likeness is None and report.factors == () and not report.passed


def test_every_fault_of_the_catalogue_has_a_signature() -> None:
    """A signature covers several cases, and exceeds the rounding of float32."""
    assert [fault.name for fault in known()] == NAMES
    assert {fault.name for fault in FAULTS} <= set(NAMES)
    for fault in known():
        assert len({case for case, _ in fault.blocks}) >= 5, fault.name


OTHER_IN_FAST = {
    "no jump at the first spike": "there it is the first spike of a layer, not of each neuron",
    "no tau_syn in the weight gradient": "there tau_syn counts in bins, so the missing factor is another",
    "adjoint looked up at t, not at t + d": "there the ring no longer holds that adjoint",
    "1e-3 added to a denominator": "there the slope is per bin, so 1e-3 is another share of it",
    "0.1 % error": "there it affects the sender of a spike, but not the delays",
    "no jump at the last spike": "there it is the last spike of a layer, not of each neuron",
    "flipped sign of the gradient by tau_syn": "there it affects integral readouts too",
}
"""Faults of `fast` that differ from the fault of that name in the reference."""
IN_FAST = [fault for fault in FAULTS if fault.package == "fast"]


@pytest.mark.full
@pytest.mark.parametrize("fault", IN_FAST, ids=lambda fault: fault.name)
def test_a_fault_of_fast_is_named_from_signatures_of_the_reference(fault: Fault, tmp_path: Path) -> None:
    """Both implementations share nothing, so the name comes from the numbers alone."""
    found = near(graded(results("fast", plant(fault, "fast", tmp_path))))
    assert found.clear == (fault.name not in OTHER_IN_FAST)
    assert found.name == fault.name or not found.clear


def test_every_other_fault_of_fast_is_in_the_catalogue() -> None:
    assert OTHER_IN_FAST.keys() < {fault.name for fault in IN_FAST}
