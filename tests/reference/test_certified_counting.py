"""The certified set: the count of right digits, and the difficulties that it covers."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.spec import READOUTS, Case, SpikeTimeMSE, load_case
from tests.support.certified import (
    CLASSES,
    DIGITS,
    FOLDER,
    certified_values,
    changed_digit,
    digits_by_block,
    files,
    right_digits,
)
from tests.support.comparison import scaled
from tests.support.networks.census import structure
from tests.support.parameters import arrivals
from tests.support.report_evidence import Measured
from tests.tools.make_certified import as_strings


@pytest.fixture
def known() -> tuple[Case, Mapping, dict]:
    case = load_case(FOLDER / "lower-self-connection.json")
    return case, certified_values(case), reference.run(case).to_dict(case.network)


@pytest.mark.check(9, control=True)
def test_a_flipped_sign_has_no_digit(known: tuple[Case, Mapping, dict]) -> None:
    _, certified, found = known
    assert right_digits(found, certified) > 12
    delays = found["gradients"]["connections"][0]["delays"]
    delays[0] = [-d for d in delays[0]]
    assert right_digits(found, certified) == 0


@pytest.mark.check(9, control=True)
def test_a_gradient_off_by_1e_9_has_nine_digits(known: tuple[Case, Mapping, dict], measured: Measured) -> None:
    case, certified, _ = known
    for kind, end in (("w", "weights"), ("d", "delays"), ("tau_mem", "tau_mem"), ("v_reset", "reset"), ("t_in", "in")):
        result = reference.run(case)
        off = replace(result, gradients=scaled(result.gradients, kind, 1 + 1e-9))
        found = digits_by_block(off.to_dict(case.network), certified)
        measured(12 / min(found.values()), 1.0, 1)
        assert {path for path, digits in found.items() if digits < 12} == {p for p in found if p.endswith(f".{end}")}
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
        assert digits_by_block({**found, "spikes": {"out": trains}}, certified)["spikes.out"] == 0
    silent = certified_values(load_case(FOLDER / "lower-interior-maximum.json"))
    assert digits_by_block({**silent, "spikes": {"out": [[1.0], []]}}, silent)["spikes.out"] == 0


def test_a_block_that_is_0_must_be_0() -> None:
    """An example is the gradient by the reset, for a loss of first spikes."""
    zero = certified_values(load_case(FOLDER / "lower-first-spike-time.json"))
    assert min(digits_by_block(zero, zero).values()) == DIGITS
    found = json.loads(json.dumps(zero))
    assert [float(number) for number in found["gradients"]["populations"]["out"]["reset"]] == [0, 0, 0]
    found["gradients"]["populations"]["out"]["reset"][1] = 1e-20
    wrong = {path for path, digits in digits_by_block(found, zero).items() if digits < DIGITS}
    assert wrong == {"gradients.populations.out.reset"} and right_digits(found, zero) == 0


def arrives_at_the_end(case: Case) -> bool:
    neurons = [(p.name, j) for p in case.network.populations for j in range(p.size)]
    every = [(Fraction(float(t)), Fraction(float(d))) for n in neurons for _, t, d in arrivals(case, case.inputs, *n)]
    return any(t + d == Fraction(case.duration) for t, d in every)


def ends_in_free_spikes(case: Case) -> bool:
    """The last spikes of a neuron that is read, and drives nothing, come after its targets."""
    if not isinstance(case.loss, SpikeTimeMSE) or case.loss.population in {c.source for c in case.network.connections}:
        return False
    trains = certified_values(case)["spikes"][case.loss.population]
    return any(len(train) > len(targets) > 0 for train, targets in zip(trains, case.loss.targets, strict=True))


STRUCTURE = {
    "delay beyond the trial", "zero delay", "tau_mem = tau_syn", "heterogeneous", "inhibition", "self-connection",
    "parallel connections", "no synapse", "input after the end",
}
"""Classes of the census."""

FEATURES: dict[str, Callable[[Case], bool]] = {
    "spikes after which nothing matters": ends_in_free_spikes,
    "an arrival exactly at T": arrives_at_the_end,
    "almost equal time constants": lambda case: any(
        np.any((p.tau_mem != p.tau_syn) & np.isclose(p.tau_mem, p.tau_syn, 1e-11, 0.0))
        for p in case.network.populations
        if p.kind != "input"
    ),
    "a silent neuron": lambda case: any([] in trains for trains in certified_values(case)["spikes"].values()),
    "kappa below 2e-10": lambda case: float(certified_values(case)["kappa_min"] or 1) < 2e-10,
} | {readout: lambda case, readout=readout: getattr(case.loss, "readout", None) == readout for readout in READOUTS}
FEATURES["spike_time_mse"] = lambda case: isinstance(case.loss, SpikeTimeMSE)


def test_every_class_and_feature_is_there() -> None:
    """No feature is in every case, so each could be missing."""
    assert all(len(files(difficulty)) >= 8 for difficulty in CLASSES)
    cases = [load_case(path) for path in files()]
    found = Counter(name for case in cases for name in structure(case) if name in STRUCTURE)
    assert found.keys() == STRUCTURE
    found |= {name: sum(map(has, cases)) for name, has in FEATURES.items()}
    assert [name for name, number in found.items() if not 0 < number < len(cases)] == []
