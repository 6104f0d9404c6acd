"""Nothing from elsewhere comes in unseen: actions by commit, packages by hash; planted exceptions are found."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests import ROOT
from tests.support.house.supply import entries, lowest, not_locked, outside_ranges, unpinned_actions

LOCK, LOWEST = (ROOT / "requirements" / name for name in ("locked.txt", "lowest.txt"))
COMMIT = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"
DIGEST = "0" * 64


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def lock() -> str:
    return LOCK.read_text(encoding="utf-8")


def test_every_action_is_named_by_its_commit() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in workflows}
    assert sum(text.count("uses:") for text in texts.values()) >= 2
    assert [line for name, text in texts.items() for line in unpinned_actions(name, text)] == []


@pytest.mark.parametrize(
    "line",
    [
        "- uses: actions/checkout@v5",
        "- uses: actions/checkout@main",
        "- uses: actions/checkout",
        f"- uses: actions/checkout@{COMMIT[:12]}",
        f"- uses: actions/checkout@{COMMIT.upper()}",
        f"- uses: actions/checkout@v5  # {COMMIT}",
        "uses: 'some/workflow/.github/workflows/a.yml@v1'",
        '- {name: get, uses: "actions/checkout@v5"}',
        '- "uses": actions/checkout@v5',
        "- uses: docker://python:3.11",
        "- uses:",
    ],
)
def test_control_an_action_that_can_be_moved_is_found(line: str) -> None:
    assert len(unpinned_actions("ci.yml", f"steps:\n  {line}\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        f"- uses: actions/checkout@{COMMIT}  # v5.0.0",
        f'- uses: "some/workflow/.github/workflows/a.yml@{COMMIT}"',
        "- uses: ./.github/actions/own",
        f"- uses: docker://python@sha256:{DIGEST}",
        "# - uses: actions/checkout@v5",
        "- run: echo who uses this",
    ],
)
def test_control_an_action_that_stays_is_left_alone(line: str) -> None:
    assert unpinned_actions("ci.yml", f"steps:\n  {line}\n") == []


def test_every_package_of_the_lock_is_one_version_with_hashes() -> None:
    assert not_locked(lock()) == []
    names = [entry.name for entry in entries(lock())]
    assert len(names) == len(set(names)) > 30
    assert "--only-binary :all:" in lock().splitlines(), "nothing is built, so nothing of a package runs before its use"


def test_the_lock_is_within_every_range() -> None:
    """Those of the package and of `dev`; a range that has changed asks for a new lock, its first lines say how."""
    given = project()
    assert outside_ranges(lock(), given["dependencies"] + given["optional-dependencies"]["dev"]) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("    --hash=sha256:[0-9a-f]{64}( \\\\)?\n", "", "no hash"),
        ("^numpy==[0-9.]+", "numpy>=2.0", "numpy: not one version"),
        ("^numpy==[0-9.]+", "numpy==2.*", "numpy: not one version"),
        ("^numpy==[0-9.]+", "numpy @ https://example.org/numpy.whl", "numpy: from an address"),
    ],
)
def test_control_a_package_that_is_not_locked_is_found(before: str, after: str, words: str) -> None:
    changed, count = re.subn(before, after, lock(), flags=re.MULTILINE)
    assert count and any(words in line for line in not_locked(changed))


@pytest.mark.parametrize("line", ["-e .", "--extra-index-url https://example.org/simple", "-r other.txt"])
def test_control_an_option_is_no_part_of_a_lock(line: str) -> None:
    with pytest.raises(ValueError, match=r"Expected package name|Invalid"):
        not_locked(lock() + line + "\n")


@pytest.mark.parametrize("wanted", ["numpy>=99", "numpy<2", "ghost>=1", "Tzdata>=9999; sys_platform == 'linux'"])
def test_control_a_range_that_is_missed_is_found(wanted: str) -> None:
    assert len(outside_ranges(lock(), [wanted, "numpy>=2", "ghost>=1; sys_platform == 'darwin'"])) == 1


def test_the_lowest_versions_are_those_of_the_ranges() -> None:
    """In the same order, so that a diff of one is a diff of the other."""
    said = [str(entry.requirement) for entry in entries(LOWEST.read_text(encoding="utf-8"))]
    assert said == lowest(project()["dependencies"])


@pytest.mark.parametrize(
    "words", ["run: .ci/run", "pip install -r requirements/lowest.txt ", "--require-hashes -r requirements/locked.txt"]
)
def test_ci_tries_the_newest_the_lowest_and_the_locked(words: str) -> None:
    assert (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8").count(words) == 1


def test_control_a_lower_end_that_has_moved_is_found() -> None:
    assert lowest(["numpy>=2.1,<3", "torch"]) == ["numpy==2.1", "torch=="]
    changed = [one.replace("numpy>=2.0", "numpy>=2.1") for one in project()["dependencies"]]
    assert lowest(changed) != lowest(project()["dependencies"])
