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
    why_of = {name: why.removeprefix("Skipped: ") for name, why in check["wrong"].items()}
    for why, names in grouped(why_of).items():
        yield why if not_run else f"{names[0]}: {why}"
    if not_run and not check["wrong"]:
        yield "No test belongs to it."


def grouped(reasons: dict[str, str]) -> dict[str, list[str]]:
    """Names by reason."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return names


TEMPLATES = templates(Path(__file__).with_name("templates"))
TEMPLATES.filters |= {"number": number, "mark": MARKS.__getitem__, "grouped": grouped, "reasons": reasons}
