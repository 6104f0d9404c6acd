"""The page, from the record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from delayprop.derivations.paper import ERRATA
from delayprop.fast.drawing.pages import page
from reports import figures
from reports.derivation import chapters, claims
from reports.distances import distance_rows
from reports.record import GREEN, NOT_RUN, RED, TEMPLATES, Found, Verification


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
