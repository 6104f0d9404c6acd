"""A run of the checks for the report: its tests, and a line per finished check."""

import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.support.report_checks import BY_NUMBER, CHECKS

MARK = "mark.check("


def has_no_check(path: Path) -> bool:
    """Whether a file has tests, and none of a check: it need not even be imported."""
    return path.name.startswith("test_") and path.suffix == ".py" and MARK not in path.read_text(encoding="utf-8")


def middle_items(items: list[pytest.Item]) -> list[pytest.Item]:
    """The middle item of each parametrised test, for a quick look."""
    of: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        of[item.nodeid.split("[")[0]].append(item)
    return [several[len(several) // 2] for several in of.values()]


def count_tests(known: list[dict[str, Any]]) -> None:
    """Adds to each test the number of tests of its checks, which the controlling process needs."""
    counts = Counter(number for one in known for number in one["numbers"])
    for one in known:
        one["of"] = [counts[number] for number in one["numbers"]]


class Progress:
    """Prints a line when the last test of a check has ended, in place of a dot per test."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = time.monotonic()
        self.left: dict[int, int] = {}
        self.outcomes: defaultdict[int, set[str]] = defaultdict(set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No letter per test; pytest still lists failures and errors at the end."""
        if report.failed:
            return ("failed", "", "FAILED") if report.when == "call" else ("error", "", "ERROR")
        return (report.outcome, "", "") if report.skipped or report.when == "call" else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check: Any = dict(report.user_properties).get("check", {"numbers": (), "of": ()})
        for number, tests in zip(check["numbers"], check["of"], strict=True):
            self.outcomes[number].add(report.outcome)
            if report.when == "teardown":
                self.left[number] = self.left.get(number, tests) - 1
                if not self.left[number]:
                    self._print(number)

    def _print(self, number: int) -> None:
        outcomes, done = self.outcomes[number], sum(not left for left in self.left.values())
        status = "FAILED" if "failed" in outcomes else "did not run" if "skipped" in outcomes else "passed"
        seconds = f"{time.monotonic() - self.started:5.0f} s"
        reporter: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            title = BY_NUMBER[number].title
            reporter.write_line(f"{seconds}  {done:2d} of {len(CHECKS)}  {status:11}  {number:2d} {title}")
