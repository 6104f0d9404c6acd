"""The recorded runs, and the pages that state their figures."""

import json
import statistics
from collections.abc import Sequence
from typing import Any

from delayprop.fast.training.settings import kind_of_delays
from tests import ROOT

SHD = "8197e00d387b5c3d7993aa718325fdb18b8d5323ce8674ad3e5342073e6e244c"
"""The SHA-256 of the training file of SHD in use."""
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORDS = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
PROSE = " ".join(RECORDS.split())


def entries(name: str) -> list[dict[str, Any]]:
    return list(map(json.loads, (ROOT / "results" / name).read_text(encoding="utf-8").splitlines()))


def of_kind(name: str, kind: str) -> list[dict[str, Any]]:
    """The lines with these delays, one per seed from 0 on, with equal settings."""
    runs = [entry for entry in entries(name) if kind_of_delays(entry) == kind]
    assert [entry["seed"] for entry in runs] == list(range(len(runs))), "every seed must be there once"
    assert len({(entry["epochs"], entry["lr"], entry["delay_lr"], entry["network"]) for entry in runs}) == 1
    return runs


def percents(runs: Sequence[dict[str, Any]], split: str = "test") -> list[float]:
    return [100 * entry[f"{split}_accuracy"] for entry in runs]


def spread(found: Sequence[float]) -> str:
    return f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f} %"


def has_row(*cells: str) -> bool:
    return f"\n| {' | '.join(cells)} |\n" in RECORDS


def rounded(value: float) -> str:
    return f"{100 * value:.1f} %"
