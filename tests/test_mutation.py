"""The record of mutation testing: it is of the code that is here, enough was noticed, and survivors are explained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.evidence import Measured
from tests.mutation_survivors import reason
from tests.planting import ROOT

RECORD = ROOT / "results" / "mutation.json"
NOTICED = 0.95
"""The share of mutants that the checks must notice, those left out that change nothing."""


def record() -> dict:
    return json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.check(31)
def test_enough_mutants_are_noticed_and_every_survivor_has_a_reason(measured: Measured) -> None:
    files, survivors = record()["files"], record()["survivors"]
    for file, entry in files.items():
        now = hashlib.sha256((ROOT / file).read_bytes()).hexdigest()
        assert entry["sha256"] == now, f"{file} has changed since: python -m tests.mutation"
    unexplained = [f"{one['file']}:{one['line']}: {one['after']}" for one in survivors if not reason(one)]
    assert not unexplained, "\n".join(unexplained)
    tried = sum(entry["tried"] for entry in files.values())
    counted = [one for one in survivors if not reason(one).startswith("equivalent")]
    equivalent = len(survivors) - len(counted)
    share = 1 - len(counted) / (tried - equivalent)
    print(f"{tried} mutants, {equivalent} change nothing, {len(counted)} others survive: {share:.1%} noticed")
    measured(len(counted) / (tried - equivalent), 1 - NOTICED, tried)
    measured.keep("mutation", {
        "files": files, "survivors": [{**one, "reason": reason(one)} for one in survivors], "noticed": share,
    })  # fmt: skip
    assert share >= NOTICED


@pytest.mark.check(31, control=True)
def test_control_a_survivor_that_nobody_has_looked_at_has_no_reason() -> None:
    assert not reason({"file": "fast/adjoint.py", "before": "x = 1 + y", "after": "x = 1 - y", "line": 1})


def test_all_adjoint_files_are_in_the_record() -> None:
    from tests.mutation import MODULES

    assert list(record()["files"]) == list(MODULES)
    assert all((ROOT / file).is_file() for file in MODULES) and Path(RECORD).stat().st_size < 500_000
