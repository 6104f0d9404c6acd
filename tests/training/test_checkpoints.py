"""Checkpoints are whole or absent, checked and safe to read; the last two stay."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from delayprop.fast.data.records import LOG
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
from delayprop.fast.training.run_folder import Folder
from delayprop.spec import SpecError
from tests import ROOT
from tests.support.forking import called
from tests.support.runs.reading import Capture, Patch, calls, refusal
from tests.support.runs.short_runs import SETTINGS, classification, killed

STORED = ROOT / "tests" / "training" / "stored"


def state(step: int) -> dict:
    return {"step": step, "d": torch.tensor([0.1, 1e-300, -0.0, 12.184172], dtype=torch.float64), "names": ["w", "d"]}


def dies_while_saving(kind: str, call: int, folder: Path) -> None:
    done = called("tests.support.runs.children:dies_while_saving", kind, call, folder)
    assert done.returncode < 0, done.stderr


@pytest.mark.parametrize("call", range(4), ids=["within the bytes", "sync", "rename", "sync of the folder"])
def test_a_kill_while_saving_loses_nothing(call: int, tmp_path: Path) -> None:
    """Until it is renamed, the new file has another name. Control: a writer in place loses all."""
    Checkpoints(tmp_path).save(1, state(1))
    dies_while_saving("whole", call, tmp_path)
    assert len(list(tmp_path.glob(f".*{HALF}"))) == (call < 3)
    found, wrong = Checkpoints(tmp_path).load()
    assert wrong == [] and digest(found) == digest(state(1 if call < 3 else 2))
    if not call:
        dies_while_saving("in place", call, tmp_path)
        with pytest.raises(SpecError, match="got damaged ones"):
            Checkpoints(tmp_path).load()


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


def named(*steps: int) -> list[str]:
    return [f"checkpoint-{step:09d}.pt" for step in steps]


COPIES = [f"checkpoint-{name}.pt" for name in ("backup", "000000001-copy", "1", "00000000a", "٠٠٠٠٠٠٠٠٩")]
MINE = [".mine.half", "mine.txt", ".checkpoint-000000002.pt"]
FOLDERS: dict[str, tuple[list[str], tuple[int, ...], list[str]]] = {
    "the last two": ([], (1, 5, 9, 12), named(9, 12)),
    "beside copies": (COPIES, (1, 2, 999_999_999, 1_000_000_000), [*COPIES, *named(999_999_999, 1_000_000_000)]),
    "before damaged ones": (named(7, 8, 9), (5,), named(5, 7, 8, 9)),
    "nothing else of what is half written": ([f".checkpoint-000000002.pt{HALF}", *MINE], (1,), [*MINE, *named(1)]),
}


@pytest.mark.parametrize(("before", "steps", "after"), FOLDERS.values(), ids=FOLDERS.keys())
def test_what_stays_in_a_folder(before: list[str], steps: tuple[int, ...], after: list[str], tmp_path: Path) -> None:
    """Files of others are neither removed nor resumed."""
    for name in before:
        (tmp_path / name).write_text("x")
    kept = Checkpoints(tmp_path)
    for step in steps:
        kept.save(step, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(after)
    found, wrong = kept.load()
    assert found["step"] == max(steps) and len(wrong) == len({*before} & {*named(7, 8, 9)})


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


def test_a_file_of_an_earlier_version_is_read() -> None:
    kept = decoded((STORED / "checkpoint-format-3.pt").read_bytes())
    assert digest(kept["training"]) == "26f3d4bc739520b52fdc549bcbf433b52be2634e0a173cc02a1f869f1032cc2a"
    network = Classifier(4, 3, replace(SETTINGS, epochs=1), torch.float32, 0)
    network.load_state_dict(kept["training"]["network"])
    assert digest(network.state_dict()) == digest(kept["training"]["network"])


Damage = Callable[[dict], bytes]


def cut(sixteenth: int) -> Damage:
    return lambda good: encoded(good)[: len(encoded(good)) * sixteenth // 16]


def flipped(share: float) -> Damage:
    def change(good: dict) -> bytes:
        content = bytearray(encoded(good))
        content[int(share * (len(content) - 1))] ^= 1
        return bytes(content)

    return change


def headed(head: Callable[[bytes], bytes]) -> Damage:
    """Another first line, made from the right one."""
    def change(good: dict) -> bytes:
        line, body = encoded(good).split(b"\n", 1)
        return head(line) + b"\n" + body

    return change


def of_bytes(number: str) -> Damage:
    return headed(lambda line: re.sub(rb'"bytes": \d+', f'"bytes": {number}'.encode(), line))


def holding(change: Callable[[dict], Any]) -> Damage:
    """A file with a right checksum and another state."""
    return lambda good: encoded(change(good))


def of_training(**entries: Any) -> Damage:
    return holding(lambda good: {**good, "training": {**good["training"], **entries}})


def doubled(levels: int) -> list:
    """A list of 2 to the power of `levels` lists, of which few are stored."""
    found: list = []
    for _ in range(levels):
        found = [found, found]
    return found


DEEP = b"[" * 100_000 + b"]" * 100_000
HEAD, MEMORY = "first line is damaged", "more memory than its length explains"
OTHER, FORMATS = "not of this run: ", r"checkpoint/{}; this version reads .*: go on with the version"
DAMAGED: dict[str, tuple[Damage, str]] = {
    **{f"cut at {n} of 16": (cut(n), r"first line is damaged|\d of \d+ bytes") for n in range(16)},
    **{f"a bit at {share}": (flipped(share), "damaged|checksum is wrong|of format") for share in (1e-5, 0.3, 1.0)},
    "deep nesting": (headed(lambda line: DEEP), HEAD),
    "deep nesting within": (headed(lambda line: b'{"bytes": ' + DEEP + b"}"), HEAD),
    **{f"{number} bytes": (of_bytes(number), HEAD) for number in ("Infinity", "NaN")},
    "-1 bytes": (of_bytes("-1"), "of -1 bytes"),
    "no bytes": (headed(lambda line: line.replace(b'"bytes"', b'"size"')), HEAD),
    "a list for a first line": (headed(lambda line: b"[1]"), HEAD),
    "a number for a first line": (headed(lambda line: b"1"), HEAD),
    "nothing for a first line": (headed(lambda line: b""), HEAD),
    "format 1": (lambda good: (STORED / "checkpoint-format-1.pt").read_bytes(), FORMATS.format(1)),
    "format 9": (headed(lambda line: line.replace(FORMAT.encode(), b"delayprop-checkpoint/9")), FORMATS.format(9)),
    "numbers that share their places": (
        of_training(d=torch.zeros(1).expand(3)), r"numbers that share their places, in a tensor of shape \[3\]",
    ),
    "one matrix for many": (holding(lambda good: {"places": [torch.zeros(1000)] * 9}), MEMORY),
    "a list of lists": (holding(lambda good: {"places": doubled(40)}), MEMORY),
    "a list": (holding(lambda good: [good]), f"{OTHER}it has no training"),
    "no training": (holding(lambda good: {"step": 6}), f"{OTHER}it has no training"),
    "no step": (holding(lambda good: {"training": good["training"]}), f"{OTHER}its step is None of 12"),
    "a step beyond the end": (holding(lambda good: good | {"step": 13}), f"{OTHER}its step is 13 of 12"),
    "another network": (of_training(network={"out.w": torch.ones(6, 3)}), f"{OTHER}Error.* loading .* Missing key"),
    "no moments": (of_training(optimiser={"param_groups": []}), f"{OTHER}.*different number of .* groups"),
    "sums of another version": (of_training(epoch={"more": 1.0}), f"{OTHER}.*unexpected keyword argument"),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("killed")
    killed(classification(), 6, folder)
    return encoded(Checkpoints(folder).load()[0])


@pytest.mark.parametrize(("damage", "words"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_checkpoint_is_skipped_by_name(
    damage: Damage, words: str, content: bytes, tmp_path: Path, capsys: Capture
) -> None:
    """The run goes on from the checkpoint before, to the bit."""
    Checkpoints(tmp_path).save(5, {**decoded(content), "step": 5})
    (tmp_path / "checkpoint-000000006.pt").write_bytes(damage(decoded(content)))
    resumed = classification()
    assert CheckpointKeeper(resumed, Folder(tmp_path), Processes()).resume() == 5
    warning, said = capsys.readouterr().out.splitlines()
    assert re.match(rf"warning: skipped, damaged: checkpoint-000000006.pt \(.*({words})", warning), warning
    assert said == "resumed after step 5 of 12"
    assert digest(resumed.state()) == digest(decoded(content)["training"])


def test_a_tensor_may_stand_in_some_places_of_a_state() -> None:
    decoded(encoded({"places": [torch.zeros(1000)] * 3}))


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    words = ["--task", "sequence", "--epochs", "3", "--out", str(tmp_path)]
    main(words)
    for path in checkpoints_in(tmp_path).values():
        path.write_bytes(encoded({"step": 1, "training": {"layer": 3}}))
    log = (tmp_path / LOG).read_bytes()
    said = refusal(capsys, main, *words, "--resume")
    assert "got damaged ones; start a new run " in said
    assert "damaged: checkpoint-000000003.pt (not of this run: " in said
    assert (tmp_path / LOG).read_bytes() == log and (tmp_path / "result.json").exists(), "nothing was changed"
