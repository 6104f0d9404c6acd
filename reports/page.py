"""The page: the checks, their measurements, and the limits, all from the record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from delayprop.derivations.errata import ERRATA
from delayprop.fast.drawing.pages import page
from reports import figures
from reports.derivation import chapters, claims
from reports.distances import distance_rows
from reports.figure_adjoint import adjoint
from reports.record import GREEN, NOT_RUN, RED, Found, Verification
from reports.wording import TEMPLATES


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when a page needs it.

    Attributes:
        draw: makes it from the data; its docstring is the caption.
    """

    name: str
    draw: Callable[[Found], Figure]

    @property
    def caption(self) -> str:
        """The caption in one line."""
        return " ".join((self.draw.__doc__ or "").split())

    def drawn(self, found: Found) -> Figure:
        """The figure."""
        figure = self.draw(found)
        figure.tight_layout()
        return figure


FIRST = {"adjoint": Picture("A small network forwards and backwards", adjoint)}
FIGURES = {
    "taylor": Picture("Taylor remainders", figures.taylor),
    "identities": Picture("Residuals of the identities", figures.identities),
    "float32": Picture("Errors", figures.errors),
    "grazing": Picture("Grazing", figures.grazing),
    "delay path": Picture("Learning of delays, certified step by step", figures.delay_path),
}
FAULTS = {"faults": Picture("Which check finds which fault", figures.faults)}


def html(record: Verification, grid: dict[str, Any] | None = None) -> str:
    """The page; it depends on the records and the modules of proofs alone, to the byte.

    Args:
        grid: the record of the study of time grids; without it there is no chapter of it.
    """
    proofs = {entry["tag"]: entry["residuals"] for entry in record.figures.get("proofs", [])}
    return page(
        TEMPLATES, "report.html", record=record, verdict=verdict(record), distance_rows=distance_rows,
        first=pictures(record, FIRST), findings=pictures(record, FIGURES), faults=FAULTS["faults"],
        grid=grid,
        chapters=chapters(proofs), claims=claims(), errata=ERRATA,
    )


def verdict(record: Verification) -> str:
    """The verdict, one sentence."""
    green, red, missing = (record.count(status) for status in (GREEN, RED, NOT_RUN))
    look = "" if record.about["effort"] == "full" else "A quick look, which is no evidence: "
    of = f"{look}{green} of {len(record.checks)} checks are green"
    return of + (f", {red} RED" if red else "") + (f", {missing} did not run here" if missing else "")


def pictures(record: Verification, drawn: Mapping[str, Picture]) -> list[Picture]:
    """The figures that the record has data for."""
    return [picture for name, picture in drawn.items() if record.figures.get(name)]
