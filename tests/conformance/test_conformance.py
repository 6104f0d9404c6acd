"""The conformance set: stored results are the ground truth, in the implementations' layout."""

from __future__ import annotations

import json

import pytest

from delayprop.spec import READOUTS, load_case
from tests.support.commands import skeleton
from tests.support.implementations import Run, every_run
from tests.support.tolerances import WELL_CONDITIONED
from tests.tools.make_conformance import DOCUMENTS, FOLDER, with_results

FILES = sorted(FOLDER.glob("*.json"))


def test_no_file_is_missing_or_left_over() -> None:
    assert sorted(path.stem for path in FILES) == sorted(DOCUMENTS)
    losses = [document["loss"] for document in DOCUMENTS.values()]
    assert {loss.get("readout", loss["kind"]) for loss in losses} == {*READOUTS, "spike_time_mse"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_stored_result_is_the_ground_truth(name: str) -> None:
    """They agree bit for bit: the simulation rounds alike on every machine."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == with_results(DOCUMENTS[name])


@every_run
def test_implementations_have_the_layout_of_the_set(run: Run) -> None:
    """Keys in order, lengths and nulls; also `kappa_min` and ties, which the kit does not grade."""
    for path in FILES:
        case = load_case(path)
        found, expected = run(case).to_dict(case.network), case.expected
        assert expected is not None
        assert json.dumps(skeleton(found)) == json.dumps(skeleton(expected)), path.stem
        assert found["ties"] == expected["ties"]
        assert (found["kappa_min"] or 0.0) == pytest.approx(expected["kappa_min"] or 0.0, rel=WELL_CONDITIONED)
