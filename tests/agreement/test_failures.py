"""Cases that once failed, against the ground truth; failing cases are stored."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings

from delayprop.spec import Case, case_to_dict, load_case
from tests.support.comparison import assert_same_results
from tests.support.implementations import Run, every_run
from tests.support.networks.failures import FOLDER, stored_on_failure
from tests.support.networks.strategies import cases, seeded_case
from tests.support.truth import truth_of


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
