"""`FINDINGS.md` and the report hold the numbers of `results/grid.json`; the record is whole."""

import copy
import hashlib
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.grid import __main__ as study
from benchmarks.grid.__main__ import DTS
from benchmarks.grid.networks import KINDS, LOSSES, WHERE
from delayprop.fast.training.intervals import mean_half_width
from reports.record import TEMPLATES, number
from tests import ROOT
from tests.support.report_evidence import Measured
from tests.support.runs.reading import Capture, Patch, refusal

RECORD = json.loads((ROOT / "results" / "grid.json").read_text(encoding="utf-8"))
PAGE = " ".join((ROOT / "benchmarks" / "grid" / "FINDINGS.md").read_text(encoding="utf-8").split())
BETWEEN = 200  # characters between two numbers of one fact: its words are free


def per_cent(share: float) -> str:
    """Two digits: 0.0123 is 1.2 %, 0.123 is 12 %."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def group(record: dict, kind: str, loss: str, where: str = "off") -> dict:
    (found,) = (g for g in record["gradients"]["summary"]["groups"]
                if (g["kind"], g["loss"], g["where"]) == (kind, loss, where))
    return found


def mean(value: dict, digits: int = 1) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    return f"{100 * value['mean']:.{digits}f} ± {100 * value['sd']:.{digits}f} %"


def paired(value: dict) -> str:
    """A paired difference with its interval of 95 %, in points."""
    middle, half = 100 * value["mean"], 100 * value["half"]
    return f"{middle:.1f} ({middle - half:.1f} to {middle + half:.1f})"


def way_of(way: dict) -> str:
    if way["dt"] is None:
        return "exact"
    step = f"{way['dt']:g} ms" if way["dt"] >= 1 else f"1/{1 / way['dt']:g} ms"
    return step + (", with the term" if way["pinned"] else "")


def rows(record: dict) -> Iterator[list[str]]:
    """The cells of the table: groups, intervals, ways of training, likeness of gradients."""
    for kind in KINDS:
        for loss in LOSSES:
            of = group(record, kind, loss)
            at_1_ms = [per_cent(of[name][0]) for name in ("error_w", "error_d")]
            at_1_ms += [f"{of[name][0]:.2f}" for name in ("cosine_w", "cosine_d")]
            yield [f"{kind}, `{loss}`", *at_1_ms, *(per_cent(of[name][-1]) for name in ("error_w", "error_d"))]
    for entry in record["interval"]["summary"]:
        own = [run["ways"] for run in record["interval"]["runs"] if run["apart"] == entry["apart"]]
        exact, grid = entry["ways"]
        yield [
            f"{entry['apart']:g} ms", f"{100 * exact['on_exact']['mean']:.0f} %", mean(grid["on_exact"], digits=0),
            f"{sum(ways[1]['on_exact'] == 1 for ways in own)} of {len(own)}",
            f"at most {max(abs(ways[0]['boundary_off']) for ways in own):.4f} ms",
            f"{statistics.median(abs(ways[1]['boundary_off']) for ways in own):.2f} ms",
            f"{100 * exact['on_grid']['mean']:.0f} %", f"{100 * grid['on_grid']['mean']:.0f} %",
        ]
    for way in record["yin-yang"]["summary"]:
        lost = ["-", "-"] if way["dt"] is None else [paired(way[f"lost_on_{place}"]) for place in ("exact", "grid")]
        yield [way_of(way), mean(way["on_exact"]), mean(way["on_grid"]), *lost]
    for moment in ("before", "after"):
        for n, first in enumerate(record["yin-yang"]["runs"][0][moment]):
            own = [run[moment][n] for run in record["yin-yang"]["runs"]]
            names = ("error_w", "error_d", "cosine_w", "cosine_d", "trial_w", "trial_d")
            cells = [f"{statistics.median(entry[name] for entry in own):.2f}" for name in names]
            yield [f"{moment}, {way_of(first)}", *cells, per_cent(statistics.median(entry["kept"] for entry in own))]


def facts(record: dict) -> list[list[str]]:
    """The numbers of each sentence, in order."""
    summary = record["gradients"]["summary"]
    count, groups = summary["groups"][0]["count"], len(summary["groups"])
    draws = sum(n["redrawn"] for g in record["gradients"]["networks"] for n in g["networks"])
    order = {(one["kind"], one["which"]): one for one in summary["order"]}
    kept = [[per_cent(group(record, kind, loss)["kept"][0]) for kind in KINDS]
            for loss in ("mean_voltage", "spike_time_mse")]
    kappa, spikes = summary["kappa"], summary["spikes"]
    pinned = {p["pinned"]: p for p in summary["pinned"] if p["kind"] == "feed-forward"}
    against = group(record, "feed-forward", "max_voltage")["against_d"][0]
    medians = [group(record, kind, loss)[f"error_{w}"][0] for kind in KINDS for loss in LOSSES for w in ("w", "d")]
    said = {(way["dt"], way["pinned"]): way for way in record["yin-yang"]["summary"]}
    published, fine = said[1.0, False], said[1 / 8, True]
    moved_over = [run["ways"][0]["on_grid"] - run["ways"][1]["on_grid"] for run in record["yin-yang"]["runs"]]
    return [
        [f"{count} networks", f"{draws} of {count * groups + draws} draws"],
        [*(str(order[kind, "w"]["count"]) for kind in KINDS), str(order["recurrent", "w"]["of"])],
        [f"{order[kind, which]['median']:.2f}" for kind in KINDS for which in "wd"],
        kept[0], kept[1],
        [per_cent(group(record, "recurrent", "spike_time_mse", place)["error_d"][0]) for place in WHERE],
        [per_cent(kappa["medians"][2]), f"{kappa['edges'][2]:g} to {kappa['edges'][3]:g}", str(kappa["counts"][2]),
         per_cent(kappa["medians"][-1]), f"{kappa['edges'][-1]:g}", str(kappa["counts"][-1])],
        ["rank correlation", f"{kappa['rank_correlation']:.2f}"],
        [per_cent(spikes["medians"][0]), str(spikes["edges"][1]), per_cent(spikes["medians"][-1]),
         str(spikes["edges"][-1])],
        [f"{pinned[True]['count']} of {count}", per_cent(pinned[True]["error_d"][-1]), "1/256 ms",
         per_cent(pinned[False]["error_d"][-1])],
        ["backwards", per_cent(against)],
        ["wrong sign", per_cent(max(g["falling"][0] for g in summary["groups"]))],
        ["wrong by", per_cent(min(medians)), per_cent(max(medians))],
        ["1 ms", f"{100 * published['lost_on_exact']['mean']:.0f} points", "1/8 ms",
         f"{100 * fine['lost_on_exact']['mean']:.1f} points"],
        [f"{paired({'mean': statistics.fmean(moved_over), 'half': mean_half_width(moved_over)})} points"],
        ["1 ms", f"{published['apart_ms']['mean']:.1f} ms", f"{published['moved_ms']['mean']:.1f} ms",
         f"{fine['apart_ms']['mean']:.1f} ms", "1/8 ms"],
    ]


def missing(record: dict) -> list[list[str]]:
    """Rows and facts of a record that the page lacks."""
    found = [row for row in rows(record) if "| " + " | ".join(row) + " |" not in PAGE]
    for fact in facts(record):
        parts = (rf"(?<![\d.]){re.escape(part)}(?!\d|\.\d)" for part in fact)
        if not re.search(f".{{0,{BETWEEN}}}?".join(parts), PAGE):
            found.append(fact)
    return found


def test_the_page_holds_the_numbers_of_the_record() -> None:
    assert missing(RECORD) == []


@pytest.mark.parametrize("part", ["gradients", "interval", "yin-yang", "facts"])
def test_control_the_numbers_of_another_record_are_missing(part: str) -> None:
    other = copy.deepcopy(RECORD)
    if part == "gradients":
        group(other, "recurrent", "max_voltage")["error_d"][0] *= 0.9
    elif part == "facts":
        other["gradients"]["summary"]["groups"][0]["count"] += 1
    else:
        summary = other[part]["summary"]
        (summary[-1]["ways"][1] if part == "interval" else summary[1])["on_exact"]["mean"] -= 0.05
    assert len(missing(other)) == (2 if part == "facts" else 1)


def test_the_record_is_whole() -> None:
    """Each seed occurs once; the summary of gradients follows from the numbers."""
    assert RECORD["format"] == study.FORMAT and RECORD["dts"] == list(DTS)
    for found in RECORD["gradients"]["networks"]:
        assert [network["seed"] for network in found["networks"]] == list(range(study.FULL))
    assert study.summary(RECORD["gradients"]["networks"]) == RECORD["gradients"]["summary"]


def test_the_trainings_are_those_of_the_study() -> None:
    """No command writes them. Commit 8bb4ecd4 tests that their summaries follow from their runs."""
    trained = json.dumps([RECORD["interval"], RECORD["yin-yang"]]).encode()
    assert hashlib.sha256(trained).hexdigest() == "92ed5af54005a4a942b6261f4889a0d6a05597c321af5f41bfe665524664050f"


def test_orders_and_ranks() -> None:
    """Spikes out of order and a pinned maximum give no slope; equal values share a rank."""
    given = (1, 0.1, 30, "000111111"), (4, 0.1, 20, "111111111"), (9, 0.2, 10, "111111111"), (16, 0.9, 5, "111101111")
    networks = [{
        "spikes": spikes, "kappa_min": kappa, "ordered": ordered, "pinned": False, "kept": ordered, "falling": [0] * 9,
        **{name: [size * dt**1.5 for dt in DTS] for name in study.QUANTITIES},
    } for size, kappa, spikes, ordered in given]
    networks.append({**networks[2], "pinned": True, "spikes": 40})
    found = study.summary([{"kind": "recurrent", "loss": "max_voltage", "where": "off", "networks": networks}])
    (order,) = (one for one in found["order"] if (one["kind"], one["which"]) == ("recurrent", "w"))
    assert (order["of"], order["count"], order["median"]) == (5, 3, 1.5)
    assert (found["spikes"]["rank_correlation"], found["kappa"]["rank_correlation"]) == (-1.0, 0.949)


@pytest.mark.check(22)
def test_the_order_is_1(measured: Measured) -> None:
    """At least 100 networks, five halvings: 1.0 ± 0.25, with either parameter and kind."""
    for entry in RECORD["gradients"]["summary"]["order"]:
        assert entry["count"] >= 100 and abs(entry["median"] - 1) <= 0.25
        measured(abs(entry["median"] - 1), 0.25, entry["count"], "of the record results/grid.json")


def test_a_pinned_maximum_has_no_limit_in_the_equations_of_the_paper() -> None:
    """The maximum moves with its inhibitory arrival (`derivations/maximum.py`); a kick does not."""
    without, pinned = (one for one in RECORD["gradients"]["summary"]["pinned"] if one["kind"] == "feed-forward")
    assert pinned["pinned"] and pinned["count"] >= 2
    assert pinned["error_d"][-1] > 0.05 > 0.02 > without["error_d"][-1]


def test_the_report_shows_the_medians_of_the_record() -> None:
    page = TEMPLATES.get_template("grid.html").render(grid=RECORD)
    for kind in KINDS:
        for loss in LOSSES:
            of = group(RECORD, kind, loss)
            medians = [of[name][0] for name in study.QUANTITIES] + [of[f"error_{w}"][-1] for w in "wd"]
            cells = "".join(f'<td class="number">{number(median)}</td>' for median in medians)
            assert f"<tr><td>{kind}, {loss}</td>{cells}</tr>" in page


@pytest.mark.full
def test_the_command_writes_the_gradients_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "FULL", 2)
    monkeypatch.setattr(study, "LOSSES", ("max_voltage",))
    path = tmp_path / "grid.json"
    path.write_text(json.dumps({"format": study.FORMAT, "interval": "kept"}), encoding="utf-8")
    assert study.main(["--out", str(path)]) == 0
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["interval"] == "kept" and record["dts"] == RECORD["dts"]
    assert study.summary(record["gradients"]["networks"]) == record["gradients"]["summary"]
    assert [len(group["networks"]) for group in record["gradients"]["networks"]] == [2] * 10


@pytest.mark.parametrize(("out", "message"), [
    ("none.json/grid.json", "cannot write: "), ("none.json", "`--out` must be a record of format"),
    ("damaged.json", "`--out` must be a record of format"),
])
def test_refusals(out: str, message: str, tmp_path: Path, capsys: Capture, monkeypatch: Patch) -> None:
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    (tmp_path / "damaged.json").write_text("{", encoding="utf-8")
    monkeypatch.setattr(study, "groups", lambda: [])
    monkeypatch.setattr(study, "summary", lambda found: {})
    assert message in refusal(capsys, study.main, "--out", tmp_path / out)
