"""The grades of other simulators in the conformance kit, from `results/conformance.json`.

`examples/conformance/grades.py` writes this file; the adapter of a system describes it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from delayprop.fast.data.records import RecordError
from delayprop.fast.drawing.markup import heading, note, table, text

FORMAT = "conformance-grades/1"
REMEDY = "make it with `python examples/conformance/grades.py`"
COLUMNS = {"spikes": "spikes", "loss": "loss", "w": "by w", "d": "by d", "constants": "by constants"}
SPLITS = {"w": ("one layer", "hidden layers"), "d": ("delays off the grid", "delays in whole ms")}
"""Capabilities that separate the cases of a gradient: layers for weights, grids for delays."""
NOT_OFFERED = "not offered"
INTRODUCTION = (
    "The conformance kit asks a simulator for the results of small networks that are known to many digits, and counts "
    "the right digits. Here it graded programs that people use, through the adapters in examples/conformance, which "
    "may be copied. Systems have different purposes: no grade counts a quantity that a system does not offer, a time "
    "grid is an approximation by choice, and a surrogate gradient is another quantity than the derivative."
)
LEGEND = (
    "Each cell: right digits of the worst block of all cases offered, in brackets of the median case; the grade; "
    "where not all cases were offered, their number; and the number of cases in which some neuron had too many or too "
    "few spikes, so that no digits are given."
)


def peers(content: Mapping[str, Any]) -> list[str]:
    """The chapter of the page: a table of all systems, and a paragraph per system.

    Raises:
        RecordError: the record is of another format, or has no system.
    """
    if content.get("format") != FORMAT:
        raise RecordError("conformance.json format", repr(FORMAT), repr(content.get("format")), REMEDY)
    systems = content.get("systems")
    if not isinstance(systems, list) or not systems:
        raise RecordError("conformance.json systems", "a list of at least one system", repr(systems), REMEDY)
    rows = [[one["name"], *(shown(one, name) for name in COLUMNS)] for one in systems]
    parts = [heading("Grades of other simulators"), text(INTRODUCTION), table(("", *COLUMNS.values()), rows)]
    parts.append(note(LEGEND))
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
        kind: the quantity that the system computes instead on purpose; shown in place of "wrong".
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
    """The findings on a system beyond the table, a sentence each."""
    cases = one["cases"]
    yield f"Cases: {cases['answered']} of {cases['all']} answered."
    for key, words in (("not_offered", "Refused"), ("failed", "Failed")):
        if cases[key]:
            yield f"{words}: {'; '.join(grouped(cases[key]))}."
    for name, needs in SPLITS.items():
        summary = one["quantities"].get(name)
        if summary is None or summary["digits"] is None or summary["grade"] not in ("approximate", "wrong"):
            continue
        cosine = summary.get("cosine")
        direction = "" if cosine is None else f"; cosine with the right one {cosine:.2f} in the median case"
        few = f"less than one digit in {summary['below']} of {summary['graded']} cases"
        yield f"Gradient {COLUMNS[name]}: {few}, worst in {summary['worst_case']}{direction}."
        for need in needs:
            part = one["capabilities"].get(need, {"quantities": {}})["quantities"].get(name)
            if part is not None and part["digits"] is not None:
                median = f"{part['median']:.1f} in the median case"
                yield f"{need.capitalize()}: {part['digits']:.1f} digits at worst, {median}."


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """Cases by reason."""
    cases: dict[str, list[str]] = {}
    for case, reason in reasons.items():
        cases.setdefault(reason, []).append(case)
    return [f"{reason} ({', '.join(names)})" for reason, names in cases.items()]
