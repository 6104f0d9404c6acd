"""Measurements of the tests, written for the report: `pytest --evidence FILE`.

A plug-in of pytest. `measured(value, limit, cases)` records the distance of a test from its limit;
`measured.keep(name, data)` keeps the data of a figure. The file has one record per check of
`report_checks.py`: green if all its tests and controls passed, red if one failed, "not run" if one
did not run or none exists. `worst` is the value nearest to its limit, or farthest beyond it, of the
tests; `fault` that of the controls, which must exceed its limit. The file names no machine and no
path. Except for `made`, two runs on one machine write equal files.
"""

import hashlib
import json
import math
import os
import platform
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.support.effort import EFFORT
from tests.support.report_checks import BY_NUMBER, CHECKS

FORMAT = "delayprop-verification/2"  # typed anew, as are the three and the seal: `reports` must not be imported here
GREEN, RED, NOT_RUN = "green", "red", "not run"
EXPECTED = "tests of checks"
PACKAGES = ("numpy", "sympy", "mpmath", "torch", "numba", "hypothesis", "pytest")
PLUGIN = "delayprop-evidence"


class Measured:
    """Passes the measurements of one test to the report."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item

    def __call__(self, value: float, limit: float, cases: int, seeds: str = "") -> None:
        """Records the worst value, its limit, the number of cases, and the seeds that draw them."""
        entry = {"value": float(value), "limit": float(limit), "cases": int(cases), "seeds": seeds}
        self.item.user_properties.append(("measured", entry))

    def keep(self, name: str, data: Any) -> None:
        """Keeps the data of a figure, as plain numbers; several tests may share a name."""
        plain = json.loads(json.dumps(data, default=_plain))
        self.item.user_properties.append(("kept", {"name": name, "data": plain}))


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    return Measured(request.node)


class Evidence:
    """Collects the reports of all tests; with several workers, in the controlling process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tests: dict[str, dict[str, Any]] = {}
        self.expected: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes the list of expected tests from a worker that ends; a killed worker sends none."""
        self.expected |= getattr(node, "workeroutput", {}).get(EXPECTED, {})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check: Any = dict(report.user_properties).get("check")
        if check is None:
            return
        test = self.tests.setdefault(report.nodeid, {"outcome": "passed", **check})
        if report.outcome == "failed":
            test |= {"outcome": "failed", "why": _last_line(report)}
        elif report.outcome == "skipped":
            why = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
            test |= {"outcome": "skipped", "why": str(why)}
        if report.when == "call":
            test["measured"] = [entry for name, entry in report.user_properties if name == "measured"]
            test["kept"] = [entry for name, entry in report.user_properties if name == "kept"]

    def pytest_sessionfinish(self) -> None:
        """Writes the file. A test without a report counts as not run."""
        for name, check in self.expected.items():
            self.tests.setdefault(name, {"outcome": "lost", "why": "it did not report", **check})
        kept: defaultdict[str, list] = defaultdict(list)
        for name in sorted(self.tests):
            for entry in self.tests[name].get("kept", []) if self.tests[name]["outcome"] == "passed" else []:
                kept[entry["name"]].append({"test": name, **entry["data"]})
        content = {
            "format": FORMAT, "made": datetime.now(UTC).isoformat(timespec="seconds"), "effort": EFFORT,
            "commit": _git("rev-parse", "HEAD"), "changed": bool(_git("status", "--porcelain")),
            "environment": environment(), "checks": [self._record(check.number) for check in CHECKS], "figures": kept,
        }
        content["seal"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self.path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def _record(self, number: int) -> dict[str, Any]:
        own = {name: test for name, test in sorted(self.tests.items()) if number in test["numbers"]}
        tests = [test for test in own.values() if not test["control"]]
        controls = [test for test in own.values() if test["control"]]
        wrong = {name: test["why"] for name, test in own.items() if test["outcome"] != "passed"}
        status = GREEN if tests and controls and not wrong else NOT_RUN
        if any(test["outcome"] == "failed" for test in own.values()):
            status = RED
        found, planted = ([e for test in some for e in test.get("measured", [])] for some in (tests, controls))
        worst, nearest = max(found, key=_share, default=None), min(planted, key=_share, default=None)
        return {
            **vars(BY_NUMBER[number]), "status": status, "tests": len(tests), "controls": len(controls),
            "caught": sum(test["outcome"] == "passed" for test in controls),
            "cases": sum(entry["cases"] for entry in found), "seeds": sorted({e["seeds"] for e in found} - {""}),
            "worst": worst and worst["value"], "limit": worst and worst["limit"],
            "headroom": worst and (1 / _share(worst) if _share(worst) else None), "wrong": wrong,
            "fault": nearest and nearest["value"], "fault_limit": nearest and nearest["limit"],
        }


def _plain(value: Any) -> Any:
    """Arrays as lists, numbers of any precision as floats."""
    return value.tolist() if hasattr(value, "tolist") else float(value)


def _share(entry: dict[str, Any]) -> float:
    """The value as a share of its limit."""
    if math.isnan(entry["value"]):  # nan-ok: it counts as beyond every limit
        return math.inf
    if not entry["limit"]:
        return math.inf if entry["value"] else 0.0
    return float(entry["value"] / entry["limit"])


def _last_line(report: pytest.TestReport) -> str:
    lines = [line for line in str(report.longreprtext).splitlines() if line.startswith("E ")]
    return lines[0][1:].strip() if lines else "failed"


def environment() -> dict[str, Any]:
    """The environment of the measurements, without the machine's name."""
    from benchmarks.speed import device_name  # here, as it imports torch

    return {
        "python": platform.python_version(), "machine": platform.machine(), "processor": device_name("cpu"),
        "cores": os.cpu_count(), "system": platform.system(), "packages": {name: version(name) for name in PACKAGES},
    }


def _git(*words: str) -> str | None:
    """Output of git, or None outside a clone."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--evidence", metavar="FILE", help="write what the checks of the report measured")


def pytest_configure(config: pytest.Config) -> None:
    """Collects in the controlling process only."""
    if config.getoption("--evidence") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Evidence(Path(config.getoption("--evidence")).absolute()), PLUGIN)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves files of tests without a check alone: importing them takes seconds in each process."""
    if not config.getoption("--evidence") or not collection_path.match("test_*.py"):
        return None
    return None if "mark.check(" in collection_path.read_text(encoding="utf-8") else True


def middle_items(items: list[pytest.Item]) -> list[pytest.Item]:
    """The middle item of each parametrised test for each of its checks, for a quick look."""
    of: defaultdict[tuple, list[pytest.Item]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("check")
        of[item.nodeid.split("[")[0], mark and (mark.args, *mark.kwargs.items())].append(item)
    return [several[len(several) // 2] for several in of.values()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Attaches each test to its check; `--evidence` runs tests of checks only (quick: one each)."""
    expected: dict[str, dict[str, Any]] = {}
    for item in items:
        mark = item.get_closest_marker("check")
        if mark is not None:
            assert mark.args and set(mark.args) <= set(BY_NUMBER), f"{item.nodeid}: no check {mark.args}"
            known = {"numbers": list(mark.args), "control": mark.kwargs.get("control", False)}
            item.user_properties.append(("check", known))
            expected[item.nodeid] = known
    if config.getoption("--evidence"):
        chosen = [item for item in items if item.get_closest_marker("check") is not None]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
        items[:] = middle_items(chosen) if EFFORT == "quick" else chosen
        wanted = {item.nodeid: expected[item.nodeid] for item in items}
        if hasattr(config, "workeroutput"):
            config.workeroutput[EXPECTED] = wanted
        elif (gathering := config.pluginmanager.get_plugin(PLUGIN)) is not None:
            gathering.expected |= wanted
