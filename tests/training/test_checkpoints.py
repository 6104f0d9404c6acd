"""Checkpoints are whole or absent, checked and safe to read; the last two stay."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from delayprop.fast.train import main
from delayprop.fast.training import checkpoints
from delayprop.fast.training.checkpoints import (
    FORMAT,
    HALF,
    Checkpoints,
    DamagedError,
    checkpoints_in,
    decoded,
    digest,
    encoded,
)
from delayprop.fast.training.engine import CheckpointKeeper
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import LOG, Folder
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.commands import result_of
from tests.support.forking import called
from tests.support.runs.reading import Capture, Patch, calls, refusal
from tests.support.runs.short_runs import SETTINGS, Make, classification, run, sequence
from tests.support.runs.short_runs import killed as killed_run


def state(step: int) -> dict:
    return {"step": step, "d": torch.tensor([0.1, 1e-300, -0.0, 12.184172], dtype=torch.float64), "names": ["w", "d"]}


def killed(kind: str, kills: int, folder: Path) -> dict:
    return result_of(called("tests.support.runs.children:killed_while_saving", kind, kills, folder))


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.full)])
def test_kills_while_saving_lose_nothing(kills: int, tmp_path: Path) -> None:
    """Kills between the first byte and the last leave a file under another name."""
    found = killed("whole", kills, tmp_path)
    assert found["lost"] == 0 and found["half_written"] > 0 and found["last"] > 0
    (tmp_path / "other").mkdir()
    assert killed("in-place", 60, tmp_path / "other")["lost"] > 0, "control: a writer in place loses some"


def test_the_order_of_a_save(tmp_path: Path, monkeypatch: Patch) -> None:
    seen: list[str] = []
    calls(monkeypatch, os, "fsync", lambda file: seen.append(
        "fsync folder" if os.path.isdir(f"/dev/fd/{file}") else "fsync file"
    ))
    calls(monkeypatch, os, "replace", lambda *paths: seen.append(f"replace {paths[0].name} {paths[1].name}"))
    Checkpoints(tmp_path).save(7, state(7))
    name = "checkpoint-000000007.pt"
    assert seen == ["fsync file", f"replace .{name}{HALF} {name}", "fsync folder"]


def test_a_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    with pytest.raises(SpecError, match="`--resume` must be given with the --out of a run that has a checkpoint"):
        kept.load()
    kept.save(3, state(3))
    found, wrong = kept.load()
    assert wrong == [] and digest(found) == digest(state(3))
    assert torch.signbit(found["d"][2]) and digest(found) != digest(state(4))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (1, 5, 9, 12):
        kept.save(step, state(step))
    assert listed(tmp_path) == ["checkpoint-000000009.pt", "checkpoint-000000012.pt"]


def test_a_copy_of_a_checkpoint_is_neither_removed_nor_resumed(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    first = kept.save(1, state(1)).read_bytes()
    copies = [f"checkpoint-{name}.pt" for name in ("backup", "000000001-copy", "1", "00000000a", "٠٠٠٠٠٠٠٠٩")]
    for name in copies:
        (tmp_path / name).write_bytes(first)
    for step in (2, 999_999_999, 1_000_000_000):
        kept.save(step, state(step))
    assert listed(tmp_path) == sorted([*copies, "checkpoint-999999999.pt", "checkpoint-1000000000.pt"])
    found, wrong = kept.load()
    assert found["step"] == 1_000_000_000 and wrong == []


def test_a_checkpoint_stays_beside_newer_ones_that_are_damaged(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (7, 8, 9):
        (tmp_path / f"checkpoint-{step:09d}.pt").write_bytes(b"")
    kept.save(5, state(5))
    found, wrong = kept.load()
    assert found["step"] == 5 and len(wrong) == 3


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = [f".checkpoint-000000002.pt{HALF}", ".mine.half", "mine.txt", ".checkpoint-000000002.pt"]
    for name in names:
        (tmp_path / name).write_text("x")
    Checkpoints(tmp_path)
    assert listed(tmp_path) == sorted(names[1:])


@pytest.mark.parametrize("sixteenth", range(16))
def test_a_truncated_newest_is_left_out_by_name(sixteenth: int, tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(1, state(1))
    newest = kept.save(2, state(2))
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) * sixteenth // 16])
    found, wrong = kept.load()
    assert found["step"] == 1 and len(wrong) == 1 and newest.name in wrong[0]


def test_one_byte_that_flips_is_seen(tmp_path: Path) -> None:
    content = bytearray(encoded(state(1)))
    for place in (3, len(content) // 3, len(content) - 1):
        content[place] ^= 1
        with pytest.raises(DamagedError):
            decoded(bytes(content))
        content[place] ^= 1
    assert digest(decoded(bytes(content))) == digest(state(1))


class Touch(str):
    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self),)


@pytest.mark.parametrize("known", [False, True])
def test_nothing_in_a_file_is_run(known: bool, tmp_path: Path, monkeypatch: Patch) -> None:
    """This holds even if the first line is right, and by two guards: names of a list, and torch."""
    content = encoded({"step": Touch(tmp_path / "touched")})
    if known:
        monkeypatch.setattr(checkpoints, "GLOBALS", {*checkpoints.GLOBALS, "posix mkdir"})
    reason = "UnpicklingError" if known else "posix mkdir"
    with pytest.raises(DamagedError, match=rf"not tensors and plain values \({reason}\)"):
        decoded(content)
    assert not (tmp_path / "touched").exists()


def test_files_of_each_format_are_read_or_refused_with_a_hint() -> None:
    stored = ROOT / "tests" / "training" / "stored"
    kept = decoded((stored / "checkpoint-format-3.pt").read_bytes())
    assert digest(kept["training"]) == "26f3d4bc739520b52fdc549bcbf433b52be2634e0a173cc02a1f869f1032cc2a"
    network = Classifier(4, 3, replace(SETTINGS, epochs=1), torch.float32, 0)
    network.load_state_dict(kept["training"]["network"])
    assert digest(network.state_dict()) == digest(kept["training"]["network"])
    other = encoded(state(1)).replace(FORMAT.encode(), b"delayprop-checkpoint/9", 1)
    for number, content in ((1, (stored / "checkpoint-format-1.pt").read_bytes()), (9, other)):
        with pytest.raises(DamagedError, match=rf"checkpoint/{number}; this version reads .*: go on with the version"):
            decoded(content)


Change = Callable[[dict], Any]
CONTENT: dict[str, tuple[Change, str]] = {
    "a list": (lambda state: [state], "it has no training"),
    "no training": (lambda state: {"step": 6}, "it has no training"),
    "no step": (lambda state: {"training": state["training"]}, "its step is None of 12"),
    "a step beyond the end": (lambda state: state | {"step": 13}, "its step is 13 of 12"),
    "another network": (
        lambda state: changed(state, "network", {"out.w": torch.ones(6, 3)}), "Error.* loading state.* Missing key",
    ),
    "no moments": (lambda state: changed(state, "optimiser", {"param_groups": []}), "different number of .* groups"),
    "sums of another version": (lambda state: changed(state, "epoch", {"more": 1.0}), "unexpected keyword argument"),
}


def changed(content: dict, name: str, to: Any) -> dict:
    return {**content, "training": {**content["training"], name: to}}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("killed")
    killed_run(classification(), 6, folder)
    return encoded(Checkpoints(folder).load()[0])


@pytest.mark.parametrize(("wrong", "words"), CONTENT.values(), ids=CONTENT.keys())
def test_a_checkpoint_of_another_run_is_skipped(
    wrong: Change, words: str, content: bytes, tmp_path: Path, capsys: Capture
) -> None:
    """With a right checksum; the run goes on from the checkpoint before, to the bit."""
    own = Checkpoints(tmp_path)
    for step, state in ((5, {**decoded(content), "step": 5}), (6, wrong(decoded(content)))):
        own.save(step, state)
    resumed = classification()
    assert CheckpointKeeper(resumed, Folder(tmp_path), Processes()).resume() == 5
    warning, said = capsys.readouterr().out.splitlines()
    named = r"warning: skipped, damaged: checkpoint-000000006.pt \(not of this run: "
    assert re.match(f"{named}.*{words}", warning), warning
    assert said == "resumed after step 5 of 12"
    assert digest(resumed.state()) == digest(decoded(content)["training"])


@pytest.mark.parametrize("make", [classification, sequence])
def test_a_run_without_a_checkpoint_that_fits_is_refused(make: Make, tmp_path: Path) -> None:
    killed_run(make(), 6, tmp_path)
    for path in checkpoints_in(tmp_path).values():
        path.write_bytes(encoded({"step": -1, "training": {}}))
    with pytest.raises(SpecError, match=r"got damaged ones; start a new run .*damaged: .*its step is -1"):
        run(make(), tmp_path, resume=True)


HEAD, BODY = encoded({"step": 1}).split(b"\n", 1)
HEADS = {
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "deep nesting within": b'{"bytes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    **{f"{bytes_} bytes": re.sub(rb'"bytes": \d+', f'"bytes": {bytes_}'.encode(), HEAD)
       for bytes_ in ("Infinity", "NaN", "-1")},
    "no bytes": HEAD.replace(b'"bytes"', b'"size"'), "a list": b"[1]", "a number": b"1", "nothing": b"",
}


def doubled(levels: int) -> list:
    """A list of 2 to the power of `levels` lists, of which few are stored."""
    found: list = []
    for _ in range(levels):
        found = [found, found]
    return found


def test_numbers_that_share_their_places_are_damage() -> None:
    with pytest.raises(DamagedError, match=r"numbers that share their places, in a tensor of shape \[3\]"):
        decoded(encoded({"training": [{"d": torch.zeros(1).expand(3)}]}))


def test_a_state_larger_than_its_file_is_damage() -> None:
    whole = torch.zeros(1000)
    decoded(encoded({"places": [whole] * 3}))
    for state in ({"places": [whole] * 9}, {"places": doubled(40)}):
        with pytest.raises(DamagedError, match="more memory than its length explains"):
            decoded(encoded(state))


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_first_line_that_is_none_is_damage(head: bytes) -> None:
    with pytest.raises(DamagedError, match=r"first line is damaged|of -1 bytes"):
        decoded(head + b"\n" + BODY)


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    words = ["--task", "sequence", "--epochs", "3", "--out", str(tmp_path)]
    main(words)
    for path in checkpoints_in(tmp_path).values():
        path.write_bytes(encoded({"step": 1, "training": {"layer": 3}}))
    log = (tmp_path / LOG).read_bytes()
    assert "damaged: checkpoint-000000003.pt (not of this run: " in refusal(capsys, main, *words, "--resume")
    assert (tmp_path / LOG).read_bytes() == log and (tmp_path / "result.json").exists(), "nothing was changed"
