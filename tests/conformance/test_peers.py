"""Adapters of other simulators; one not installed is skipped."""

import importlib.util
import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from delayprop.spec import case_to_dict
from delayprop.spec.conformance.cases import stored
from tests import ROOT
from tests.support.commands import python

EXAMPLES = ROOT / "examples" / "conformance"
VOLTAGE = "one-layer-voltage-whole-ms"

ADAPTERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "stepped": ("one-layer-spike-times-whole-ms", {"duration": 40.5}, "dt"),
    "snntorch": ("missing-and-free-spikes", {}, "reset"),
}
"""A case that the adapter refuses, with changes, and words of the refusal."""

NO_SNNTORCH = pytest.mark.skipif(not importlib.util.find_spec("snntorch"), reason="no snntorch here")


def ask(name: str, *arguments: str) -> CompletedProcess[str]:
    """Runs an adapter as the kit does."""
    return python(EXAMPLES / f"{name}_adapter.py", *arguments, OMP_NUM_THREADS="1")


def written(folder: Path, name: str, **changes: Any) -> str:
    """The path of a case of the set, with some keys of the document changed."""
    (one,) = stored([name])
    path = folder / "case.json"
    path.write_text(json.dumps(case_to_dict(one.case) | changes), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["stepped", pytest.param("snntorch", marks=NO_SNNTORCH)])
def test_an_adapter_answers_and_refuses(name: str, tmp_path: Path) -> None:
    """The loss of the adapter is near the right one, so its units are ours."""
    done = ask(name, written(tmp_path, VOLTAGE))
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), stored([VOLTAGE])[0].expected
    assert found["loss"] == pytest.approx(expected["loss"], rel=5e-2) and found["loss"] != expected["loss"]
    assert found["readout"] == pytest.approx(expected["readout"], abs=5e-2)
    case, changes, words = ADAPTERS[name]
    done = ask(name, written(tmp_path, case, **changes))
    assert (done.returncode, done.stdout) == (5, "") and words in done.stderr, done.stderr


def test_a_finer_grid_is_nearer(tmp_path: Path) -> None:
    """The option reaches the grid: a hundredth of the step leaves at most a tenth of the error."""
    expected, path = stored([VOLTAGE])[0].expected["loss"], written(tmp_path, VOLTAGE)
    losses = (json.loads(ask("stepped", "--dt", dt, path).stdout)["loss"] for dt in ("1", "0.01"))
    coarse, fine = (abs(loss - expected) for loss in losses)
    assert 0 < fine < 0.1 * coarse
