"""The checks of the verification report, from `report_checks.toml`.

A test belongs to a check by the mark `check(number)`, a control by `check(number, control=True)`: a
control plants a fault, and passes only if the check finds it. Tests report their measurements by
the fixture `measured` (`report_evidence.py`).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """A check: its place in the report, its part of the argument, the claim, the bound to meet."""

    number: int
    group: str
    title: str
    shows: str
    criterion: str


_PARTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["group"]
_TEXTS = [(part["name"], texts) for part in _PARTS for texts in part["check"]]
GROUPS = tuple(part["name"] for part in _PARTS)
CHECKS = tuple(Check(number, group, **texts) for number, (group, texts) in enumerate(_TEXTS, start=1))
BY_NUMBER = {check.number: check for check in CHECKS}
