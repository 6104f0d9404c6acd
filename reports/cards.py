"""The checks on the page: an overview of all, then a card for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from reports.record import GREEN, NOT_RUN, RED

MARKS = {GREEN: "\N{CHECK MARK}", RED: "\N{BALLOT X}", NOT_RUN: "\N{EN DASH}"}
CLASSES = {GREEN: "green", RED: "red", NOT_RUN: "missing"}
STYLE = """
.glance { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 4px; margin: 1rem 0; }
.glance a { padding: 0.25rem 0.5rem; border-radius: 4px; color: #fff; font-size: 0.8rem; line-height: 1.25;
            text-decoration: none; break-inside: avoid; print-color-adjust: exact; }
.glance .red { font-weight: 700; outline: 3px double #b3261e; outline-offset: 1px; }
.green a, a.green { background: #2f7d3f; } .red a, a.red { background: #b3261e; } a.missing { background: #6e7781; }
.card { border-left: 4px solid #2f7d3f; padding: 0.1rem 0 0.1rem 0.8rem; margin: 1rem 0; break-inside: avoid; }
.card.red { border-color: #b3261e; } .card.missing { border-color: #6e7781; }
.card h4 { margin: 0.2rem 0; font-size: 1rem; } .card p { margin: 0.2rem 0; }
.card dl { columns: auto; display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; font-size: 0.85rem; }
.card dl div { border: 0; gap: 0.4rem; justify-content: start; } .card dd { text-align: left; }
h3 { margin: 1.6rem 0 0.4rem; }
.formula { margin: 0.8rem 0; overflow-x: auto; } .formula math { font-size: 1.05rem; }
@media print { .formula math { font-size: 0.7rem; } }
""".strip()


def glance(checks: Sequence[dict[str, Any]]) -> str:
    """A square per check, with its name and outcome, that links to its card."""
    squares = (
        f'<a class="{CLASSES[c["status"]]}" href="#check-{c["number"]}">{titled(c)}</a>'
        for c in checks
    )
    return f'<nav class="glance">{"".join(squares)}</nav>'


def cards(checks: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The cards, group by group."""
    for group in dict.fromkeys(check["group"] for check in checks):
        yield f"<h3>{escape(group)}</h3>"
        yield from (card(check) for check in checks if check["group"] == group)


def card(check: dict[str, Any]) -> str:
    """The claim of a check, its criterion, the values found, and the reasons if it is not green."""
    status, title = check["status"], titled(check)
    facts = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in found(check))
    why = "".join(f'<p class="note">{escape(reason)}</p>' for reason in reasons(check))
    return (
        f'<section class="card {CLASSES[status]}" id="check-{check["number"]}"><h4>{title}</h4>'
        f"<p>{escape(check['shows'])}</p><p class=\"note\">Criterion: {escape(check['criterion'])}.</p>"
        f"<dl>{facts}</dl>{why}</section>"
    )


def titled(check: dict[str, Any]) -> str:
    """Number and name of a check, with its outcome."""
    status = check["status"]
    return f"{MARKS[status]} {check['number']} {escape(check['title'])}" + ("" if status == GREEN else f": {status}")


def found(check: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of the measurements."""
    worst, limit = check["worst"], check["limit"]
    if worst is not None and not limit:
        yield "differences", f"{number(worst) if worst else 'none'}, none allowed"
    elif worst is not None and limit == 1:
        yield "worst, in units of the limit", number(worst)
    elif worst is not None:
        yield "worst", f"{number(worst)} (limit {number(limit)})"
    if check["headroom"] and check["status"] == GREEN:
        yield "headroom", f"{number(check['headroom'])}\N{MULTIPLICATION SIGN}"
    if check["cases"]:
        yield "cases", str(check["cases"])
    if check["fault"] is not None and check["fault_limit"]:
        yield "planted fault nearest to the limit", f"{number(check['fault'] / check['fault_limit'])} of it"
    if check["controls"]:
        yield "controls passed", f"{check['caught']} of {check['controls']}"


def reasons(check: dict[str, Any]) -> Iterator[str]:
    """Why a check is not green: each reason once, with its first test."""
    first: dict[str, str] = {}
    for name, why in check["wrong"].items():
        first.setdefault(why.removeprefix("Skipped: "), name)
    yield from (why if check["status"] == NOT_RUN else f"{name}: {why}" for why, name in first.items())
    if check["status"] == NOT_RUN and not check["wrong"]:
        yield "No test belongs to it."


def number(value: float) -> str:
    """Two digits; a large number in full, with commas."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"
