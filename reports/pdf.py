"""The report as a PDF: the checks as text, then a page per figure."""

import textwrap
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from reports.page import FAULTS, FIGURES, FIRST, pictures, verdict
from reports.record import Verification
from reports.wording import MARKS, number

A4 = (8.27, 11.69)  # inches
WIDTH, LINES = 100, 70  # of a page of text, characters


def save_pdf(record: Verification, path: Path) -> None:
    """Write the file.

    Raises:
        OSError: the file is not writable.
    """
    lines = _lines(record)
    with matplotlib.rc_context({"font.size": 9.0}), PdfPages(path, metadata={"CreationDate": None}) as pages:
        for start in range(0, len(lines), LINES):
            figure, part = Figure(figsize=A4), "\n".join(lines[start : start + LINES])
            figure.text(0.08, 0.95, part, va="top", family="monospace", fontsize=7.5, linespacing=1.5)
            pages.savefig(figure)
        shown = pictures(record, {**FIRST, **FIGURES, **FAULTS})
        for picture in shown:
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
