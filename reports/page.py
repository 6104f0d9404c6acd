"""The page: what was shown, how well, and where it stops; everything on it is read from the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib

from fast.drawing.markup import (
    Picture,
    document,
    folded,
    heading,
    lead,
    named_values,
    note,
    percent,
    shown,
    table,
    text,
)
from reports import figures, overview
from reports.cards import STYLE, cards, glance, number
from reports.derivation import chapter
from reports.figure_adjoint import adjoint
from reports.grid import grid
from reports.left_unproved import limits
from reports.peers import peers
from reports.record import GREEN, NOT_RUN, RED, Verification


def html(record: Verification, studies: Mapping[str, dict[str, Any]]) -> str:
    """The page. It follows from the record, the studies and the modules that prove, byte by byte.

    Args:
        studies: records of longer runs, by name: `grid`, `conformance`; one that is missing has no chapter.
    """
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        parts = [
            *_head(record), *_first_figure(record), *_checks(record), *limits(record), *_figures(record),
            *_certified(record), *_faults(record), *_mutants(record), *_studies(studies), *chapter(proofs(record)),
            *_about(record),
        ]
    return document("delayprop: verification report", parts, STYLE)


def proofs(record: Verification) -> dict[str, int]:
    """How many residuals of each theorem were found to be 0."""
    return {entry["tag"]: entry["residuals"] for entry in record.figures.get("proofs", [])}


def verdict(record: Verification) -> str:
    """The first sentence."""
    green, red, missing = (record.count(status) for status in (GREEN, RED, NOT_RUN))
    look = "" if record.about["effort"] == "full" else "A quick look, which is no evidence: "
    of = f"{look}{green} of {len(record.checks)} checks are green"
    return of + (f", {red} RED" if red else "") + (f", {missing} did not run here" if missing else "")


def _head(record: Verification) -> list[str]:
    stops = [check["title"] for check in record.checks if check["status"] == NOT_RUN]
    not_run = f" Not run here: {', '.join(stops)}." if stops else ""
    return [
        lead(verdict(record) + "."),
        text(
            "delayprop computes gradients of weights and delays of spiking networks, event by event, without a time "
            "grid. Is this gradient right? Here is what was measured to find out: each check with its criterion, the "
            "worst value found, and its controls, which plant something wrong and must notice. What was measured is "
            "read from records that the checks, and some longer studies, wrote."
        ),
        text(
            "The argument goes in steps. The equations are proved from the dynamics. The reference, slow and "
            "readable, says what was proved, and agrees with differences of a simulation that knows no adjoint (no "
            "equations that go backwards). fast, the kernels that one trains with, shares no code with it and agrees "
            "with it. Symmetries hold without any other gradient. And faults, also those that other systems had, are "
            "noticed."
        ),
        text(
            "It stops where the order of events changes: the gradient knows nothing of spikes that are about to "
            "appear or vanish, and diverges where a voltage only grazes its threshold. Networks that are held "
            f"against many digits are small.{not_run}"
        ),
        note(
            "In criteria u is the unit of rounding, and kappa how steeply a voltage crosses its threshold, at the "
            "worst spike of a network: 0 is grazing. A block is the gradient by one kind of parameter of one "
            "connection or population, its error relative, and not below a thousandth of the largest block. Squares: "
            "green passed, with their controls; red failed; grey did not run."
        ),
    ]


def _first_figure(record: Verification) -> list[str]:
    entries = record.figures.get("adjoint", [])
    return [shown(adjoint(entries[0]))] if entries else []


def _checks(record: Verification) -> list[str]:
    return [
        heading("The checks"), glance(record.checks), *cards(record.checks), shown(overview.headroom(record.checks)),
    ]


Drawn = tuple[str, Callable[[Verification], Picture]]
FIGURES: tuple[Drawn, ...] = (
    ("taylor", lambda r: figures.taylor(r.figures["taylor"])),
    ("identities", lambda r: figures.identities(r.figures["identities"])),
    ("float32", lambda r: figures.errors(
        r.figures.get("float64", []), r.figures["float32"], r.figures.get("three ways", []))),
    ("grazing", lambda r: figures.grazing(r.figures["grazing"])),
    ("delay path", lambda r: figures.delay_path(r.figures["delay path"][0])),
    ("memory", lambda r: figures.memory(r.figures["memory"][0])),
)


def pictures(record: Verification) -> list[Picture]:
    """All that the record has data for."""
    return [draw(record) for name, draw in FIGURES if record.figures.get(name)]


def _figures(record: Verification) -> list[str]:
    return [heading("What the checks found"), *map(shown, pictures(record))]


def _certified(record: Verification) -> list[str]:
    runs = ("reference", "fast float64", "fast float32")
    rows = [
        [
            e["class"], e["network"], str(e["spikes"]), "" if e["kappa_min"] is None else number(e["kappa_min"]),
            *(f"{e[run]:.1f}{'*' if run in e['ill_conditioned'] else ''}" for run in runs),
        ]
        for e in record.figures.get("certified", [])
    ]
    if not rows:
        return []
    order = ("lower", "average", "higher")
    rows.sort(key=lambda row: (order.index(row[0]), row[1]))
    said = (
        "Right digits of the worst block of each network, of 30 that are certified. An asterisk: the network's own "
        "condition leaves fewer than are asked for, as an error of one unit in the last place of its numbers shows."
    )
    content = table(("class", "network", "spikes", "kappa", *runs), rows, numbers=(2, 3, 4, 5, 6))
    return [heading("The certified set"), note(said), folded(f"{len(rows)} networks", content)]


def _faults(record: Verification) -> list[str]:
    entries = record.figures.get("faults", [])
    if not entries:
        return []
    return [
        heading("Faults"), shown(overview.faults(entries)),
        text("Faults that published systems have had, or of their kind:"),
        table(("fault", "where"), overview.sources(entries)),
    ]


def _mutants(record: Verification) -> list[str]:
    if not record.figures.get("mutation"):
        return []
    (entry,) = record.figures["mutation"]
    outcomes = ("mutants", "tried", "noticed", "broke off", "took too long", "survived")
    files = [[file, *(str(counts[name]) for name in outcomes)] for file, counts in entry["files"].items()]
    survivors = [[f"{one['file']}:{one['line']}", one["after"], one["reason"]] for one in entry["survivors"]]
    said = (
        "cosmic-ray changes one operator, number or comparison of the adjoint code at a time; the checks above run on "
        f"each mutant until one notices. Of those that change anything {percent(entry['noticed'])} are noticed."
    )
    return [
        heading("Mutants"), text(said), table(("file", *outcomes), files, numbers=range(1, 7)),
        folded(f"{len(survivors)} survivors", table(("where", "became", "why it survives"), survivors)),
    ]


def _studies(studies: Mapping[str, dict[str, Any]]) -> list[str]:
    chapters = {"conformance": peers, "grid": grid}
    return [part for name, write in chapters.items() if name in studies for part in write(studies[name])]


def _about(record: Verification) -> list[str]:
    about, environment = record.about, record.about["environment"]
    commit = f"{about['commit'] or 'unknown'}{' and changes not committed' if about['changed'] else ''}"
    values = [
        ("made", about["made"]), ("commit", commit), ("effort", about["effort"]),
        *((name, str(value)) for name, value in environment.items() if name != "packages"),
        *environment["packages"].items(),
    ]
    again = "Made by `python -m reports` (`--quick`: a tenth of the cases); `verification.json` has all values."
    seeds = [[f"{c['number']} {c['title']}", "; ".join(c["seeds"])] for c in record.checks if c["seeds"]]
    return [heading("Made on"), named_values(values), note(again), folded("Seeds", table(("check", "seeds"), seeds))]

