"""The page of findings says no number that `results/grid.json` does not hold; the record is whole, and can be drawn."""

from __future__ import annotations

import copy
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.grid import __main__ as command
from benchmarks.grid import figures, study, training
from benchmarks.grid.measure import DTS, measured
from benchmarks.grid.networks import KINDS, LOSSES, WHERE
from tests import ROOT
from tests.support.report_evidence import Measured

RECORD = json.loads((ROOT / "results" / "grid.json").read_text(encoding="utf-8"))
PAGE = " ".join((ROOT / "benchmarks" / "grid" / "FINDINGS.md").read_text(encoding="utf-8").split())


def per_cent(share: float) -> str:
    """Two digits: 0.0123 is 1.2 %, 0.123 is 12 %."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def group(record: dict, kind: str, loss: str, where: str = "off") -> dict:
    """The summary of one group."""
    (found,) = (g for g in record["gradients"]["summary"]["groups"]
                if (g["kind"], g["loss"], g["where"]) == (kind, loss, where))
    return found


def mean(value: dict, digits: int = 1) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    return f"{100 * value['mean']:.{digits}f} ± {100 * value['sd']:.{digits}f}"


def paired(value: dict) -> str:
    """A paired difference with its interval of 95 %, in points."""
    middle, half = 100 * value["mean"], 100 * value["half"]
    return f"{middle:.1f} ({middle - half:.1f} to {middle + half:.1f})"


def step(dt: float | None) -> str:
    return "exact" if dt is None else f"{dt:g} ms" if dt >= 1 else f"1/{1 / dt:g} ms"


def rows_of_gradients(record: dict) -> list[str]:
    """A group a row: errors and cosines at 1 ms, errors at 1/256 ms."""
    found = []
    for kind in KINDS:
        for loss in LOSSES:
            said = group(record, kind, loss)
            cells = [per_cent(said[name][0][1]) for name in ("error_w", "error_d")]
            cells += [f"{said[name][0][1]:.2f}" for name in ("cosine_w", "cosine_d")]
            cells += [per_cent(said[name][-1][1]) for name in ("error_w", "error_d")]
            found.append(f"| {kind}, `{loss}` | " + " | ".join(cells) + " |")
    return found


def rows_of_intervals(record: dict) -> list[str]:
    """A distance a row."""
    found = []
    for entry in record["interval"]["summary"]:
        own = [run["ways"] for run in record["interval"]["runs"] if run["apart"] == entry["apart"]]
        exact_off = max(abs(ways[0]["boundary_off"]) for ways in own)
        grid_off = statistics.median(abs(ways[1]["boundary_off"]) for ways in own)
        learned = sum(ways[1]["on_exact"] == 1 for ways in own)
        exact, grid = entry["ways"]
        cells = [
            f"{entry['apart']:g} ms", f"{100 * exact['on_exact']['mean']:.0f} %",
            f"{mean(grid['on_exact'], digits=0)} %", f"{learned} of {len(own)}", f"at most {exact_off:.4f} ms",
            f"{grid_off:.2f} ms", f"{100 * exact['on_grid']['mean']:.0f} %", f"{100 * grid['on_grid']['mean']:.0f} %",
        ]
        found.append("| " + " | ".join(cells) + " |")
    return found


def rows_of_yin_yang(record: dict) -> list[str]:
    """A way of training a row; then a step a row, how alike gradients are before and after learning."""
    found = []
    for way in record["yin-yang"]["summary"]:
        name = step(way["dt"]) + (", with the term" if way["dt"] and way["pinned"] else "")
        lost = ["-", "-"] if way["dt"] is None else [paired(way[f"lost_on_{place}"]) for place in ("exact", "grid")]
        found.append(f"| {name} | {mean(way['on_exact'])} % | {mean(way['on_grid'])} % | {lost[0]} | {lost[1]} |")
    for moment in ("before", "after"):
        for n, first in enumerate(record["yin-yang"]["runs"][0][moment]):
            own = [run[moment][n] for run in record["yin-yang"]["runs"]]
            names = ("error_w", "error_d", "cosine_w", "cosine_d", "trial_w", "trial_d")
            cells = [f"{statistics.median(entry[name] for entry in own):.2f}" for name in names]
            cells.append(per_cent(statistics.median(entry["kept"] for entry in own)))
            name = step(first["dt"]) + (", with the term" if first["pinned"] else "")
            found.append(f"| {moment}, {name} | " + " | ".join(cells) + " |")
    return found


def of_gradients(record: dict) -> list[str]:
    """Sentences on counts, orders, grids of delays, grazing, and the number of spikes."""
    summary = record["gradients"]["summary"]
    count, groups = summary["groups"][0]["count"], len(summary["groups"])
    draws = sum(n["redrawn"] for g in record["gradients"]["networks"] for n in g["networks"])
    order = {(o["kind"], w): o for w in ("w", "d") for o in summary["order"][w] if o["loss"] == "all"}
    slopes = [f"{order[kind, w]['quartiles'][1]:.2f}" for kind in KINDS for w in ("w", "d")]
    kept = [per_cent(group(record, kind, loss)["kept"][0])
            for loss in ("mean_voltage", "spike_time_mse") for kind in KINDS]
    placed = [per_cent(group(record, "recurrent", "spike_time_mse", place)["error_d"][0][1]) for place in WHERE]
    kappa = next(e for e in summary["kappa"] if (e["dt"], e["which"]) == (1 / 16, "w"))
    spikes = next(e for e in summary["spikes"] if (e["dt"], e["which"]) == (1.0, "w"))
    pinned = {p["pinned"]: p for p in summary["pinned"] if p["kind"] == "feed-forward"}
    falling = max(g["falling"][0] for g in summary["groups"])
    against = group(record, "feed-forward", "max_voltage")["against_d"][0]
    medians = [group(record, kind, loss)[f"error_{w}"][0][1] for kind in KINDS for loss in LOSSES for w in ("w", "d")]
    return [
        f"{count} networks per group ({draws} of {count * groups + draws} draws had no gradient and were drawn again)",
        f"{order['recurrent', 'w']['count']} recurrent and {order['feed-forward', 'w']['count']} feed-forward networks of "
        f"{order['recurrent', 'w']['of']} each",
        f"{slopes[0]} (weights) and {slopes[1]} (delays) recurrent, {slopes[2]} and {slopes[3]} feed-forward",
        f"{kept[0]} of recurrent and {kept[1]} of feed-forward networks",
        f"{kept[2]} and {kept[3]} where the outputs spike as well",
        f"{placed[0]} with delays and inputs anywhere, {placed[1]} with delays on it, {placed[2]} with both on it",
        f"from {per_cent(kappa['medians'][2])} (worst spike's kappa {kappa['edges'][2]:g} to {kappa['edges'][3]:g}, "
        f"{kappa['counts'][2]} networks) to {per_cent(kappa['medians'][-1])} (above {kappa['edges'][-1]:g}, "
        f"{kappa['counts'][-1]} networks)",
        f"rank correlation of {kappa['rank_correlation']:.2f}",
        f"from {per_cent(spikes['medians'][0])} (fewer than {spikes['edges'][1]} spikes) to "
        f"{per_cent(spikes['medians'][-1])} ({spikes['edges'][-1]} or more)",
        f"{pinned[True]['count']} of {count} feed-forward networks",
        f"stays at {per_cent(pinned[True]['error_d'][-1])} at 1/256 ms, compared with "
        f"{per_cent(pinned[False]['error_d'][-1])} in the other networks",
        f"{per_cent(against)} of feed-forward networks", f"at most {per_cent(falling)} of all spikes",
        f"by {per_cent(min(medians))} to {per_cent(max(medians))} of their size (medians)",
    ]


def of_training(record: dict) -> list[str]:
    """Sentences on what Yin-Yang learns."""
    said = {(way["dt"], way["pinned"]): way for way in record["yin-yang"]["summary"]}
    published, fine = said[1.0, False], said[1 / 8, True]
    moved_over = [run["ways"][0]["on_grid"] - run["ways"][1]["on_grid"] for run in record["yin-yang"]["runs"]]
    return [
        f"{100 * published['lost_on_exact']['mean']:.0f} points", f"{100 * fine['lost_on_exact']['mean']:.1f} points",
        f"by {paired(training.mean_and_interval(moved_over))} points",
        f"{published['apart_ms']['mean']:.1f} ms (root mean square) from those of the exact gradient",
        f"moved by {published['moved_ms']['mean']:.1f} ms",
        f"{fine['apart_ms']['mean']:.1f} ms at 1/8 ms with the term",
    ]


def said_of(record: dict) -> list[str]:
    """Every number of the page, with words around it."""
    tables = (*rows_of_gradients(record), *rows_of_intervals(record), *rows_of_yin_yang(record))
    return [*tables, *of_gradients(record), *of_training(record)]


def missing(record: dict) -> list[str]:
    """What the page should say of a record, and does not."""
    return [text for text in said_of(record) if text not in PAGE]


def test_the_page_says_what_the_record_holds() -> None:
    assert missing(RECORD) == []


@pytest.mark.parametrize("part", ["gradients", "interval", "yin-yang"])
def test_control_of_another_record_it_does_not(part: str) -> None:
    other = copy.deepcopy(RECORD)
    if part == "gradients":
        group(other, "recurrent", "max_voltage")["error_d"][0][1] *= 0.9
    else:
        summary = other[part]["summary"]
        (summary[-1]["ways"][1] if part == "interval" else summary[1])["on_exact"]["mean"] -= 0.05
    assert len(missing(other)) == 1


def test_the_record_is_whole() -> None:
    """Every seed, once; summaries are those of its own numbers."""
    assert RECORD["format"] == command.FORMAT and not RECORD["quick"] and RECORD["dts"] == list(DTS)
    for found in RECORD["gradients"]["networks"]:
        assert seeds(found["networks"]) == list(range(study.FULL))
    assert study.summary(RECORD["gradients"]["networks"]) == RECORD["gradients"]["summary"]
    for entry in RECORD["interval"]["summary"]:
        runs = [run for run in RECORD["interval"]["runs"] if run["apart"] == entry["apart"]]
        assert seeds(runs) == list(range(command.SEEDS)) and training.summary(runs) == entry["ways"]
    runs = RECORD["yin-yang"]["runs"]
    assert seeds(runs) == list(range(command.SEEDS)) and training.summary(runs) == RECORD["yin-yang"]["summary"]


@pytest.mark.check(22)
def test_the_order_is_1(measured: Measured) -> None:
    """At least 100 networks, five halvings: 1.0 ± 0.25, with either parameter and kind."""
    for which in ("w", "d"):
        for entry in RECORD["gradients"]["summary"]["order"][which]:
            if entry["loss"] == "all":
                assert entry["count"] >= 100 and abs(entry["quartiles"][1] - 1) <= 0.25
                measured(abs(entry["quartiles"][1] - 1), 0.25, entry["count"], "of the record results/grid.json")


def seeds(entries: Sequence[dict]) -> list[int]:
    return [entry["seed"] for entry in entries]


def test_pictures_of_the_record(tmp_path: Path) -> None:
    paths = figures.draw(RECORD, tmp_path, "svg")
    assert len(paths) == len(figures.PICTURES) and all(Path(path).stat().st_size > 5000 for path in paths)


@pytest.mark.slow
def test_the_record_is_what_the_command_finds() -> None:
    """Networks of the record measured anew; only rounding may differ between machines."""
    for found in RECORD["gradients"]["networks"]:
        again = measured(found["kind"], found["loss"], found["where"], range(10))
        for network, recorded in zip(again, found["networks"], strict=False):
            for name in ("seed", "spikes", "kept", "pinned"):
                assert network[name] == recorded[name]
            for name in study.QUANTITIES:
                assert network[name] == pytest.approx(recorded[name], rel=0.02, abs=2e-4)
