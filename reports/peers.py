"""How other simulators fare in the conformance kit, from `results/conformance.json`.

That is written by `examples/conformance/grades.py`; what is said of a system there comes from its adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fast.drawing.markup import heading, note, table, text
from fast.drawing.records import RecordError

FORMAT = "conformance-grades/1"
REMEDY = "make it with `python examples/conformance/grades.py`"
COLUMNS = {"spikes": "spikes", "loss": "loss", "w": "by w", "d": "by d", "constants": "by constants"}
SPLITS = {"w": ("one layer", "hidden layers"), "d": ("delays off the grid", "delays in whole ms")}
NOT_OFFERED = "not offered"
SAID = (
    "The conformance kit asks a simulator for the results of small networks that are known to many digits, and counts "
    "how many are right. Here it was given to programs that people use, through adapters that lie in "
    "examples/conformance and may be copied. Systems differ in what they are for: what one does not offer it is not "
    "blamed for, a time grid is an approximation by choice, and a surrogate gradient is another quantity than the "
    "derivative, on purpose."
)
LEGEND = (
    "In each cell: right digits of the worst block of all cases that were offered, in brackets those of the median "
    "case; the grade; in how many of the cases that have such a quantity it was offered, where not in all; and in how "
    "many of these some neuron had more spikes than it should, or fewer, so that no digits are given."
)


def peers(content: Mapping[str, Any]) -> list[str]:
    """The chapter of the page: a table of all systems, and a paragraph on each.

    Raises:
        RecordError: the record is of another format, or has no system.
    """
    if content.get("format") != FORMAT:
        raise RecordError("conformance.json format", repr(FORMAT), repr(content.get("format")), REMEDY)
    systems = content.get("systems")
    if not isinstance(systems, list) or not systems:
        raise RecordError("conformance.json systems", "a list of at least one system", repr(systems), REMEDY)
    rows = [[one["name"], *(shown(one, name) for name in COLUMNS)] for one in systems]
    parts = [heading("How others fare"), text(SAID), table(("", *COLUMNS.values()), rows), note(LEGEND)]
    for one in systems:
        parts.append(f"<h3>{escape(one['name'])}</h3>")
        parts += [text(f"{one['system']} ({one['version']}). {one['settings']}."), text(one["note"])]
        parts.append(note(" ".join(found(one))))
    return [*parts, note(f"Graded on {content['date']}.")]


def shown(one: Mapping[str, Any], name: str) -> str:
    """One cell of the table."""
    return cell(one["quantities"].get(name), one["kinds"].get(name))


def cell(summary: Mapping[str, Any] | None, kind: str | None = None) -> str:
    """One quantity of one system, in words.

    Args:
        kind: what the system computes where that is meant to be something else, which no grade should call wrong.
    """
    if summary is None or not summary["offered"]:
        return NOT_OFFERED
    words = [] if summary["digits"] is None else [f"{summary['digits']:.1f} ({summary['median']:.1f})"]
    words.append(kind if kind is not None and summary["grade"] == "wrong" else summary["grade"])
    if summary["offered"] < summary["cases"]:
        words.append(f"in {summary['offered']} of {summary['cases']}")
    if summary["another_network"]:
        words.append(f"{summary['another_network']} of another network")
    if summary["failed"]:
        words.append(f"{summary['failed']} failed")
    return ", ".join(dict.fromkeys(words))


def found(one: Mapping[str, Any]) -> Iterator[str]:
    """What was measured of a system beyond the table, a sentence each."""
    cases = one["cases"]
    yield f"Cases: {cases['answered']} of {cases['all']} answered."
    for key, words in (("not_offered", "Refused"), ("failed", "Failed")):
        if cases[key]:
            yield f"{words}: {'; '.join(grouped(cases[key]))}."
    for name in SPLITS:
        summary = one["quantities"].get(name)
        if summary is None or summary["digits"] is None:
            continue
        if summary["grade"] in ("approximate", "wrong"):
            few = f"less than one digit in {summary['below']} of {summary['graded']} cases"
            yield f"Gradient {COLUMNS[name]}: {few}, worst in {summary['worst_case']}{direction(summary)}."
            yield from split(one, name)
    near = one["likeness"]
    if near is not None:
        yield f"What is not right is like a known fault: {near['fault']} ({near['what']})."


def direction(summary: Mapping[str, Any]) -> str:
    """How far the gradient points the right way."""
    cosine = summary.get("cosine")
    return "" if cosine is None else f"; cosine with the right one {cosine:.2f} in the median case"


def split(one: Mapping[str, Any], name: str) -> Iterator[str]:
    """The same by what makes the difference: spiking layers between for weights, coincidences and grids for delays."""
    for need in SPLITS[name]:
        summary = one["capabilities"].get(need, {"quantities": {}})["quantities"].get(name)
        if summary is not None and summary["digits"] is not None:
            digits = f"{summary['digits']:.1f} digits at worst, {summary['median']:.1f} in the median case"
            yield f"{need.capitalize()}: {digits}."


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """Cases by reason."""
    cases: dict[str, list[str]] = {}
    for case, reason in reasons.items():
        cases.setdefault(reason, []).append(case)
    return [f"{reason} ({', '.join(names)})" for reason, names in cases.items()]
