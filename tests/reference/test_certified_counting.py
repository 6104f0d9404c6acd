"""The count of right digits: an error costs its digits, a value that is no number has none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest

import delayprop.reference as reference
from delayprop.spec import Case, Result, load_case
from tests.support.certified import DIGITS, FOLDER, certified_values, changed_digit, digits_by_block, right_digits
from tests.support.comparison import scaled
from tests.support.report_evidence import Measured
from tests.tools.make_certified import as_strings


@pytest.fixture
def known() -> tuple[Case, Mapping, dict]:
    case = load_case(FOLDER / "lower-self-connection.json")
    return case, certified_values(case), reference.run(case).to_dict(case.network)


@pytest.mark.check(9, control=True)
def test_a_gradient_off_by_1e_9_has_nine_digits(known: tuple[Case, Mapping, dict], measured: Measured) -> None:
    case, certified, _ = known
    for kind, end in (("w", "weights"), ("d", "delays"), ("tau_mem", "tau_mem"), ("v_reset", "reset"), ("t_in", "in")):
        result = reference.run(case)
        off = Result(*(vars(result) | {"gradients": scaled(result.gradients, kind, 1 + 1e-9)}).values())
        found = digits_by_block(off.to_dict(case.network), certified)
        measured(12 / min(found.values()), 1.0, 1)
        assert {path for path, digits in found.items() if digits < 12} == {p for p in found if p.endswith(f"/{end}")}
        assert 8.9 < min(found.values()) < 9.1


def test_a_digit_is_counted(known: tuple[Case, Mapping, dict]) -> None:
    case, certified, _ = known
    found = as_strings(case, reference.run(case, 60))
    assert right_digits(found, certified) == DIGITS
    for place in range(2, DIGITS + 1):
        wrong = digits_by_block(found, {**certified, "loss": changed_digit(certified["loss"], place)})
        assert abs(wrong["loss"] - place) < 1.5 and min(wrong.values()) == wrong["loss"] < DIGITS


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "x", True, [], [1.0]])
def test_no_number_has_no_digit(known: tuple[Case, Mapping, dict], value: object) -> None:
    _, certified, found = known
    assert digits_by_block({**found, "loss": value}, certified)["loss"] == 0
    assert right_digits({key: value for key, value in found.items() if key != "spikes"}, certified) == 0


def test_a_spike_too_many_or_too_few_has_no_digit(known: tuple[Case, Mapping, dict]) -> None:
    _, certified, found = known
    for change in (lambda train: train[:-1], lambda train: [*train, 59.0]):
        trains = [change(found["spikes"]["out"][0]), *found["spikes"]["out"][1:]]
        assert digits_by_block({**found, "spikes": {"out": trains}}, certified)["spikes/out"] == 0
    silent = certified_values(load_case(FOLDER / "lower-interior-maximum.json"))
    assert digits_by_block({**silent, "spikes": {"out": [[1.0], []]}}, silent)["spikes/out"] == 0


def test_a_block_that_is_0_must_be_0() -> None:
    """An example is the gradient by the reset, for a loss of first spikes."""
    zero = certified_values(load_case(FOLDER / "lower-first-spike-time.json"))
    assert min(digits_by_block(zero, zero).values()) == DIGITS
    found = json.loads(json.dumps(zero))
    assert [float(number) for number in found["gradients"]["populations"]["out"]["reset"]] == [0, 0, 0]
    found["gradients"]["populations"]["out"]["reset"][1] = 1e-20
    wrong = {path for path, digits in digits_by_block(found, zero).items() if digits < DIGITS}
    assert wrong == {"gradients/populations/out/reset"} and right_digits(found, zero) == 0
