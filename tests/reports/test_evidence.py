"""The record of the tests: complete, with failures and tests that did not run; repeatable."""

import json
import math
from pathlib import Path

import pytest

from reports.record import read
from tests.support.commands import python
from tests.support.report_checks import CHECKS

TESTS = """
import numpy as np, pytest

@pytest.mark.check(3)
@pytest.mark.parametrize("n", range(6))
def test_green(n, measured):
    measured(n * 1e-12, 1e-11, 2, "0 to 1")
    measured.keep("numbers", {"n": np.float64(n), "array": np.arange(2)})

@pytest.mark.check(3, 4, control=True)
@pytest.mark.parametrize("fault", [4.0, 3.0])
def test_control(fault, measured):
    measured(fault, 1.5, 1)

@pytest.mark.check(4)
def test_red(measured):
    measured(2e-11, 1e-11, 1)
    assert 2e-11 <= 1e-11

@pytest.mark.check(5)
def test_skipped():
    pytest.skip("no machine for it")

@pytest.mark.check(6)
def test_without_control(measured):
    measured(0, 0, 1)
    measured(float("nan"), 1, 1)

@pytest.mark.check(7)
def test_green_7(measured):
    measured(0, 0, 1)

@pytest.mark.check(7, control=True)
def test_control_that_fails():
    assert False

@pytest.fixture
def broken():
    raise RuntimeError("no ground")

@pytest.mark.check(8)
def test_error(broken):
    pass

def test_of_no_check():
    raise AssertionError("must not run")
"""


def evidence(folder: Path, *words: str, effort: str = "ordinary") -> dict:
    """The record of a run of `TESTS`."""
    (folder / "test_some.py").write_text(TESTS)
    command = ["-m", "pytest", "-q", "-p", "tests.support.report_evidence", "-p", "no:cacheprovider", *words]
    where = ["--rootdir", folder, "--evidence", folder / "record.json", "."]
    done = python(*command, *where, folder=folder, DELAYPROP_EFFORT=effort)
    assert done.returncode == 1 and "must not run" not in done.stdout, done.stdout + done.stderr
    found = json.loads((folder / "record.json").read_text())
    assert read(folder / "record.json").checks == found["checks"], "the seal fits"
    return {**found, "made": "", "seal": ""}  # of which two runs differ


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The record of a run beside a file that has no check."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "test_other.py").write_text("raise RuntimeError('must not run')")
    return evidence(folder)


@pytest.mark.parametrize(("number", "status", "words"), [
    (3, "green", ""), (4, "red", "assert 2e-11 <= 1e-11"), (5, "not run", "no machine for it"), (6, "not run", ""),
    (7, "red", "assert False"), (8, "red", "RuntimeError: no ground"), (9, "not run", ""),
])
def test_statuses(number: int, status: str, words: str, found: dict) -> None:
    """Green needs a control, and that all tests pass."""
    check = found["checks"][number - 1]
    assert check["number"] == number and check["status"] == status
    assert words in "".join(check["wrong"].values()) and bool(words) == bool(check["wrong"])


def test_what_was_measured(found: dict) -> None:
    check = found["checks"][2]
    assert (check["worst"], check["limit"], check["cases"], check["tests"]) == (5e-12, 1e-11, 12, 6)
    assert check["headroom"] == pytest.approx(2.0) and check["seeds"] == ["0 to 1"]
    assert (check["controls"], check["caught"]) == (2, 2)
    assert (check["fault"], check["fault_limit"]) == (3.0, 1.5), "the control nearest to the limit"
    assert found["checks"][6]["fault"] is None, "a control without a number"
    assert [entry["n"] for entry in found["figures"]["numbers"]] == list(range(6))
    assert found["figures"]["numbers"][0]["array"] == [0, 1]
    nan = found["checks"][5]
    assert math.isnan(nan["worst"]) and nan["headroom"] == 0, "it is beyond every limit"
    assert len(found["checks"]) == len(CHECKS) and {"python", "packages", "cores"} <= set(found["environment"])


@pytest.mark.full
def test_a_second_run_with_workers_writes_an_equal_record(found: dict, tmp_path: Path) -> None:
    assert evidence(tmp_path, "-n", "2") == found


@pytest.mark.full
def test_quick_runs_the_middle_of_many_and_leaves_no_check_out(found: dict, tmp_path: Path) -> None:
    checks = evidence(tmp_path, effort="quick")["checks"]
    assert (checks[2]["tests"], checks[2]["worst"], checks[2]["limit"]) == (1, 3e-12, 1e-11)
    for quick, ordinary in zip(checks, found["checks"], strict=True):
        assert quick["status"] == ordinary["status"]
        assert bool(quick["tests"]) == bool(ordinary["tests"]) and bool(quick["controls"]) == bool(ordinary["controls"])
