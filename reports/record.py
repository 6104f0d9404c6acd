"""`verification.json`: the measurements of the tests, check by check; and their words in print.

Its seal is a SHA-256 over the rest: a record is whole, as the tests wrote it, or it is refused.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delayprop.fast.data.records import RecordError
from delayprop.fast.drawing.pages import templates

FORMAT = "delayprop-verification/2"
GREEN, RED, NOT_RUN = "green", "red", "not run"
MARKS = {GREEN: "\N{CHECK MARK}", RED: "\N{BALLOT X}", NOT_RUN: "\N{EN DASH}"}

Found = dict[str, list[dict[str, Any]]]  # the data of the figures, by name: a list of entries each


@dataclass(frozen=True)
class Verification:
    """The content of the file."""

    checks: list[dict[str, Any]]  # their records, by number
    figures: Found
    about: dict[str, Any]  # time, environment, commit, and effort

    def count(self, status: str) -> int:
        return sum(check["status"] == status for check in self.checks)


def seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> Verification:
    """Read the file; `RecordError`: the file is missing, damaged, or of another format."""
    name, remedy = path.name, "copy it again, or make it anew: python -m reports"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(name, "a verification record", f"none ({error})", "make one: python -m reports") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = repr(content.get("format")) if isinstance(content, dict) else type(content).__name__
        raise RecordError(f"{name} format", repr(FORMAT), got, remedy)
    if content.pop("seal", None) != seal(content):
        raise RecordError(name, "whole, as the checks wrote it", "a content that its seal does not fit", remedy)
    return Verification(content.pop("checks"), content.pop("figures"), content)


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
