"""The networks that other tests draw: they cover all classes, and are reproducible. Cases that once
failed, against the ground truth; failing cases are stored."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from delayprop.spec import Case, case_to_dict, load_case
from tests.support.comparison import assert_same_results
from tests.support.implementations import Run, every_run
from tests.support.networks.census import CLASSES, LOOPS, classes, require
from tests.support.networks.failures import FOLDER, stored_on_failure
from tests.support.networks.strategies import cases, families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.truth import Problem, simulate, truth_of

LEAST = 0.015  # minimum share of cases of each class


@pytest.mark.full
@pytest.mark.check(32)
@pytest.mark.parametrize("feed_forward", [True, False])
def test_seeded_cases_hit_every_class(feed_forward: bool, measured: Measured) -> None:
    counts, ignored, number = Counter[str](), LOOPS if feed_forward else (), 250
    for seed in range(number):
        case = seeded_case(seed, feed_forward=feed_forward)
        truth = simulate(Problem.from_case(case), 20)
        counts.update(classes(case, truth))
        assert sum(len(train) for trains in truth.spikes.values() for train in trains) < 400
    require(counts, number, LEAST, ignored)
    hit = {name: counts[name] for name in CLASSES if name not in ignored}
    measured(LEAST * number / min(hit.values()), 1.0, number, "0 to 249")


@pytest.mark.check(32, control=True)
def test_control_networks_of_one_family_do_not_hit_every_class() -> None:
    counts = Counter(name for seed in range(50) for name in classes(seeded_case(seed, "layers")))
    with pytest.raises(AssertionError, match="of 50 cases too few"):
        require(counts, 50, LEAST)


def test_ill_conditioned_seeds_are_rare() -> None:
    truths = [simulate(Problem.from_case(seeded_case(seed)), 20) for seed in range(200)]
    assert sum(truth.margin < 1e-5 for truth in truths) <= 4
    assert sum(truth.kappa_min is not None and truth.kappa_min < 1e-5 for truth in truths) <= 4
    assert sum(truth.kappa_min is None for truth in truths) <= 60


@pytest.mark.full
def test_drawn_cases_hit_every_class() -> None:
    """Family by family: Hypothesis derives examples from each other, so few draws cover little."""
    found: list[set[str]] = []
    for family in families():

        @settings(max_examples=25, database=None)
        @given(cases(family=family))
        def draw(case: Case) -> None:
            found.append(classes(case))

        draw()
    require(Counter(name for one in found for name in one), len(found), 0.005)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
@every_run
def test_cases_that_once_failed(path: Path, run: Run) -> None:
    case = load_case(path)
    result, true = run(case), truth_of(case)
    assert result.loss == pytest.approx(float(true.loss), rel=1e-12, abs=1e-12)
    assert_same_results(case, result, true)


@pytest.mark.full
def test_the_smallest_failing_case_is_stored(tmp_path: Path) -> None:
    failing: list[Case] = []

    @settings(max_examples=60, database=None)
    @given(cases(feed_forward=True))
    def fails_on_two_hidden_layers(case: Case) -> None:
        with stored_on_failure(case, "planted", tmp_path):
            if len(case.network.populations) > 3:
                failing.append(case)
                raise AssertionError("planted")

    with pytest.raises(AssertionError, match="planted"):
        fails_on_two_hidden_layers()
    (path,) = tmp_path.glob("*.json")
    assert case_to_dict(load_case(path)) == case_to_dict(failing[-1])
    assert sum(population.size for population in failing[-1].network.populations) <= 6


def test_nothing_is_stored_without_a_failure(tmp_path: Path) -> None:
    case = seeded_case(0)
    with stored_on_failure(case, "passes", tmp_path):
        pass

    @settings(max_examples=5, database=None)
    @given(cases(family="quiet"))
    def discards(case: Case) -> None:
        with stored_on_failure(case, "discards", tmp_path):
            assume(len(case.network.populations) < 3)

    discards()
    assert not list(tmp_path.iterdir())
