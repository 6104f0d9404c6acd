"""The mutation record: it fits this code, few mutants survive, and survivors are explained."""

import json
from collections.abc import Callable

import pytest

from tests import ROOT
from tests.support.report_evidence import Measured
from tests.tools.mutation import BROKEN, MODULES, NOTICED, SURVIVED, TOO_LONG, code_sha256
from tests.tools.mutation_survivors import reason

RECORD = ROOT / "results" / "mutation.json"
MOST = 0.05  # maximum share of survivors, without mutants that change nothing


def judged(content: dict) -> tuple[float, int]:
    assert list(content["files"]) == list(MODULES)
    for file, entry in content["files"].items():
        assert entry["sha256"] == code_sha256(file), f"{file} has changed since: python -m tests.tools.mutation"
        assert entry["tried"] == sum(entry[name] for name in (NOTICED, BROKEN, TOO_LONG, SURVIVED))
    survivors = content["survivors"]
    unexplained = [f"{one['file']}:{one['line']}: {one['after']}" for one in survivors if not reason(one)]
    assert not unexplained, "\n".join(unexplained)
    tried = sum(entry["tried"] for entry in content["files"].values())
    equivalent = sum(reason(one).startswith("equivalent") for one in survivors)
    share = (len(survivors) - equivalent) / (tried - equivalent)
    assert share <= MOST
    return share, tried


def record() -> dict:
    return json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.check(31)
def test_mutants_are_noticed_or_explained(measured: Measured) -> None:
    content = record()
    share, tried = judged(content)
    measured(share, MOST, tried, "0, of the samples")
    survivors = [{**one, "reason": reason(one)} for one in content["survivors"]]
    measured.keep("mutation", {"files": content["files"], "survivors": survivors, "noticed": 1 - share})


def without_a_file(content: dict) -> None:
    del content["files"][MODULES[-1]]


def of_other_code(content: dict) -> None:
    content["files"][MODULES[0]]["sha256"] = "0"


def unexplained(content: dict) -> None:
    content["survivors"].append({**content["survivors"][0], "after": "x = 1"})


def too_many(content: dict) -> None:
    content["survivors"] += [next(one for one in content["survivors"] if not reason(one).startswith("equi"))] * 50


@pytest.mark.check(31, control=True)
@pytest.mark.parametrize("change", [without_a_file, of_other_code, unexplained, too_many], ids=lambda f: f.__name__)
def test_control_another_record_is_refused(change: Callable[[dict], None]) -> None:
    content = record()
    change(content)
    with pytest.raises(AssertionError):
        judged(content)
