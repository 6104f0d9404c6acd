"""The first figure: a row per check of the record, with its control; a failure is unmistakable.

And the figures of faults and of grazing: each entry has its place.
"""

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.distances import FARTHEST, Axis, axis, distance, distance_rows, marks
from reports.figures import faults, grazing
from reports.page import html
from reports.record import read
from tests.support.implementations import RUNS, name_of
from tests.support.report_checks import GROUPS
from tests.support.runs.verification_records import FAILED, SKIPPED, record

WORD = '<span class="word">\N{BALLOT X} FAILED</span>'
YES_OR_NO = {"worst": 0.0, "limit": 0.0, "headroom": None, "fault": None, "fault_limit": None}


def checks(folder: Path, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    return read(record(folder, {}, {}, **changes)).checks


def row(page: str, number: int) -> str:
    (found,) = re.findall(rf'<li class="row [^>]*><a href="#check-{number}">.*?</li>', page, re.DOTALL)
    return found


def test_every_check_of_the_record_has_one_row_by_its_name_right_under_the_verdict(tmp_path: Path) -> None:
    found = read(record(tmp_path, check_5=YES_OR_NO, check_9=FAILED, check_19=SKIPPED))
    page = html(found)
    figure = page[page.index('id="distances"') : page.index("</figure>")]
    assert page.index('class="lead"') < page.index('id="distances"') < page.index("<p>")
    names = map(unescape, re.findall(r'<a href="#check-\d+">([^<]*)</a>', figure))
    assert sorted(names) == sorted(f"{c['number']} {c['title']}" for c in found.checks)
    assert re.findall("<h4>(.*?)</h4>", figure) == [*GROUPS, "Checks that answer yes or no"]


ROWS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "passed_and_its_control_right": ({}, {"passed": "left", "fault": "right"},
                                     "worst value 0.032 of the limit; nearest planted fault 200 of the"),
    "control_right_by_a_limit_of_its_own": ({"fault": 2e-9, "fault_limit": 1e-10}, {"passed": "left", "fault": "right"},
                                            "planted fault 20 of the limit"),
    "control_on_the_wrong_side": ({"fault": 5e-12}, {"passed": "left", "failed": "left"}, "fault 0.5 of the limit"),
    "at_the_limit_is_the_wrong_side": ({"fault": 1e-11}, {"passed": "left", "failed": "limit"}, "fault 1 of"),
    "exactly_0": ({"worst": 0.0, "headroom": None}, {"zero": "left end", "fault": "right"}, "worst value 0 of"),
    "beyond_the_limit": ({**FAILED, "worst": 5e-9, "caught": 2}, {"failed": "right", "fault": "right"},
                         "worst value 500 of the limit"),
    "failed_without_a_value": ({**FAILED, "caught": 2}, {"failed": "right end", "fault": "right"},
                               "a test failed without a value"),
    "control_not_found": ({**FAILED, "fault": 5e-12}, {"passed": "left", "failed": "left"}, "a control failed"),
}


@pytest.mark.parametrize(("change", "sides", "words"), ROWS.values(), ids=ROWS)
def test_a_row_shows_the_sides_of_the_limit(change: dict, sides: dict, words: str, tmp_path: Path) -> None:
    page = distance_rows(checks(tmp_path, check_7=change))
    shown, failed = row(page, 7), change.get("status") == "red"
    (limit,) = re.findall(r'class="limit" style="left:([\d.]+)%', shown)

    def side(place: str) -> str:
        ends = {limit: "limit", "0.00": "left end", "100.00": "right end"}
        return ends.get(place) or ("left" if float(place) < float(limit) else "right")

    places = dict(re.findall(r'<svg class="(\w+)"[^>]*left:([\d.]+)%', shown))
    assert {kind: side(place) for kind, place in places.items()} == sides
    assert words in shown and (WORD in shown) == failed and page.count(WORD) == failed
    assert shown.startswith(f'<li class="row {"failed" if failed else "passed"}">')
    legend = page.split("</div>")[0]
    assert "control: the planted fault" in legend
    assert all(f'class="{kind}"' in legend for kind in sides)


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


def test_a_nan_is_right_of_the_limit_and_failed(tmp_path: Path) -> None:
    one = distance(checks(tmp_path, check_7={"worst": math.nan})[6])
    assert one.failed and list(marks(one, Axis(-3, 3))) == [("fault", pytest.approx(200.0)), ("failed", math.inf)]


def test_the_axis_holds_all_values_and_labels_the_limit(tmp_path: Path) -> None:
    scale, far = (
        axis([distance(check) for check in checks(tmp_path, check_7={"worst": worst, "fault": fault})])
        for worst, fault in ((2e-20, 3e-5), (1e-60, 1e60))
    )
    assert (scale.low, scale.high) == (-9, 7) and 0 in scale.ticks and len(scale.ticks) <= 8
    assert scale.place(1.0) == pytest.approx(9 / 16) and not scale.beyond(1e-9) and scale.beyond(0.0)
    assert (far.low, far.high) == (-FARTHEST, FARTHEST) and far.place(1e-50) == 0 and far.place(1e50) == 1


def test_a_finding_stands_in_the_column_of_its_check() -> None:
    """Also where an entry names its checks in another order, or lacks one, which a dash says; a
    green cell has a power of ten."""
    entries = [
        {"package": "reference", "fault": "e", "found": {"a": 100.0, "c": 0.5}},
        {"package": "fast", "fault": "f", "found": {"a": 100.0, "b": 0.5, "c": math.inf}},
        {"package": "fast", "fault": "g", "found": {"c": 0.5, "b": 0.5, "a": 1000.0}},
    ]
    (axes,) = faults({"faults": entries}).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    rows = [["2", "\N{EN DASH}", ""], ["2", "", "all"], ["3", "", ""]]
    assert {cell.get_position(): cell.get_text() for cell in axes.texts} == {
        (x, y): text for y, row in enumerate(rows) for x, text in enumerate(row)
    }
    assert len(axes.patches) == 8, "the check that does not exist has no cell of a colour"


def test_the_picture_of_grazing_has_a_line_of_either_implementation() -> None:
    """As the tests of grazing name them: `name_of`."""
    entries = [
        {"implementation": name_of(run), "height": height, "kappa": height, "error": 1e-15, "differences": 1.0}
        for run in RUNS.values() for height in (1e-2, 1e-1)
    ]
    (axes,) = grazing({"grazing": entries}).axes
    assert set(RUNS) < {str(line.get_label()) for line in axes.lines}
    assert all(np.array_equal(line.get_xdata(), [1e-2, 1e-1]) for line in axes.lines)
