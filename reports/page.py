"""The page: the checks, their measurements, and the limits, all from the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib

from delayprop.fast.drawing.markup import (
    Picture,
    document,
    folded,
    heading,
    lead,
    named_values,
    note,
    percent,
    table,
    text,
)
from reports import figures, overview
from reports.cards import STYLE, cards, glance, number
from reports.derivation import chapter
from reports.distance_rows import STYLE as ROWS
from reports.distance_rows import distance_rows
from reports.figure_adjoint import adjoint
from reports.grid import grid
from reports.left_unproved import limits
from reports.peers import peers
from reports.pictures import STYLE as PICTURES
from reports.pictures import shown
from reports.record import GREEN, NOT_RUN, RED, Verification


def html(record: Verification, studies: Mapping[str, dict[str, Any]]) -> str:
    """The page; it depends on the record, the studies and the modules of proofs alone, to the byte.

    Args:
        studies: records of longer runs, `grid` and `conformance`; a missing one has no chapter.
    """
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        chapters = [part for name, write in STUDIES.items() if name in studies for part in write(studies[name])]
        proofs = {entry["tag"]: entry["residuals"] for entry in record.figures.get("proofs", [])}
        parts = [
            *_head(record), *map(shown, pictures(record, FIRST)),
            heading("The checks"), glance(record.checks), *cards(record.checks),
            *limits(record), heading("Findings of the checks"), *map(shown, pictures(record, FIGURES)),
            *_certified(record), *_faults(record), *_mutants(record), *chapters, *chapter(proofs), *_about(record),
        ]
    return document("delayprop: verification report", parts, "\n".join((STYLE, ROWS, PICTURES)))


def verdict(record: Verification) -> str:
    """The verdict, one sentence."""
    green, red, missing = (record.count(status) for status in (GREEN, RED, NOT_RUN))
    look = "" if record.about["effort"] == "full" else "A quick look, which is no evidence: "
    of = f"{look}{green} of {len(record.checks)} checks are green"
    return of + (f", {red} RED" if red else "") + (f", {missing} did not run here" if missing else "")


def _head(record: Verification) -> list[str]:
    stops = [check["title"] for check in record.checks if check["status"] == NOT_RUN]
    not_run = f" Not run here: {', '.join(stops)}." if stops else ""
    return [
        lead(verdict(record) + "."),
        distance_rows(record.checks),
        text(
            "delayprop computes gradients of weights and delays of spiking networks, event by event, without a time "
            "grid. Is this gradient right? This page shows the measurements: each check with its criterion, the worst "
            "value found, and its controls. A control plants a fault and passes only if the check finds it. All "
            "values come from records that the checks, and some longer studies, wrote."
        ),
        text(
            "The argument has these steps. The equations are proved from the dynamics. The reference, slow and "
            "readable, implements the proved equations. It agrees with differences of a simulation that has no adjoint "
            "(no equations backwards in time). The kernels of fast, used for training, share no code with the "
            "reference and agree with it. Symmetries hold without any other gradient. And the checks find planted "
            "faults, among them faults of published systems."
        ),
        text(
            "The evidence ends where the order of events changes: the gradient excludes spikes that are about to "
            "appear or vanish, and diverges where a voltage only grazes its threshold. The networks compared with "
            f"many digits are small.{not_run}"
        ),
        note(
            "In the criteria, u is the unit of rounding, and kappa the slope at which a voltage crosses its "
            "threshold, at the worst spike of a network: 0 is grazing. A block is the gradient by one kind of "
            "parameter of one connection or population. Its error is relative to its size, or to a thousandth of the "
            "largest block if it is smaller."
        ),
    ]


Drawn = Mapping[str, Callable[[Verification], Picture]]
FIRST: Drawn = {"adjoint": lambda r: adjoint(r.figures["adjoint"][0])}
FIGURES: Drawn = {
    "taylor": lambda r: figures.taylor(r.figures["taylor"]),
    "identities": lambda r: figures.identities(r.figures["identities"]),
    "float32": lambda r: figures.errors(
        r.figures.get("float64", []), r.figures["float32"], r.figures.get("three ways", [])
    ),
    "grazing": lambda r: figures.grazing(r.figures["grazing"]),
    "delay path": lambda r: figures.delay_path(r.figures["delay path"][0]),
    "memory": lambda r: figures.memory(r.figures["memory"][0]),
}
FAULTS: Drawn = {"faults": lambda r: overview.faults(r.figures["faults"])}
STUDIES = {"conformance": peers, "grid": grid}


def pictures(record: Verification, drawn: Drawn) -> list[Picture]:
    """The figures that the record has data for."""
    return [draw(record) for name, draw in drawn.items() if record.figures.get(name)]


def _certified(record: Verification) -> list[str]:
    runs, order = ("reference", "fast float64", "fast float32"), ("lower", "average", "higher")
    rows = [
        [
            e["class"], e["network"], str(e["spikes"]), "" if e["kappa_min"] is None else number(e["kappa_min"]),
            *(f"{e[run]:.1f}{'*' if run in e['ill_conditioned'] else ''}" for run in runs),
        ]
        for e in record.figures.get("certified", [])
    ]
    if not rows:
        return []
    rows.sort(key=lambda row: (order.index(row[0]), row[1]))
    words = (
        "Right digits of the worst block of each network, of 30 certified digits. An asterisk: the condition of the "
        "network leaves fewer digits than the criterion, as an error of one unit in the last place of its numbers "
        "shows."
    )
    content = table(("class", "network", "spikes", "kappa", *runs), rows, numbers=(2, 3, 4, 5, 6))
    return [heading("The certified set"), note(words), folded(f"{len(rows)} networks", content)]


def _faults(record: Verification) -> list[str]:
    entries = record.figures.get("faults", [])
    if not entries:
        return []
    return [
        heading("Faults"), *map(shown, pictures(record, FAULTS)),
        text("Faults of published systems, or of their kind:"),
        table(("fault", "place"), overview.sources(entries)),
    ]


def _mutants(record: Verification) -> list[str]:
    if not record.figures.get("mutation"):
        return []
    (entry,) = record.figures["mutation"]
    outcomes = {
        "mutants": "mutants", "tried": "tried", "noticed": "found", "broke off": "crashed",
        "took too long": "timed out", "survived": "survived",
    }
    files = [[file, *(str(counts[name]) for name in outcomes)] for file, counts in entry["files"].items()]
    survivors = [[f"{one['file']}:{one['line']}", one["after"], one["reason"]] for one in entry["survivors"]]
    words = (
        "cosmic-ray changes one operator, number or comparison of the adjoint code at a time. The checks above run on "
        f"each mutant until one fails. They find {percent(entry['noticed'])} of the mutants that change anything."
    )
    return [
        heading("Mutants"), text(words), table(("file", *outcomes.values()), files, numbers=range(1, 7)),
        folded(f"{len(survivors)} survivors", table(("place", "mutant", "why it survives"), survivors)),
    ]


def _about(record: Verification) -> list[str]:
    about, environment = record.about, record.about["environment"]
    commit = f"{about['commit'] or 'unknown'}{' and uncommitted changes' if about['changed'] else ''}"
    values = [
        ("made", about["made"]), ("commit", commit), ("effort", about["effort"]),
        *((name, str(value)) for name, value in environment.items() if name != "packages"),
        *environment["packages"].items(),
    ]
    again = "Made by `python -m reports` (`--quick`: a tenth of the cases); `verification.json` has all values."
    seeds = [[f"{c['number']} {c['title']}", "; ".join(c["seeds"])] for c in record.checks if c["seeds"]]
    return [heading("Made on"), named_values(values), note(again), folded("Seeds", table(("check", "seeds"), seeds))]
