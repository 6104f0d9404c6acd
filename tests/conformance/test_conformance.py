"""The conformance set: what is stored is the ground truth, and both implementations reproduce it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import reference
from fast.run import run_case
from spec import READOUTS, Case, Result, case_from_text, load_case
from tests.support.tolerances import WELL_CONDITIONED
from tests.tools.make_conformance import DOCUMENTS, FOLDER, with_results

FILES = sorted(FOLDER.glob("*.json"))


def test_no_file_is_missing_or_left_over() -> None:
    assert sorted(path.stem for path in FILES) == sorted(DOCUMENTS)
    losses = [document["loss"] for document in DOCUMENTS.values()]
    assert {loss.get("readout", loss["kind"]) for loss in losses} == {*READOUTS, "spike_time_mse"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_stored_is_the_ground_truth(name: str) -> None:
    """Bit for bit: the simulation and its rounding are the same on every machine."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == with_results(DOCUMENTS[name])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("run", [reference.run, run_case], ids=["reference", "fast"])
def test_implementations_conform(path: Path, run: Callable[[Case], Result]) -> None:
    case = load_case(path)
    assert case.expected is not None
    found = run(case).to_dict(case.network)
    assert list(found) == list(case.expected)
    for key, expected in case.expected.items():
        pairs = list(_pairs(found[key], expected, key))
        scale = max([abs(b) for *_, b in pairs], default=0.0) + 1.0
        wrong = [(where, a, b) for where, a, b in pairs if abs(a - b) > WELL_CONDITIONED * scale]
        assert not wrong


def test_a_changed_result_does_not_conform() -> None:
    """The control: one digit of one number, one spike, one key."""
    expected = case_from_text(with_results(DOCUMENTS["one-neuron"])).expected
    assert expected is not None
    changed = json.loads(json.dumps(expected))
    changed["gradients"]["connections"][0]["delays"][0][0] *= 1 + 1e-9
    ((_, a, b),) = [pair for pair in _pairs(changed, expected, "") if pair[1] != pair[2]]
    assert abs(a - b) > WELL_CONDITIONED * 10
    for broken in (
        {**expected, "spikes": {"out": [[5.0]]}},
        {**expected, "readout": [1.0]},
        {"loss": expected["loss"]},
    ):
        with pytest.raises(AssertionError):
            list(_pairs(broken, expected, ""))


def _pairs(found: object, expected: object, where: str) -> Iterator[tuple[str, float, float]]:
    """Every number of one JSON value beside its fellow; all that is no number must be the same."""
    assert isinstance(found, float) == isinstance(expected, float), f"{where}: {found}, expected {expected}"
    if isinstance(found, float) and isinstance(expected, float):
        yield where, found, expected
    elif isinstance(expected, dict) and isinstance(found, dict):
        assert list(found) == list(expected), f"{where}: keys {list(found)}, expected {list(expected)}"
        for key in expected:
            yield from _pairs(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        assert len(found) == len(expected), f"{where}: {len(found)} entries, expected {len(expected)}"
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            yield from _pairs(a, b, f"{where}[{k}]")
    else:
        assert found == expected, f"{where}: {found}, expected {expected}"
