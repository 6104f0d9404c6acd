"""The first figure of the page: a row per check, which wraps on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from reports.cards import MARKS, number
from reports.distances import CAPTION, Axis, Distance, answer, axis, distances, marks
from reports.record import GREEN, NOT_RUN, RED

STYLE = """
:root { --pass: #2f7d3f; --fail: #b3261e; --fault: #7a3fa0; --pale: #fbe9e7; }
@media (prefers-color-scheme: dark) { :root { --pass: #57b86c; --fail: #ff7b70; --fault: #c792ea; --pale: #3a1512; } }
@media print { :root { --pass: #2f7d3f; --fail: #b3261e; --fault: #7a3fa0; --pale: #fbe9e7; } }
.distances { font-size: 0.85rem; line-height: 1.3; break-inside: auto; }
.distances ul { list-style: none; margin: 0; padding: 0; }
.distances h4 { margin: 0.5rem 0 0.1rem; font-size: 0.85rem; color: var(--faint); break-after: avoid; }
.distances a { color: inherit; text-decoration: none; } .distances a:hover { text-decoration: underline; }
.distances .row { display: grid; grid-template-columns: 15.5rem 1fr 5.2rem; column-gap: 1.3rem; align-items: center;
                  break-inside: avoid; padding: 0.06rem 0.2rem; border-left: 4px solid transparent; }
.distances .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.distances .track { position: relative; height: 1.25rem; border-bottom: 1px solid var(--line); }
.distances .limit { position: absolute; top: 0; bottom: -1px; border-left: 2px solid var(--ink); margin-left: -1px; }
.distances svg { width: 14px; height: 14px; overflow: visible; vertical-align: -2px; }
.distances .track svg { position: absolute; top: 50%; margin: -7px 0 0 -7px; }
.distances .track .failed { width: 20px; height: 20px; margin: -10px 0 0 -10px; }
.distances .axis .track { border: 0; color: var(--faint); font-size: 0.75rem; }
.distances .axis .track span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.distances sup { font-size: 0.65rem; line-height: 0; }
.distances .row.failed { border-left-color: var(--fail); background: var(--pale); }
.distances .row.failed a, .distances .word { color: var(--fail); font-weight: 700; }
.distances .row.missing { color: var(--faint); }
.distances .legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; margin-bottom: 0.3rem; }
.distances .answers .row { grid-template-columns: 15.5rem 1fr; }
@media (max-width: 600px) {
  .distances .row, .distances .answers .row { grid-template-columns: 1fr auto; row-gap: 0; }
  .distances .track { grid-column: 1 / -1; grid-row: 2; margin: 0 10px; }
  .distances .answers .said { grid-column: 1 / -1; }
}
""".strip()

SHAPES = {
    "passed": '<circle r="4.5" fill="var(--pass)"/>',
    "zero": '<path d="M-5 0 L4 -5 L4 5 Z" fill="var(--pass)"/>',
    "fault": '<path d="M0 -5.5 L5.5 0 L0 5.5 L-5.5 0 Z" fill="none" stroke="var(--fault)" stroke-width="1.8"/>',
    "failed": '<path d="M-5 -5 L5 5 M-5 5 L5 -5" stroke="var(--fail)" stroke-width="2.8"/>',
    "missing": '<circle r="4" fill="none" stroke="var(--faint)" stroke-width="1.6"/>',
}
LEGEND = {
    "passed": "worst value of a check that passed", "zero": "it is exactly 0, or beyond this end",
    "fault": "control: the planted fault nearest to the limit", "failed": "failed",
    "missing": "did not run in full",
}
APART = "Checks that answer yes or no"
WORD = f'<span class="word">{MARKS[RED]} FAILED</span>'
HEAD = "worst / limit"
KINDS = {GREEN: "passed", RED: "failed", NOT_RUN: "missing"}


def distance_rows(checks: Sequence[dict[str, Any]]) -> str:
    """The figure: the checks with numbers on one axis, then those that answer yes or no."""
    all_of = distances(checks)
    along, apart = [one for one in all_of if one.numbered], [one for one in all_of if not one.numbered]
    scale = axis(along)
    used = {"passed", "fault"} | {kind for one in along for kind, _ in marks(one, scale)}
    legend = "".join(f"<span>{_symbol(kind)} {escape(LEGEND[kind])}</span>" for kind in SHAPES if kind in used)
    parts = [f'<figure class="distances" id="distances"><div class="legend">{legend}</div>', _ticks(scale)]
    for group in dict.fromkeys(one.check["group"] for one in along):
        rows = "\n".join(_row(one, scale) for one in along if one.check["group"] == group)
        parts.append(f"<h4>{escape(group)}</h4><ul>{rows}</ul>")
    parts.append(_ticks(scale))
    if apart:
        parts.append(f'<h4>{APART}</h4><ul class="answers">{"".join(map(_answer, apart))}</ul>')
    return "\n".join([*parts, f"<figcaption>{escape(CAPTION)}</figcaption></figure>"])


def _row(one: Distance, scale: Axis) -> str:
    """One check: its name, its track with all marks, and its value."""
    symbols = "".join(_symbol(kind, scale.place(share)) for kind, share in marks(one, scale))
    track = f'<i class="limit" style="left:{_percent(scale.place(1.0))}"></i>{symbols}'
    shown = WORD if one.failed else escape(number(one.share or 0.0))
    return (
        f'<li class="row {_kind(one)}">{_link(one)}<span class="track" role="img" aria-label="{escape(spoken(one))}" '
        f'title="{escape(spoken(one))}">{track}</span><span class="value">{shown}</span></li>'
    )


def spoken(one: Distance) -> str:
    """The row in words."""
    words = [f"worst value {number(one.share or 0.0)} of the limit"]
    if one.unmeasured:
        words = ["a test failed without a value; see the check below"]
    if one.fault is not None:
        words.append(f"nearest planted fault {number(one.fault)} of the limit")
    if one.missed:
        words.append("a control failed")
    return f"{one.check['title']}: {'; '.join(words)}"


def _answer(one: Distance) -> str:
    """One check without a number."""
    check, kind = one.check, _kind(one)
    said, word = escape(answer(one)), f"{WORD}: " if one.failed else f"{MARKS[check['status']]} "
    controls = f"; controls passed {check['caught']} of {check['controls']}" if kind != "missing" else ""
    shown = f"{word}{said}{controls}"
    return f'<li class="row {kind}">{_link(one)}<span class="said">{shown}</span></li>'


def _kind(one: Distance) -> str:
    return "failed" if one.failed else KINDS[one.check["status"]]


def _link(one: Distance) -> str:
    return f'<a href="#check-{one.check["number"]}">{one.check["number"]} {escape(one.check["title"])}</a>'


def _symbol(kind: str, place: float | None = None) -> str:
    where = "" if place is None else f' style="left:{_percent(place)}"'
    return f'<svg class="{kind}" viewBox="-7 -7 14 14" aria-hidden="true"{where}>{SHAPES[kind]}</svg>'


def _ticks(scale: Axis) -> str:
    """The labels of the axis."""
    names = {power: f"10<sup>{power}</sup>" if power else "limit" for power in scale.ticks}
    labels = "".join(
        f'<span style="left:{_percent(scale.place(10.0**power))}">{name}</span>' for power, name in names.items()
    )
    track = f'<span class="track">{labels}</span>'
    return f'<div class="row axis" aria-hidden="true"><span></span>{track}<span class="value">{HEAD}</span></div>'


def _percent(place: float) -> str:
    return f"{100 * place:.2f}%"
