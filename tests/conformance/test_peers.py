"""Adapters of other simulators, and the table of their grades; one not installed is skipped."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from delayprop.spec import case_to_dict
from delayprop.spec.conformance.cases import stored
from tests import ROOT
from tests.support.commands import python

EXAMPLES = ROOT / "examples" / "conformance"
TABLE = (EXAMPLES / "README.md").read_text(encoding="utf-8")
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
    return python(EXAMPLES / program, *arguments, OMP_NUM_THREADS="1")


def written(folder: Path, name: str, **changes: Any) -> str:
    """The path of a case of the set, with some keys of the document changed."""
    (one,) = stored([name])
    path = folder / "case.json"
    path.write_text(json.dumps(case_to_dict(one.case) | changes), encoding="utf-8")
    return str(path)


@adapters
def test_an_adapter_answers_and_refuses(name: str, tmp_path: Path) -> None:
    """The loss of the adapter is near the right one, so its units are ours."""
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


def test_the_table_has_the_row_that_the_command_prints() -> None:
    """The plain peer does one layer and spike times, and no other case."""
    done = ask("grades.py", f"plain_peer={sys.executable} tests/support/peers/plain_peer.py")
    assert done.returncode == 0, done.stderr
    assert f"\n{done.stdout}" in TABLE and done.stdout.startswith("| plain_peer | 5 of 24 |")
    assert ask("grades.py", "no-command").returncode == 2


@pytest.mark.full
def test_the_table_has_the_rows_of_both_implementations() -> None:
    """To half a digit: at 15 digits, single roundings count, and a compiler may order them."""
    systems = {"reference": "reference", "fast float64": "fast.run"}
    done = ask("grades.py", *(f"{name}={sys.executable} -m {module}" for name, module in systems.items()))
    assert done.returncode == 0, done.stderr
    for name, printed in zip(systems, done.stdout.splitlines(), strict=True):
        (row,) = (line for line in TABLE.splitlines() if line.startswith(f"| {name} |"))
        digits, written = ([float(number) for number in re.findall(r"[0-9]+\.[0-9]+", line)] for line in (printed, row))
        assert digits == pytest.approx(written, abs=0.5)
        assert re.sub(r"[0-9]+\.[0-9]+", "", printed) == re.sub(r"[0-9]+\.[0-9]+", "", row)


@pytest.mark.parametrize(("digits", "changes", "words"), [
    ([], {"offered": 0}, "-"),
    ([[11.24, 15.0], [12.76]], {"offered": 2}, "11.2 (12.0), in 2 of 4"),
    ([[]], {"another_network": 3, "failed": 1}, "3 of another network, 1 failed"),
    ([[-0.9], [0.2], [1.0]], {}, "-0.9 (0.2)"),
])
def test_cells(digits: list[list[float]], changes: dict[str, int], words: str) -> None:
    summary = SimpleNamespace(**{"offered": 4, "cases": 4, "another_network": 0, "failed": 0, **changes})
    blocks = [[SimpleNamespace(digits=number) for number in [*own, None]] for own in digits]
    cases = [SimpleNamespace(of=lambda *_, own=own: own) for own in blocks]
    report = SimpleNamespace(summary=lambda _: summary, cases=cases)
    assert runpy.run_path(str(EXAMPLES / "grades.py"))["cell"](report, ("w",)) == words
