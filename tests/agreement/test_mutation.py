"""The mutation record: it has all files, few mutants survive, and survivors are explained."""

import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from delayprop.fast.training.intervals import wilson_interval
from tests import ROOT
from tests.support.forking import called
from tests.support.report_evidence import Measured
from tests.tools import mutation
from tests.tools.mutation import BROKEN, NOTICED, ROOMS, SURVIVED, TOO_LONG, Mutant

REASONS = {
    (file, after): entry["reason"]
    for entry in tomllib.loads((ROOT / "tests/tools/mutation_survivors.toml").read_text(encoding="utf-8"))["survivors"]
    for file, lines in entry["mutants"].items()
    for after in lines
}
JUDGED = ("reference", "physics", "cpu", "cuda", "nn", "training")
MOST = 0.05  # largest share of survivors, without mutants that change nothing
WIDEST = 0.03  # of the 95 % interval of a room's share, to either side; a wider one is reported alone


def reason(mutant: Mapping[str, str]) -> str:
    """The reason of a survivor, or ""."""
    return REASONS.get((mutant["file"], mutant["after"]), "")


def judged(content: dict) -> dict[str, dict[str, float]]:
    """Of each room: the mutants tried, those that broke off, and the share of the others that
    survived, with its interval. Asserts a whole record, and few survivors: of all mutants tried,
    and of each room whose share is known."""
    assert [file for room in JUDGED for file in ROOMS[room] if file not in content["files"]] == []
    for file, entry in content["files"].items():
        assert entry["mutants"] >= entry["tried"] == sum(entry[n] for n in (NOTICED, BROKEN, TOO_LONG, SURVIVED))
        assert entry[SURVIVED] == sum(one["file"] == file for one in content["survivors"]), f"{file}: listed in part"
    survivors = content["survivors"]
    unexplained = [f"{one['file']}:{one['line']}: {one['after']}" for one in survivors if not reason(one)]
    assert not unexplained, "\n".join(unexplained)
    assert REASONS.keys() <= {(one["file"], one["after"]) for one in survivors}, "a reason of a mutant that is found"
    found, alive, all_ran = {}, 0, 0
    for room in JUDGED:
        files = ROOMS[room]
        entries, own = [content["files"][file] for file in files], [one for one in survivors if one["file"] in files]
        tried, every = (sum(entry[name] for entry in entries) for name in ("tried", "mutants"))
        equivalent = sum(reason(one).startswith("equivalent") for one in own)
        broke = sum(entry[BROKEN] + entry[TOO_LONG] for entry in entries)
        survived, ran = len(own) - equivalent, tried - equivalent - broke
        alive, all_ran = alive + survived, all_ran + ran
        low, high = wilson_interval(survived, ran)
        known = tried == every or (high - low) / 2 <= WIDEST
        assert low <= MOST and (not known or survived / ran <= MOST), f"{room}: {survived} of {ran} survived"
        found[room] = {
            "tried": tried, "of": every, "broke off": broke, "judged": known,
            "survived": survived / ran, "low": low, "high": high,
        }
    assert alive / all_ran <= MOST, f"of all rooms together {alive} of {all_ran} survived"
    return found


def record() -> dict:
    return json.loads((ROOT / "results/mutation.json").read_text(encoding="utf-8"))


@pytest.mark.check(31)
def test_mutants_are_noticed_or_explained(measured: Measured) -> None:
    content = record()
    rooms = judged(content)
    known = [one for one in rooms.values() if one["judged"]]
    assert known
    measured(max(one["survived"] for one in known), MOST, sum(int(one["tried"]) for one in known), "0, of the samples")
    survivors = [{**one, "reason": reason(one)} for one in content["survivors"]]
    measured.keep("mutation", {"files": content["files"], "survivors": survivors, "rooms": rooms})


def many_survive(content: dict) -> None:
    """As if most mutants of the reference that were found had survived."""
    own = [one for one in content["survivors"] if one["file"].startswith("reference")]
    one = next(one for one in own if not reason(one).startswith("equivalent"))
    entry = content["files"][one["file"]]
    content["survivors"] += [one] * entry[NOTICED]
    entry[SURVIVED], entry[NOTICED] = entry[SURVIVED] + entry[NOTICED], 0


CHANGES: dict[str, Callable[[dict], object]] = {
    "without a file": lambda content: content["files"].pop(ROOMS["cuda"][-1]),
    "unexplained": lambda content: content["survivors"][0].update(after="x = 1"),
    "many survive": many_survive,
}


@pytest.mark.check(31, control=True)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_control_another_record_is_refused(change: Callable[[dict], object]) -> None:
    content = record()
    change(content)
    with pytest.raises(AssertionError):
        judged(content)


def with_two_mutants(*words: str) -> None:
    """The command, with two mutants per file of which it finds one; it changes the environment."""
    mutation.mutants = lambda file: ((Mutant(file, name, 0, 7, "a", name), "") for name in ("found", "left"))
    mutation.outcome = lambda mutant, *_: (NOTICED if mutant.after == "found" else SURVIVED, "")
    mutation.gathered = lambda more: b""
    sys.argv[1:] = words
    mutation.main()


@pytest.mark.full
def test_the_command_writes_a_record(tmp_path: Path) -> None:
    """Of one file of a room, and of a sample of it; the record of the other file stays."""
    out, (one, other) = tmp_path / "mutation.json", ROOMS["reference"]
    for words, tried in ((), 2), (("--file", one), 2), (("--sample", "1", "--file", one), 1):
        done = called(f"{__name__}:with_two_mutants", *words, "--out", out, "reference")
        assert done.returncode == 0, done.stderr
        record = json.loads(out.read_text(encoding="utf-8"))
        assert {file: entry["tried"] for file, entry in record["files"].items()} == {one: tried, other: 2}
        left = [mutant["file"] for mutant in record["survivors"]]
        assert left.count(other) == 1 and left.count(one) == record["files"][one][SURVIVED]
