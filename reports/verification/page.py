"""The page: what was shown, how well, and where it stops; everything on it is read from the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import matplotlib

from reports.markup import Picture, document, folded, heading, lead, named_values, note, shown, table, text
from reports.verification import figures, overview
from reports.verification.derivation import chapter
from reports.verification.figure_adjoint import adjoint
from reports.verification.limits import limits
from reports.verification.record import GREEN, NOT_RUN, RED, Verification

MARKS = {GREEN: "\N{CHECK MARK} green", RED: "\N{BALLOT X} RED", NOT_RUN: "\N{EN DASH} not run"}
WORST = "A worst value stands beside its limit; where these differ from case to case, the share of what is allowed."
COLUMNS = ("", "check", "criterion", "worst", "headroom", "cases", "controls", "")


def html(record: Verification) -> str:
    """The page. It follows from the record and the modules that prove, byte by byte."""
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        parts = [
            *_head(record), *_first_figure(record), *_checks(record), *_figures(record), *_faults(record),
            *limits(record), *chapter(proofs(record)), *_about(record),
        ]  # fmt: skip
    return document("delayprop: verification report", parts)


def proofs(record: Verification) -> dict[str, int]:
    """How many residuals of each theorem were found to be 0."""
    return {entry["tag"]: entry["residuals"] for entry in record.figures.get("proofs", [])}


def verdict(record: Verification) -> str:
    """The first sentence."""
    green, red, missing = (record.count(status) for status in (GREEN, RED, NOT_RUN))
    of = f"{green} of {len(record.checks)} checks are green"
    return of + (f", {red} RED" if red else "") + (f", {missing} did not run here" if missing else "")


def _head(record: Verification) -> list[str]:
    controls = sum(check["caught"] for check in record.checks)
    cases = sum(check["cases"] for check in record.checks)
    return [
        lead(verdict(record) + "."),
        text(
            "delayprop computes gradients of weights and delays of spiking networks, event by event, without a time "
            "grid. Is this gradient right? Here is what was measured to find out: each check with its criterion, the "
            f"worst value found, and its controls, which plant something wrong and must notice. {cases} cases and "
            f"{controls} controls are behind this page; each number on it was written by a check when it ran, and "
            "none by hand."
        ),
        text(
            "The argument goes in steps. The equations are proved from the dynamics. A slow reference says what was "
            "proved, and agrees with differences of a simulation that knows no adjoint. The fast kernels, which "
            "share no code with it, agree with the reference. Symmetries hold without any other gradient. And "
            "faults, also those that other systems had, are noticed."
        ),
    ]


def _first_figure(record: Verification) -> list[str]:
    entries = record.figures.get("adjoint", [])
    return [shown(adjoint(entries[0]))] if entries else []


def _checks(record: Verification) -> list[str]:
    parts = [heading("The checks"), note(WORST)]
    for group in dict.fromkeys(check["group"] for check in record.checks):
        own = [check for check in record.checks if check["group"] == group]
        parts.append(f"<h3>{escape(group)}</h3>")
        parts += [f'<div class="wide">{table(COLUMNS, [_row(check) for check in own], numbers=(0, 3, 4, 5, 6))}</div>']
        for check in own:
            parts.append(text(f"{check['number']}. {check['title']}. {check['shows']}"))
            parts += [note(f"{name}: {why}") for name, why in _reasons(check)]
    return [*parts, shown(overview.headroom(record.checks))]


def _row(check: dict[str, Any]) -> list[str]:
    worst = "" if check["worst"] is None else f"{number(check['worst'])} of {number(check['limit'])}"
    room = "" if not check["headroom"] else f"{number(check['headroom'])}\N{MULTIPLICATION SIGN}"
    controls = f"{check['caught']} of {check['controls']}"
    return [
        str(check["number"]), check["title"], check["criterion"], worst, room, str(check["cases"] or ""), controls,
        MARKS[check["status"]],
    ]  # fmt: skip


def _reasons(check: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Why a check is not green: each reason once."""
    seen: dict[str, str] = {}
    for name, why in check["wrong"].items():
        seen.setdefault(why, name)
    yield from ((name, why) for why, name in seen.items())
    if check["status"] == NOT_RUN and not check["wrong"]:
        yield "not run", "no test of it was there"


def number(value: float) -> str:
    """Two digits."""
    return f"{value:.2g}"


Drawn = tuple[str, Callable[[Verification], Picture]]
FIGURES: tuple[Drawn, ...] = (
    ("taylor", lambda r: figures.taylor(r.figures["taylor"])),
    ("identities", lambda r: figures.identities(r.figures["identities"])),
    ("float32", lambda r: figures.errors(
        r.figures.get("float64", []), r.figures["float32"], r.figures.get("three ways", []))),
    ("grazing", lambda r: figures.grazing(r.figures["grazing"])),
    ("delay path", lambda r: figures.delay_path(r.figures["delay path"][0])),
    ("memory", lambda r: figures.memory(r.figures["memory"][0])),
)  # fmt: skip


def pictures(record: Verification) -> list[Picture]:
    """All that the record has data for."""
    return [draw(record) for name, draw in FIGURES if record.figures.get(name)]


def _figures(record: Verification) -> list[str]:
    return [heading("What the checks found"), *map(shown, pictures(record))]


def _faults(record: Verification) -> list[str]:
    entries = record.figures.get("faults", [])
    if not entries:
        return []
    return [
        heading("Faults"), shown(overview.faults(entries)),
        text("Faults that published systems have had, or of their kind:"),
        table(("fault", "where"), overview.sources(entries)),
    ]  # fmt: skip


def _about(record: Verification) -> list[str]:
    about, environment = record.about, record.about["environment"]
    commit = f"{about['commit'] or 'unknown'}{' and changes not committed' if about['changed'] else ''}"
    values = [
        ("made", about["made"]), ("commit", commit), ("effort", about["effort"]),
        *((name, str(value)) for name, value in environment.items() if name != "packages"),
        *environment["packages"].items(),
    ]  # fmt: skip
    again = "Made by `python -m reports` (`--quick`: a tenth of the cases); `verification.json` has all values."
    seeds = [[f"{c['number']} {c['title']}", "; ".join(c["seeds"])] for c in record.checks if c["seeds"]]
    return [heading("Made on"), named_values(values), note(again), folded("Seeds", table(("check", "seeds"), seeds))]

