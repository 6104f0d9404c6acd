"""The verification report shows the whole record, and needs nothing else."""

import re
from html import unescape
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from reports import __main__ as command
from reports.__main__ import main
from reports.page import html, verdict
from reports.record import GREEN, RED, TEMPLATES, number, read
from tests import ROOT
from tests.invariances.test_invariances import LAWS
from tests.support.commands import python
from tests.support.house.docs_pages import Outline
from tests.support.report_checks import CHECKS, GROUPS
from tests.support.runs.reading import Capture, Patch, calls, refusal
from tests.support.runs.traced import small_figure
from tests.support.runs.verification_records import FAILED, SKIPPED, record

ALL = len(CHECKS)
ON_GPU = 19  # the check that compares the CPU with a GPU


def test_every_check_has_a_group_tests_and_controls() -> None:
    assert list(dict.fromkeys(check.group for check in CHECKS)) == list(GROUPS)
    marked: dict[bool, set[int]] = {True: set(), False: set()}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for numbers, control in re.findall(r"mark\.check\(([\d, ]+)(, control=True)?\)", path.read_text("utf-8")):
            marked[bool(control)] |= {int(n) for n in numbers.split(",") if n.strip()}
    for law in LAWS.values():
        if law.check is not None:
            marked[False].add(law.check)
            marked[True] |= {law.check} if law.shows else set()
    assert marked[False] == marked[True] == {check.number for check in CHECKS}


def test_a_green_record_is_a_green_page(tmp_path: Path, capsys: Capture) -> None:
    assert command.write(read(record(tmp_path)), tmp_path) == 0
    page = (tmp_path / command.PAGE).read_text(encoding="utf-8")
    assert f"{ALL} of {ALL} checks are green." in page and "c0ffee" in page
    for check in CHECKS:
        assert f'id="check-{check.number}"' in page and check.title in unescape(page)
    assert page.count("3.2e-13") == ALL
    assert f"{ALL} of {ALL} checks are green" in capsys.readouterr().out


def test_red_checks_and_checks_that_did_not_run_show(tmp_path: Path, capsys: Capture) -> None:
    found = read(record(tmp_path, check_7=FAILED, check_19=SKIPPED))
    assert verdict(found) == f"{ALL - 2} of {ALL} checks are green, 1 RED, 1 did not run here"
    assert command.write(found, tmp_path) == 1
    page = (tmp_path / command.PAGE).read_text(encoding="utf-8")
    assert "error 1e-3 &gt; 1e-11 &lt;tag&gt;" in page and "<tag>" not in page
    assert page.count("no GPU") == 2, "at the check, and among the limits"
    assert page.count("<dt>headroom</dt>") == ALL - 2, "a check that is not green has none"
    assert page.count("<dt>controls passed</dt><dd>1 of 2</dd>") == 1
    assert f"RED 7 {CHECKS[6].title}" in capsys.readouterr().out
    squares = re.findall(r"<a [^>]*>(.*?)</a>", page[page.index('<nav class="glance">') : page.index("</nav>")])
    shown = {7: ("\N{BALLOT X}", ": red"), 19: ("\N{EN DASH}", ": not run")}
    for check, square in zip(CHECKS, squares, strict=True):
        mark, ending = shown.get(check.number, ("\N{CHECK MARK}", ""))
        assert unescape(square) == f"{mark} {check.number} {check.title}{ending}"


def test_the_page_depends_on_the_record_alone_and_loads_nothing(tmp_path: Path) -> None:
    """Where the screen is narrow, its figures scroll in a box."""
    faults = [{"package": "fast", "fault": "f", "found": {"a": 2.0}, "source": ""}]
    found = read(record(tmp_path, {"adjoint": [small_figure()], "faults": faults}))
    page = html(found)
    assert page == html(found) and "A small network forwards and backwards" in page
    loaded = re.findall(r'(?:src|srcset|href)="([^"]{0,20})', page)
    assert loaded and all(one.startswith(("data:image/svg+xml", "#check-")) for one in loaded)
    assert "<script" not in page and "@import" not in page and "url(" not in page
    outline = Outline(page)
    drawn = [n for n, (_, attributes) in enumerate(outline.elements) if attributes.get("class") == "drawn"]
    assert outline.in_order and len(drawn) == 2
    for tag, attributes in (outline.elements[n + 1] for n in drawn):
        assert (tag, attributes["class"]) == ("img", "fixed")
        assert re.fullmatch(r"--drawn:\d+px", str(attributes["style"]))


def test_the_cost_of_a_grid_is_told_in_continuous_time() -> None:
    """Not on the grid that each gradient was trained on."""
    ways = [
        {"dt": dt, "pinned": False, "seeds": 5, "on_exact": {"mean": mean, "sd": 0.01}, "on_grid": {"mean": 0, "sd": 0}}
        for dt, mean in ((None, 0.95), (1.0, 0.75))
    ]
    template: Any = TEMPLATES.get_template("grid_accuracies.html").module
    cells = re.findall(r"<td[^>]*>(.*?)</td>", template.accuracies(ways).replace("\N{NO-BREAK SPACE}", " "))
    assert cells == ["events", "95.0 % ± 1.0 %", "5", "steps of 1 ms", "75.0 % ± 1.0 %", "5"]


@pytest.mark.parametrize(("value", "shown"), [(0.00123, "0.0012"), (1234.0, "1,234"), (3e8, "3e+08"), (17.3, "17")])
def test_numbers(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(("content", "words"), [
    (None, "`verification.json` must be a verification record, got none"),
    ("{", "`verification.json` must be a verification record, got none"),
    ("[]", "`verification.json format` must be 'delayprop-verification/2', got list"),
    ('{"format": "x"}', "`verification.json format` must be 'delayprop-verification/2', got 'x'"),
    ('{"format": "delayprop-verification/2"}', "must be whole, as the checks wrote it, got a content that its seal"),
])
def test_damaged_records_are_refused(content: str | None, words: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / command.RECORD
    if content is not None:
        path.write_text(content)
    assert words in refusal(capsys, main, "--record", path) and not (tmp_path / command.PAGE).exists()


def test_a_record_with_one_digit_changed_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path)
    path.write_text(path.read_text().replace("3.21e-13", "3.20e-13", 1))
    with pytest.raises(ValueError, match="a content that its seal does not fit; copy it again, or make it anew"):
        read(path)


@pytest.mark.parametrize(("effort", "changes", "words"), [
    ("full", {}, f"{ALL} of {ALL} checks are green"), ("full", {"check_7": FAILED}, ", 1 RED"),
    ("quick", {}, "A quick look, which is no evidence: "),
])
def test_the_page_of_an_existing_record(
    effort: str, changes: dict, words: str, tmp_path: Path, capsys: Capture
) -> None:
    """With its date and commit; the page stands beside it, or in the folder `--out`."""
    path, other = record(tmp_path, about={"effort": effort}, **changes), tmp_path / "a" / "b"
    for where in ([], ["--out", str(other)]):
        assert main(["--record", str(path), *where]) == bool(changes) and words in capsys.readouterr().out
    page = (tmp_path / command.PAGE).read_text(encoding="utf-8")
    assert words in page and "Made 2026-01-01T00:00:00+00:00, commit c0ffee." in page
    assert page == (other / command.PAGE).read_text(encoding="utf-8")


def test_when_drawing_fails_the_command_that_draws_the_record_is_named(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "run", lambda path, _: record(path.parent))
    monkeypatch.setattr(command, "html", lambda *_: SKIPPED["batch"])
    with pytest.raises(KeyError, match="batch"):
        main(["--out", str(tmp_path)])
    assert f"by: python -m reports --record {tmp_path / command.RECORD}\n" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["--record", str(tmp_path / command.RECORD)]) == 0


@pytest.mark.parametrize(("code", "changes", "expected"), [
    (0, {}, 0), (1, {"check_7": FAILED}, 1), (1, {}, 2), (2, {}, 2), (-9, {}, 2), (0, None, 2),
], ids=["green", "red", "1 without a red check", "interrupted", "killed", "without a record"])
def test_tests_that_broke_off_give_no_report(
    code: int, changes: dict | None, expected: int, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """Neither with the record that they left, nor, where they left none, with an older one."""
    record(tmp_path)

    def broken_off(words: list[str], **_: Any) -> CompletedProcess:
        if changes is not None:
            record(Path(words[words.index("--evidence") + 1]).parent, **changes)
        return CompletedProcess(words, code)

    monkeypatch.setattr(command.subprocess, "run", broken_off)
    monkeypatch.setattr(command, "write", lambda found, _: found.count(RED))
    written = calls(monkeypatch, command, "write", lambda found, _: found)
    assert main(["--out", str(tmp_path)]) == expected and len(written) == (expected < 2)
    words = f"`the checks` must be run to their end, got pytest's exit code {code}; see its output above"
    assert (words in capsys.readouterr().err) == (expected == 2)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--out"], "expected one argument"), (["--slow"], "unrecognized arguments"),
    (["a", "b"], "unrecognized arguments: b"), (["a", "--record", "b"], "are for the report, without RUN"),
    (["--record", "a", "--quick"], "--quick is of a run of the checks"),
])
def test_wrong_options(arguments: list[str], words: str, capsys: Capture) -> None:
    assert words in refusal(capsys, main, *arguments)


@pytest.mark.full
def test_the_quick_report_is_green(tmp_path: Path) -> None:
    """As a whole; of its checks the one that needs a GPU may not run."""
    done = python("-m", "reports", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    left = [check["number"] for check in read(tmp_path / command.RECORD).checks if check["status"] != GREEN]
    assert left in ([], [ON_GPU])
    assert f"{ALL - len(left)} of {ALL} checks are green" in done.stdout.splitlines()[-1]
    assert {path.name for path in tmp_path.iterdir()} == {command.PAGE, command.RECORD}


@pytest.mark.parametrize(("options", "words"), [
    ([], "all networks; --quick takes few: 16 to 21 minutes"),
    (["--quick"], "few networks per check: 60 to 100 seconds"),
])
def test_the_duration_is_told_before_the_run_and_a_run_that_breaks_off_is_an_error(
    options: list[str], words: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    told = []
    monkeypatch.setattr(command, "run", lambda path, quick: told.append(capsys.readouterr().out))
    assert main([*options, "--out", str(tmp_path)]) == 2
    assert words in told[0] and "must be a verification record, got none" in capsys.readouterr().err
