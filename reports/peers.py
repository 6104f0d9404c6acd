"""The grades of other simulators in the conformance kit, from `results/conformance.json`.

`examples/conformance/grades.py` writes this file; the adapter of a system describes it there.
"""

from collections.abc import Mapping
from typing import Any

from delayprop.fast.data.records import RecordError
from reports.wording import TEMPLATES

FORMAT = "conformance-grades/2"
REMEDY = "make it with `python examples/conformance/grades.py`"
COLUMNS = {"spikes": "spikes", "loss": "loss", "w": "by w", "d": "by d", "constants": "by constants"}
SPLITS = {"w": ("one layer", "hidden layers"), "d": ("delays off the grid", "delays in whole ms")}
"""Capabilities that separate the cases of a gradient: layers for weights, grids for delays."""
NOT_OFFERED = "not offered"


def peers(content: Mapping[str, Any]) -> str:
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
    return TEMPLATES.get_template("peers.html").render(
        systems=systems, head=("", *COLUMNS.values()), rows=rows, columns=COLUMNS, splits=SPLITS, date=content["date"],
    )


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
