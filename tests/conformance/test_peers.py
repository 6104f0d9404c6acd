"""Adapters of other simulators, the record of their grades, and its chapter of the report.

Tests of a program that is not installed are skipped; the stepped one is part of this project.
"""

import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from delayprop.fast.data.records import RecordError
from delayprop.spec import case_to_dict
from delayprop.spec.conformance.capabilities import CAPABILITIES
from delayprop.spec.conformance.cases import stored
from delayprop.spec.conformance.layout import QUANTITIES
from reports.peers import COLUMNS, FORMAT, NOT_OFFERED, cell, peers, shown
from tests import ROOT

EXAMPLES = ROOT / "examples" / "conformance"
RECORD: dict[str, Any] = json.loads((ROOT / "results" / "conformance.json").read_text(encoding="utf-8"))
SYSTEMS = {one["name"]: one for one in RECORD["systems"]}
NO_DIGITS = {"another network", "failed", NOT_OFFERED}
GRADES = {"exact", "single precision", "approximate", "wrong", *NO_DIGITS}
VOLTAGE = "one-layer-voltage-whole-ms"

ADAPTERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "stepped": ("one-layer-spike-times-whole-ms", {"duration": 40.5}, "dt"),
    "snntorch": ("missing-and-free-spikes", {}, "reset"),
}
"""A case that the adapter refuses, with changes, and words of the refusal."""

NO_SNNTORCH = pytest.mark.skipif(not importlib.util.find_spec("snntorch"), reason="no snntorch here")
adapters = pytest.mark.parametrize("name", ["stepped", pytest.param("snntorch", marks=NO_SNNTORCH)])


def ask(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the examples as the kit does."""
    command, environment = [sys.executable, str(EXAMPLES / program), *arguments], os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def written(folder: Path, name: str, **changes: Any) -> str:
    """The path of a case of the set, with some keys of the document changed."""
    (one,) = stored([name])
    path = folder / "case.json"
    path.write_text(json.dumps(case_to_dict(one.case) | changes), encoding="utf-8")
    return str(path)


@adapters
def test_an_adapter_describes_itself_answers_and_refuses(name: str, tmp_path: Path) -> None:
    """The loss of the adapter is near the right one, so its units are ours."""
    about = ask(f"{name}_adapter.py", "--about")
    assert about.returncode == 0, about.stderr
    described = json.loads(about.stdout)
    assert set(described) - {"kinds"} == {"system", "version", "settings", "note"} and all(described.values())
    assert set(described.get("kinds", {})) <= set(COLUMNS)
    done = ask(f"{name}_adapter.py", written(tmp_path, VOLTAGE))
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), stored([VOLTAGE])[0].expected
    assert found["loss"] == pytest.approx(expected["loss"], rel=5e-2) and found["loss"] != expected["loss"]
    assert found["readout"] == pytest.approx(expected["readout"], abs=5e-2)
    case, changes, words = ADAPTERS[name]
    done = ask(f"{name}_adapter.py", written(tmp_path, case, **changes))
    assert (done.returncode, done.stdout) == (5, "") and words in done.stderr, done.stderr


def test_a_finer_grid_is_nearer(tmp_path: Path) -> None:
    """The option reaches the grid: a hundredth of the step leaves at most a tenth of the error."""
    expected, path = stored([VOLTAGE])[0].expected["loss"], written(tmp_path, VOLTAGE)
    losses = (json.loads(ask("stepped_adapter.py", "--dt", dt, path).stdout)["loss"] for dt in ("1", "0.01"))
    coarse, fine = (abs(loss - expected) for loss in losses)
    assert 0 < fine < 0.1 * coarse


def test_grades_of_one_system_are_those_of_the_kit() -> None:
    """The plain peer does one layer and spike times, and no other case."""
    done = ask("grades.py", f"plain_peer={sys.executable} tests/support/peers/plain_peer.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {**document, "date": None} == {**RECORD, "date": None, "systems": [SYSTEMS["plain_peer"]]}
    assert "".join(peers(document)).count("<h3>") == 1
    assert ask("grades.py", "no-command").returncode == 2


def test_the_record_is_well_formed() -> None:
    assert set(RECORD) == {"format", "date", "systems"} and RECORD["format"] == FORMAT
    assert len(SYSTEMS) == len(RECORD["systems"])
    assert {"reference", "fast float64", "fast float32", "plain_peer"} <= set(SYSTEMS)
    for one in RECORD["systems"]:
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
        assert {summary["grade"] for summary in SYSTEMS[name]["quantities"].values()} == {"exact"}


def test_the_chapter_shows_every_system() -> None:
    page = "".join(peers(RECORD))
    for one in RECORD["systems"]:
        assert f"<td>{one['name']}</td>" in page and f"<h3>{one['name']}</h3>" in page
        assert all(f"<td>{shown(one, name)}</td>" in page for name in COLUMNS)
    assert page.count("<tr>") == len(SYSTEMS) + 1


def test_control_a_system_that_changed_shows() -> None:
    other = copy.deepcopy(RECORD)
    other["systems"][-1]["quantities"]["w"]["digits"] = 3.21
    assert "3.2 (" in "".join(peers(other)) and "".join(peers(other)) != "".join(peers(RECORD))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "`conformance.json format` must be 'conformance-grades/2', got None"),
        ({"format": FORMAT, "systems": []}, "`conformance.json systems` must be a list of at least one system"),
    ],
)
def test_another_record_is_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordError, match=re.escape(words)):
        peers(content)


FULL = {"offered": 4, "cases": 4, "digits": -0.9, "median": 0.2, "another_network": 0, "failed": 0, "grade": "wrong"}


@pytest.mark.parametrize(
    ("summary", "kind", "words"),
    [
        (None, None, NOT_OFFERED),
        ({"offered": 0, "cases": 4}, None, NOT_OFFERED),
        (FULL | {"offered": 2, "digits": 11.24, "median": 12.0, "grade": "exact"}, None,
         "11.2 (12.0), exact, in 2 of 4"),
        (FULL | {"digits": None, "median": None, "grade": "another network", "another_network": 3, "failed": 1}, None,
         "another network, 3 of another network, 1 failed"),
        (FULL, None, "-0.9 (0.2), wrong"),
        (FULL, "a surrogate", "-0.9 (0.2), a surrogate"),
        (FULL | {"grade": "approximate"}, "a surrogate", "-0.9 (0.2), approximate"),
    ],
)
def test_cells(summary: dict[str, Any] | None, kind: str | None, words: str) -> None:
    """A quantity that an adapter defines otherwise on purpose is not called wrong."""
    assert cell(summary, kind) == words
