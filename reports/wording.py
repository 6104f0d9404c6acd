"""Values of checks in words, and the templates that show them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delayprop.fast.drawing.pages import templates
from reports.record import GREEN, NOT_RUN, RED

MARKS = {GREEN: "\N{CHECK MARK}", RED: "\N{BALLOT X}", NOT_RUN: "\N{EN DASH}"}


def number(value: float) -> str:
    """Two digits; a large number in full, with commas."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def reasons(check: dict[str, Any]) -> Iterator[str]:
    """Why a check is not green: each reason once, with its first test."""
    not_run = check["status"] == NOT_RUN
    first: dict[str, str] = {}
    for name, why in check["wrong"].items():
        first.setdefault(why.removeprefix("Skipped: "), name)
    for why, name in first.items():
        yield why if not_run else f"{name}: {why}"
    if not_run and not first:
        yield "No test belongs to it."


TEMPLATES = templates(Path(__file__).with_name("templates"))
TEMPLATES.filters |= {"number": number, "mark": MARKS.__getitem__, "reasons": reasons}
