"""Actions are pinned by commit, packages by hash; planted exceptions are found; what is set up."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import ROOT
from tests.support.house.sources import FILES, read

LOCK = (ROOT / "requirements" / "locked.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.y*ml")}
COMMIT = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"
LOCKED_FOR = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11", "extra": ""}
"""The environment of the lock, as markers name it."""
USES = re.compile(r"""^(?!\s*#)(?:.*[\s{,"'])?uses["']?\s*:\s*["']?([^\s"',}]*)""", re.MULTILINE)
PINNED_ACTION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|docker://\S+@sha256:[0-9a-f]{64}|\./\S+")


def unpinned_actions(text: str) -> list[str]:
    """Actions of a workflow without a commit: a tag or a branch can move to other code."""
    return [action for action in USES.findall(text) if not PINNED_ACTION.fullmatch(action)]


def test_every_action_is_pinned_to_a_commit() -> None:
    assert any("uses:" in text for text in WORKFLOWS.values())
    assert [action for text in WORKFLOWS.values() for action in unpinned_actions(text)] == []


@pytest.mark.parametrize(("line", "moves"), [
    ("- uses: actions/checkout@v5", True), ("- uses: actions/checkout", True), ("- uses:", True),
    (f"- uses: actions/checkout@{COMMIT[:12]}", True), (f"- uses: actions/checkout@v5  # {COMMIT}", True),
    ('- {name: get, uses: "actions/checkout@v5"}', True), ("- uses: docker://python:3.11", True),
    (f"- uses: actions/checkout@{COMMIT}  # v5.0.0", False), ("- uses: ./.github/actions/own", False),
    (f"- uses: docker://python@sha256:{'0' * 64}", False), ("# - uses: actions/checkout@v5", False),
])
def test_control_actions_that_can_move_and_pinned_ones(line: str, moves: bool) -> None:
    assert len(unpinned_actions(f"steps:\n  {line}\n")) == moves


def outside_ranges(lock: str, wanted: list[str]) -> list[str]:
    """Requirements of the environment of the lock that the lock does not satisfy."""
    locked = dict(re.findall(r"^([\w.-]+)==([\w.!+]+)", lock, re.MULTILINE))
    asked = [one for one in map(Requirement, wanted) if one.marker is None or one.marker.evaluate(LOCKED_FOR)]
    versions = [(one, locked.get(canonicalize_name(one.name))) for one in asked]
    return [f"{one}: got {found}" for one, found in versions if not found or not one.specifier.contains(found, True)]


def test_the_lock_is_within_every_range() -> None:
    """This includes `dev`. A changed range needs a new lock; its header has the command. That each
    package is one version with hashes is checked by pip, in the job `locked`."""
    assert outside_ranges(LOCK, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]) == []
    assert "--only-binary :all:" in LOCK.splitlines(), "a build would run code of a package before its first use"


@pytest.mark.parametrize("wanted", ["numpy>=99", "numpy<2", "ghost>=1", "Tzdata>=9999; sys_platform == 'linux'"])
def test_control_a_range_that_the_lock_misses_is_found(wanted: str) -> None:
    assert len(outside_ranges(LOCK, [wanted, "numpy>=2", "ghost>=1; sys_platform == 'darwin'"])) == 1


def test_the_lowest_versions_are_the_lower_ends_of_the_ranges() -> None:
    """Both lists have one order, so that their diffs correspond."""
    lines = (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    wanted = [one.partition(",")[0].replace(">=", "==") for one in PROJECT["dependencies"]]
    assert [line for line in lines if not line.startswith("#")] == wanted
    assert all("==" in one for one in wanted)


@pytest.mark.parametrize("words", ["run: .ci/run", "-r requirements/lowest.txt",
                                   "--require-hashes -r requirements/locked.txt"])
def test_ci_tests_the_newest_the_lowest_and_the_locked_versions(words: str) -> None:
    assert words in WORKFLOWS["ci.yml"]


PYTHON = """#!/bin/sh
case "$*" in *--editable*|'-m pytest'*|'-m fast.train'*) echo "$*" >> log ;; esac
"""


def test_a_target_installs_what_it_needs_and_keeps_what_is_there(tmp_path: Path) -> None:
    """With a `.venv/bin/python` that only logs; the dependencies alone for the first command."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text(PYTHON)
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    log = tmp_path / "log"

    def made(*words: str) -> list[str]:
        """The groups that are installed: `.` for none, and `run` for the target's own command."""
        log.write_text("")
        users = {"PATH": "/usr/bin:/bin", "VENV": str(tmp_path / "another")}  # not taken from there
        subprocess.run(["make", *words], cwd=tmp_path, check=True, capture_output=True, env=users)
        return [line.split()[-1] if "--editable" in line else "run" for line in log.read_text().splitlines()]

    assert made("sequence") == [".", "run"] and made("sequence") == ["run"]
    assert made("test") == [".[dev]", "run"] and made("sequence", "test") == ["run", "run"]
    assert made("EXTRAS=dev,cuda", "test-gpu") == [".[dev,cuda]", "run"] and made("test") == ["run"]
    (tmp_path / "pyproject.toml").write_text("")
    assert made("sequence", "test") == [".", "run", ".[dev]", "run"]


TOOLS = ("awk", "bash", "cat", "dirname", "env", "grep", "sort")


@pytest.mark.parametrize(("others", "tried"), [
    ({"3.98": "", "3.99": "", "3.10": "", "3.97": "broken"}, "make test with Python 3.99.1 "),
    ({"3.98": "", "3.99": "torch"}, "make test with Python 3.98.1 "),
    ({"3.11": "", "3.98": "numba", "3.97": "broken"}, "no other Python of 3.11 or newer can be tried here"),
    ({}, "no other Python of 3.11 or newer can be tried here"),
])
def test_ci_tries_the_newest_other_python(others: dict[str, str], tried: str, tmp_path: Path) -> None:
    """One that has no `venv`, or no wheel of a package, is passed over; a failure is one of CI."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(str(shutil.which(name)))

    def program(path: Path, *lines: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
        path.chmod(0o755)

    program(tools / "make", 'echo "$*" >> log', 'case "$*" in *"${FAILING:-nothing}"*) exit 2;; esac')
    for version, lacks in others.items():
        program(tools / f"python{version}", f'{"exit 1" if lacks == "broken" else f"echo {version}.1 $0"}')
    none = "echo No matching distribution; exit 1"
    refused = [f"*' --python-version {version} '*' {lacks}') {none};;" for version, lacks in others.items()]
    own = ("case $* in *sys*) echo 3.11.7;;", *refused, "esac")
    program(tmp_path / ".venv" / "bin" / "python", *own)
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    log = tmp_path / "log"
    done = subprocess.run([tmp_path / ".ci" / "run"], env={"PATH": str(tools)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and tried in done.stdout.splitlines()[-1]
    chosen = re.findall(r"(3\.\d+)\.1 \(", tried + "(")
    last = [f"VENV=.venv-{chosen[0]} PYTHON={tools}/python{chosen[0]} test"] if chosen else []
    assert log.read_text().splitlines() == ["lint", "test-all", *last]
    skipped = [f"Python {version}.1 is skipped: pip finds no wheel of {lacks}" for version, lacks in others.items()
               if lacks in ("torch", "numba")]
    assert [line for line in skipped if line not in done.stdout] == []
    for target in ["lint", "test-all", *last]:
        environment = {"PATH": str(tools), "FAILING": target}
        assert subprocess.run([tmp_path / ".ci" / "run"], env=environment, capture_output=True).returncode == 2


def test_no_text_installs_the_package_from_an_index() -> None:
    """It is on none."""
    assert [path for path in FILES if re.search(r"pip install ['\"]?delayprop|delayprop\[", read(path))] == []
