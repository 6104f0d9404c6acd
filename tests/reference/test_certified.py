"""The certified set: two routes agree on its digits, both implementations reach them, the count of
right digits, and the difficulties that the set covers."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.spec import READOUTS, Case, Result, SpikeTimeMSE, load_case
from tests.support.certified import (
    CLASSES,
    DIGITS,
    FOLDER,
    RUNS,
    certified_values,
    changed_digit,
    digits_by_block,
    files,
    neuron_files,
    right_digits,
    row_of,
)
from tests.support.comparison import scaled
from tests.support.conditioning import conditioned
from tests.support.networks.census import structure
from tests.support.parameters import arrivals
from tests.support.report_evidence import Measured
from tests.support.truth import OrderChanged, Problem, simulate
from tests.tools import make_certified

LIMITS = {
    "reference": {"lower": 12.0, "average": 12.0, "higher": 6.0},
    "fast float64": {"lower": 12.0, "average": 12.0, "higher": 6.0},
    "fast float32": {"lower": 4.0, "average": 4.0, "higher": 4.0},
}
"""Required right digits: of 16 (or 7), after some hundred operations; `higher`: condition 1e9."""

ULP = {"reference": 2.0**-52, "fast float64": 2.0**-52, "fast float32": 2.0**-23}
ILL_CONDITIONED = {
    "reference": {"higher-grazing-10", "higher-outputs-almost-alike"},
    "fast float64": {"higher-grazing-10", "higher-outputs-almost-alike"},
    "fast float32": {
        "higher-amplifying-chain", "higher-grazing-4", "higher-grazing-6", "higher-grazing-8", "higher-grazing-10",
        "higher-maxima-almost-alike", "higher-outputs-almost-alike", "higher-targets-nearly-met",
    },
}
"""Below the limit by their conditioning: at most `SLACK` digits fewer than an ulp leaves."""

SLACK = 1.0  # one digit: the result is right for numbers within ten ulps of the given ones

QUICK = ("lower-arrival-at-the-end", "lower-zero-delays", "average-at-once", "higher-grazing-10", "higher-balanced")
"""In the core, by both routes; tests marked `full` check all networks."""
LONG = "higher-far-apart-time-constants"  # the reference takes 15 s: its Taylor steps are short


def in_core(*beginnings: str) -> pytest.MarkDecorator:
    """Networks of these names in the core, all others `full`, or for a release if long."""
    marks = {True: pytest.mark.release, False: pytest.mark.full}
    chosen = [
        n if n.startswith(beginnings) else pytest.param(n, marks=marks[n.startswith("neurons/")])
        for n in make_certified.NAMES
    ]
    return pytest.mark.parametrize("name", chosen)


def stored(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def test_the_readme_has_the_table_and_no_file_is_left_over() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert readme == make_certified.with_table(readme)
    assert sorted(name for name, _ in make_certified.ROW.findall(readme)) == sorted(make_certified.NAMES)


@pytest.mark.check(9)
@in_core("lower", *QUICK)
def test_what_is_stored_is_what_the_adjoint_finds(name: str) -> None:
    document = make_certified.document_of(name)
    results = make_certified.by_adjoint(document)
    assert stored(name) == make_certified.text_of(document, results)
    assert stored(name) != make_certified.text_of(document, results | {"loss": changed_digit(results["loss"])})


@pytest.mark.check(9)
@in_core(*QUICK)
def test_differences_find_the_same(name: str) -> None:
    expected = certified_values(load_case(FOLDER / f"{name}.json"))
    found = make_certified.by_differences(make_certified.document_of(name), make_certified.SIDES.get(name, {}))
    assert make_certified.without_ties(expected) == make_certified.without_ties(found)


@pytest.mark.check(9)
@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem, marks=[pytest.mark.full] if path.stem == LONG else []) for path in files()
])
def test_right_digits(path: Path, measured: Measured) -> None:
    row = row_of(path)
    low = {label for label in RUNS if row[label] < LIMITS[label][row["class"]]}
    excused = {label for label in RUNS if path.stem in ILL_CONDITIONED[label]}
    asked = {label: LIMITS[label][row["class"]] for label in RUNS if label not in excused}
    measured(max((limit / row[label] for label, limit in asked.items()), default=0.0), 1.0, 1)
    measured.keep("certified", {**row, "ill_conditioned": sorted(excused)})
    assert low <= excused
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name, label in (("`reference`, float64", "reference"), ("`fast`, float32", "fast float32")):
        cells = page.split(f"| {name} | ")[1].split(" |")[: len(CLASSES)]
        least, most = map(float, cells[CLASSES.index(row["class"])].split(" to "))
        assert least <= row[label] <= most, f"README: {label} has {row[label]:.1f} digits"


@pytest.mark.check(9)
@pytest.mark.parametrize("path", neuron_files(), ids=lambda path: path.stem)
def test_right_digits_of_neurons_given_by_equations(path: Path, measured: Measured) -> None:
    case = load_case(path)
    digits = right_digits(reference.run(case).to_dict(case.network), certified_values(case))
    measured(LIMITS["reference"]["average"] / digits, 1.0, 1)
    measured.keep("neurons", {"neuron": path.stem, "digits": digits})
    assert digits >= LIMITS["reference"]["average"]


@pytest.mark.full
@pytest.mark.check(9)
@pytest.mark.parametrize("name", sorted(set().union(*ILL_CONDITIONED.values())))
def test_fewer_digits_only_where_an_ulp_leaves_no_more(name: str) -> None:
    row = row_of(FOLDER / f"{name}.json")
    for label in (label for label in RUNS if name in ILL_CONDITIONED[label]):
        left = conditioned(make_certified.document_of(name), ULP[label])
        assert left - SLACK < LIMITS[label]["higher"] and row[label] >= left - SLACK


@pytest.mark.check(9, control=True)
def test_conditioning_excuses_no_well_conditioned_network() -> None:
    left = conditioned(make_certified.document_of("lower-one-neuron"), ULP["reference"])
    assert left - SLACK > LIMITS["reference"]["lower"]


@pytest.mark.check(9, control=True)
def test_routes_that_differ_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "lower-arrival-at-the-end"
    document, sides = make_certified.document_of(name), make_certified.SIDES[name]
    assert make_certified.with_certified(document, sides) == stored(name)
    with pytest.raises(OrderChanged):  # a two-sided derivative, where the specification has a one-sided one
        make_certified.with_certified(document, {})
    honest = reference.run

    def off(case: Case, digits: int) -> Result:
        result = honest(case, digits)
        return replace(result, gradients=scaled(result.gradients, "d", 1 + 2.0**-52))

    monkeypatch.setattr(make_certified.reference, "run", off)
    with pytest.raises(make_certified.Disagreement, match="numbers differ, the first"):
        make_certified.with_certified(document, sides)


@pytest.mark.parametrize(
    ("name", "neuron", "spike"),
    [("higher-spike-just-before-the-end", 0, 6), ("higher-inhibition-just-after-a-crossing", 0, 2)],
)
def test_just_after_is_the_next_number_of_float64(name: str, neuron: int, spike: int) -> None:
    case = make_certified.case_of(make_certified.document_of(name))
    t = simulate(Problem.from_case(case)).spikes["out"][neuron][spike]
    after = case.duration if name.endswith("end") else float(case.inputs["in"][1][0])
    assert mpmath.mpf(float(np.nextafter(after, 0.0))) < t < mpmath.mpf(after)


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
    found = make_certified.as_strings(case, reference.run(case, 60))
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
