"""The first figure: a row per check of the record, with its control; a failure is unmistakable."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from reports.distances import FARTHEST, Axis, axis, distance, distance_rows, distances, marks
from reports.overview import distances_of, faults
from reports.page import html
from reports.record import read
from tests.support.report_checks import CHECKS, GROUPS
from tests.support.runs.run_pages import Outline
from tests.support.runs.verification_records import FAILED, SKIPPED, record

WORD = '<span class="word">\N{BALLOT X} FAILED</span>'
YES_OR_NO = {"worst": 0.0, "limit": 0.0, "headroom": None, "fault": None, "fault_limit": None}


def checks(folder: Path, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    return read(record(folder / "record.json", **changes)).checks


def row(page: str, number: int) -> str:
    """The row of a check."""
    (found,) = re.findall(rf'<li class="row [^>]*><a href="#check-{number}">.*?</li>', page, re.DOTALL)
    return found


def symbols(row: str) -> dict[str, float]:
    """The symbols on the track of a row, each with its place in percent."""
    return {kind: float(place) for kind, place in re.findall(r'<svg class="(\w+)"[^>]*left:([\d.]+)%', row)}


def limit(row: str) -> float:
    return float(re.findall(r'class="limit" style="left:([\d.]+)%', row)[0])


def test_every_check_of_the_record_has_one_row_by_its_name_right_under_the_verdict(tmp_path: Path) -> None:
    found = read(record(tmp_path / "record.json", check_5=YES_OR_NO, check_9=FAILED, check_19=SKIPPED))
    page = html(found, {})
    figure = page[page.index('id="distances"') : page.index("</figure>")]
    assert page.index('class="lead"') < page.index('id="distances"') < page.index("<p>")
    names = map(unescape, re.findall(r'<a href="#check-\d+">([^<]*)</a>', figure))
    assert sorted(names) == sorted(f"{c['number']} {c['title']}" for c in found.checks)
    assert re.findall("<h4>(.*?)</h4>", figure) == [*GROUPS, "Checks that answer yes or no"]


def test_a_check_is_left_of_the_limit_and_its_control_right(tmp_path: Path) -> None:
    shown = row(distance_rows(checks(tmp_path)), 8)
    places = symbols(shown)
    assert places.keys() == {"passed", "fault"} and places["passed"] < limit(shown) < places["fault"]
    assert "nearest planted fault 200 of the limit" in shown and "FAILED" not in shown
    legend = distance_rows(checks(tmp_path)).split("</div>")[0]
    assert 'class="fault"' in legend and "control: the planted fault" in legend
    other = {"fault": 2e-9, "fault_limit": 1e-10}  # a control may have a limit of its own
    assert "nearest planted fault 20 of the limit" in row(distance_rows(checks(tmp_path, check_8=other)), 8)


def test_a_value_beyond_the_limit_is_a_cross_with_a_word(tmp_path: Path) -> None:
    page = distance_rows(checks(tmp_path, check_7={**FAILED, "worst": 5e-9, "caught": 2}))
    shown = row(page, 7)
    assert shown.startswith('<li class="row failed">') and WORD in shown
    places = symbols(shown)
    assert "passed" not in places and places["failed"] > limit(shown)
    assert page.count(WORD) == 1 and 'class="failed"' in page.split("</div>")[0], "the legend has the cross"


def test_a_failure_without_a_value_is_no_dot_on_the_good_side(tmp_path: Path) -> None:
    shown = row(distance_rows(checks(tmp_path, check_7={**FAILED, "caught": 2})), 7)
    assert symbols(shown)["failed"] == 100.0 and "passed" not in symbols(shown)
    assert "a test failed without a value" in shown and WORD in shown


def test_a_control_that_is_not_found_fails_the_row(tmp_path: Path) -> None:
    shown = row(distance_rows(checks(tmp_path, check_7={**FAILED, "fault": 5e-12})), 7)
    places = symbols(shown)
    assert places["failed"] < limit(shown) and "fault" not in places
    assert "a control failed" in shown and WORD in shown


@pytest.mark.parametrize("fault", [5e-12, 1e-11], ids=["left of the limit", "at the limit"])
def test_a_control_on_the_wrong_side_is_no_sign_of_a_fault_that_was_found(fault: float, tmp_path: Path) -> None:
    places = symbols(row(distance_rows(checks(tmp_path, check_7={"fault": fault})), 7))
    assert places.keys() == {"passed", "failed"} and places["passed"] < places["failed"]


@pytest.mark.parametrize(("change", "words", "kind"), [
    (YES_OR_NO, "passed, 7 cases; controls passed 2 of 2", "passed"),
    ({**YES_OR_NO, "cases": 1}, "passed, 1 case; controls passed 2 of 2", "passed"),
    ({**YES_OR_NO, **FAILED, "worst": None}, "a control failed; controls passed 1 of 2", "failed"),
    (SKIPPED, "did not run", "missing"),
])
def test_checks_without_a_number_stand_apart(change: dict[str, Any], words: str, kind: str, tmp_path: Path) -> None:
    page = distance_rows(checks(tmp_path, check_7=change))
    shown = row(page, 7)
    assert page.index("answer yes or no") < page.index(shown) and "track" not in shown
    assert words in shown and f'class="row {kind}"' in shown and (WORD in shown) == (kind == "failed")


def test_a_value_of_0_is_an_arrow_at_the_left_end(tmp_path: Path) -> None:
    assert symbols(row(distance_rows(checks(tmp_path, check_7={"worst": 0.0, "headroom": None})), 7))["zero"] == 0.0


def test_a_nan_is_right_of_the_limit_and_failed(tmp_path: Path) -> None:
    one = distance(checks(tmp_path, check_7={"worst": math.nan})[6])
    assert one.failed and list(marks(one, Axis(-3, 3))) == [("fault", pytest.approx(200.0)), ("failed", math.inf)]


def test_the_axis_holds_all_values_and_labels_the_limit(tmp_path: Path) -> None:
    scale = axis(distances(checks(tmp_path, check_7={"worst": 2e-20, "fault": 3e-5})))
    assert (scale.low, scale.high) == (-9, 7) and 0 in scale.ticks and len(scale.ticks) <= 8
    assert scale.place(1.0) == pytest.approx(9 / 16) and not scale.beyond(1e-9) and scale.beyond(0.0)
    far = axis(distances(checks(tmp_path, check_7={"worst": 1e-60, "fault": 1e60})))
    assert (far.low, far.high) == (-FARTHEST, FARTHEST) and far.place(1e-50) == 0 and far.place(1e50) == 1


def test_the_paper_has_these_rows_too(tmp_path: Path) -> None:
    (axes,) = distances_of(checks(tmp_path, check_7={**FAILED, "worst": 5e-9}, check_8=YES_OR_NO)).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == len(CHECKS) - 1 and f"7 {CHECKS[6].title}: FAILED" in names


def test_a_finding_stands_in_the_column_of_its_check() -> None:
    """Also where an entry names its checks in another order; a green cell has a power of ten."""
    entries = [
        {"package": "fast", "fault": "f", "found": {"a": 100.0, "b": 0.5}},
        {"package": "fast", "fault": "g", "found": {"b": 0.5, "a": 1000.0}},
    ]
    (axes,) = faults({"faults": entries}, False).axes
    assert {cell.get_position(): cell.get_text() for cell in axes.texts} == {
        (0, 0): "2", (1, 0): "", (0, 1): "3", (1, 1): ""
    }


def test_squares_carry_names_and_outcomes(tmp_path: Path) -> None:
    page = html(read(record(tmp_path / "record.json", check_7=FAILED, check_19=SKIPPED)), {})
    squares = re.findall(r"<a [^>]*>(.*?)</a>", page[page.index('<nav class="glance">') : page.index("</nav>")])
    shown = {7: ("\N{BALLOT X}", ": red"), 19: ("\N{EN DASH}", ": not run")}
    for check, square in zip(CHECKS, squares, strict=True):
        mark, ending = shown.get(check.number, ("\N{CHECK MARK}", ""))
        assert unescape(square) == f"{mark} {check.number} {check.title}{ending}"


def test_figures_have_a_narrow_version_or_a_box_to_scroll_in(tmp_path: Path) -> None:
    figures = {
        "memory": [{"spikes": [1, 10], "bytes": [1e3, 1e4]}],
        "faults": [{"package": "fast", "fault": "f", "found": {"a": 2.0}, "source": ""}],
    }
    elements = Outline(html(read(record(tmp_path / "record.json", figures)), {})).elements
    drawn = [n for n, (_, attributes) in enumerate(elements) if attributes.get("class") == "drawn"]
    (wraps, fixed) = (elements[n + 1 : n + 4] for n in drawn)
    assert [tag for tag, _ in wraps] == ["picture", "source", "img"]
    assert wraps[1][1]["media"] == "screen and (max-width: 600px)" and "data:image/svg" in str(wraps[1][1]["srcset"])
    assert fixed[0][1]["class"] == "fixed" and re.fullmatch(r"--drawn:\d+px", str(fixed[0][1]["style"]))
