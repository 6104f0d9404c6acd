"""The page, and the PDF (the checks as text, then a page per figure), all from the record."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from delayprop.derivations.paper import ERRATA
from delayprop.fast.drawing.pages import page
from reports import figures
from reports.derivation import chapters, claims
from reports.distances import distance_rows
from reports.record import GREEN, MARKS, NOT_RUN, RED, TEMPLATES, Found, Verification, number

A4 = (8.27, 11.69)  # inches
WIDTH, LINES = 100, 70  # of a page of text, characters


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when a page needs it."""

    name: str
    draw: Callable[[Found], Figure]  # from the data; its docstring is the caption

    @property
    def caption(self) -> str:
        return " ".join((self.draw.__doc__ or "").split())

    def drawn(self, found: Found) -> Figure:
        figure = self.draw(found)
        figure.tight_layout()
        return figure


FIGURES = {
    "adjoint": Picture("A small network forwards and backwards", figures.adjoint),
    "taylor": Picture("Taylor remainders", figures.taylor),
    "identities": Picture("Residuals of the identities", figures.identities),
    "float32": Picture("Errors", figures.errors),
    "grazing": Picture("Grazing", figures.grazing),
    "delay path": Picture("Learning of delays, certified step by step", figures.delay_path),
    "faults": Picture("Which check finds which fault", figures.faults),
}


def html(record: Verification, grid: dict[str, Any] | None = None) -> str:
    """The page; it depends on the records and the modules of proofs alone, to the byte. `grid`: the
    record of the study of time grids; without it there is no chapter of it."""
    proofs = {entry["tag"]: entry["residuals"] for entry in record.figures.get("proofs", [])}
    return page(
        TEMPLATES, "report.html", record=record, verdict=verdict(record), distance_rows=distance_rows,
        pictures=pictures(record), grid=grid, chapters=chapters(proofs), claims=claims(), errata=ERRATA,
    )


def verdict(record: Verification) -> str:
    green, red, missing = (record.count(status) for status in (GREEN, RED, NOT_RUN))
    look = "" if record.about["effort"] == "full" else "A quick look, which is no evidence: "
    of = f"{look}{green} of {len(record.checks)} checks are green"
    return of + (f", {red} RED" if red else "") + (f", {missing} did not run here" if missing else "")


def pictures(record: Verification) -> dict[str, Picture]:
    """The figures that the record has data for, by the name of the data."""
    return {name: picture for name, picture in FIGURES.items() if record.figures.get(name)}


def save_pdf(record: Verification, path: Path) -> None:
    """Write the PDF; `OSError`: the file is not writable."""
    lines = _lines(record)
    with matplotlib.rc_context({"font.size": 9.0}), PdfPages(path, metadata={"CreationDate": None}) as pages:
        for start in range(0, len(lines), LINES):
            figure, part = Figure(figsize=A4), "\n".join(lines[start : start + LINES])
            figure.text(0.08, 0.95, part, va="top", family="monospace", fontsize=7.5, linespacing=1.5)
            pages.savefig(figure)
        for picture in pictures(record).values():
            figure = picture.drawn(record.figures)
            figure.text(0.02, -0.02, textwrap.fill(picture.caption, 110), va="top", fontsize=8, color="0.3")
            pages.savefig(figure, bbox_inches="tight", pad_inches=0.4)


def _lines(record: Verification) -> list[str]:
    about = record.about
    made = f"{verdict(record)}. Made {about['made']}, commit {about['commit']}."
    found = ["delayprop: verification report", *textwrap.wrap(made, WIDTH), ""]
    for check in record.checks:
        worst = "" if check["worst"] is None else f"worst {number(check['worst'])} of {number(check['limit'])}, "
        counted = f"{check['cases']} cases, controls {check['caught']} of {check['controls']}"
        found.append(f"{check['number']:2d} {check['title']}: {MARKS[check['status']]} {check['status']}")
        found += textwrap.wrap(f"   {check['criterion']}; {worst}{counted}", WIDTH, subsequent_indent="   ")
    return found
