"""Adapters of other simulators, the record of their grades, and the chapter of the report that is made from it.

Whatever needs a program that is not installed is skipped; the stepped one is our own, and always there.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fast.drawing.records import RecordError
from reports.peers import COLUMNS, FORMAT, NOT_OFFERED, cell, peers, shown
from spec import case_to_dict
from spec.conformance.capabilities import CAPABILITIES
from spec.conformance.cases import stored
from spec.conformance.layout import QUANTITIES
from tests import ROOT

EXAMPLES = ROOT / "examples" / "conformance"
RECORD = ROOT / "results" / "conformance.json"
ADAPTERS = {"stepped": "benchmarks", "snntorch": "snntorch", "eventax": "eventax"}
NO_DIGITS = {"another network", "failed", NOT_OFFERED}
GRADES = {"exact", "single precision", "approximate", "wrong", *NO_DIGITS}
SPIKING, VOLTAGE = "one-layer-spike-times-whole-ms", "one-layer-voltage-whole-ms"

adapters = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(not importlib.util.find_spec(needs), reason=f"no {needs} here"))
        for name, needs in ADAPTERS.items()
    ],
)


def ask(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An adapter, as the kit starts it."""
    command = [sys.executable, str(EXAMPLES / f"{name}_adapter.py"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def written(folder: Path, name: str, **changes: Any) -> str:
    """A case of the set as a file, with some keys of the document changed."""
    (one,) = stored([name])
    path = folder / "case.json"
    path.write_text(json.dumps(case_to_dict(one.case) | changes), encoding="utf-8")
    return str(path)


def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


@adapters
def test_an_adapter_says_what_it_is(name: str) -> None:
    done = ask(name, "--about")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) - {"kinds"} == {"system", "version", "settings", "note"} and all(found.values())
    assert set(found.get("kinds", {})) <= set(COLUMNS)


@adapters
def test_an_adapter_answers(name: str, tmp_path: Path) -> None:
    """Its loss is near the right one, so its units are ours."""
    done = ask(name, written(tmp_path, VOLTAGE))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = stored([VOLTAGE])[0].expected
    assert found["loss"] == pytest.approx(expected["loss"], rel=5e-2) and found["loss"] != expected["loss"]
    assert found["readout"] == pytest.approx(expected["readout"], abs=5e-2)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "stepped": (SPIKING, {"duration": 40.5}, "dt"),
    "snntorch": ("missing-and-free-spikes", {}, "reset"),
    "eventax": ("skip-and-parallel", {}, "several synapses"),
}


@adapters
def test_an_adapter_refuses_what_it_cannot_do(name: str, tmp_path: Path) -> None:
    case, changes, words = REFUSED[name]
    done = ask(name, written(tmp_path, case, **changes))
    assert (done.returncode, done.stdout) == (5, "") and words in done.stderr, done.stderr


def test_a_finer_grid_is_nearer(tmp_path: Path) -> None:
    """The option reaches the grid: a hundredth of the step, a tenth of the error or less."""
    expected = stored([VOLTAGE])[0].expected["loss"]
    path = written(tmp_path, VOLTAGE)
    coarse, fine = (abs(json.loads(ask("stepped", "--dt", dt, path).stdout)["loss"] - expected) for dt in ("1", "0.01"))
    assert 0 < fine < 0.1 * coarse


def test_grades_of_one_system_are_those_of_the_kit(tmp_path: Path) -> None:
    """`grades.py` by its command; the plain peer does one layer and spike times, and only that."""
    command = [sys.executable, str(EXAMPLES / "grades.py"), f"plain={sys.executable} tests/support/peers/plain_peer.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (one,) = document["systems"]
    assert one["name"] == "plain" and one["quantities"]["w"]["grade"] == "exact"
    assert one["cases"]["answered"] + len(one["cases"]["not_offered"]) == len(stored()) == one["cases"]["all"]
    assert one["quantities"]["constants"]["grade"] == NOT_OFFERED and one["cases"]["not_offered"]
    assert str(ROOT) not in done.stdout and sys.executable not in done.stdout, "no paths in the record"
    assert "".join(peers(document)).count("<h3>") == 1


def test_grades_refuses_what_is_no_system() -> None:
    command = [sys.executable, str(EXAMPLES / "grades.py"), "no-command"]
    assert subprocess.run(command, capture_output=True, cwd=ROOT, check=False).returncode == 2


def test_the_record_is_well_formed() -> None:
    document = record()
    assert set(document) == {"format", "date", "systems"} and document["format"] == FORMAT
    names = [one["name"] for one in document["systems"]]
    assert len(set(names)) == len(names) and {"reference", "fast float64", "fast float32", "plain_peer"} <= set(names)
    for one in document["systems"]:
        assert all(one[key] for key in ("system", "version", "settings", "note"))
        cases = one["cases"]
        assert cases["answered"] + len(cases["not_offered"]) + len(cases["failed"]) == cases["all"] == len(stored())
        assert set(one["quantities"]) == {*QUANTITIES, "constants"} and set(one["capabilities"]) == set(CAPABILITIES)
        for summary in (*one["quantities"].values(), *one["capabilities"].values()):
            assert summary["grade"] in GRADES and summary["offered"] <= summary["cases"]
            assert summary["digits"] is not None or summary["grade"] in NO_DIGITS
        for summary in one["quantities"].values():
            assert summary["below"] <= summary["graded"] <= summary["cases"]
            assert (summary["grade"] == "wrong") <= (summary["below"] > 0)
    for name in ("reference", "fast float64"):
        (one,) = (each for each in document["systems"] if each["name"] == name)
        assert {summary["grade"] for summary in one["quantities"].values()} == {"exact"}


def test_the_chapter_shows_every_system() -> None:
    document = record()
    page = "".join(peers(document))
    for one in document["systems"]:
        assert f"<td>{one['name']}</td>" in page and f"<h3>{one['name']}</h3>" in page
        for name in COLUMNS:
            assert f"<td>{shown(one, name)}</td>" in page
    assert page.count("<tr>") == len(document["systems"]) + 1


def test_control_a_system_that_is_gone_or_changed_shows() -> None:
    document = record()
    fewer, other = copy.deepcopy(document), copy.deepcopy(document)
    gone = fewer["systems"].pop()
    other["systems"][-1]["quantities"]["w"]["digits"] = 3.21
    assert f"<h3>{gone['name']}</h3>" not in "".join(peers(fewer))
    assert "3.2 (" in "".join(peers(other)) and "".join(peers(other)) != "".join(peers(document))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "`conformance.json format` must be 'conformance-grades/1', got None"),
        ({"format": FORMAT, "systems": []}, "`conformance.json systems` must be a list of at least one system"),
    ],
)
def test_what_is_no_record_is_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordError) as caught:
        peers(content)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (None, NOT_OFFERED),
        ({"offered": 0, "cases": 4}, NOT_OFFERED),
        (
            {"offered": 2, "cases": 4, "digits": 11.24, "median": 12.0, "grade": "exact", "another_network": 0,
             "failed": 0},
            "11.2 (12.0), exact, in 2 of 4",
        ),
        (
            {"offered": 4, "cases": 4, "digits": None, "median": None, "grade": "another network", "another_network": 3,
             "failed": 1},
            "another network, 3 of another network, 1 failed",
        ),
    ],
)
def test_cells(summary: dict[str, Any] | None, words: str) -> None:
    assert cell(summary) == words


def test_what_is_meant_to_be_another_quantity_is_not_called_wrong() -> None:
    summary = {"offered": 4, "cases": 4, "digits": -0.9, "median": 0.2, "another_network": 0, "failed": 0}
    assert cell(summary | {"grade": "wrong"}, "a surrogate") == "-0.9 (0.2), a surrogate"
    assert cell(summary | {"grade": "approximate"}, "a surrogate") == "-0.9 (0.2), approximate"
    assert cell(summary | {"grade": "wrong"}) == "-0.9 (0.2), wrong"
