"""Checkpoints with a right checksum and wrong content: one clear line, never a traceback."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fast.train import main
from fast.training.checkpoints import FORMAT, Checkpoints, DamagedError, decoded, digest, encoded
from fast.training.run_folder import LOG
from spec import SpecError
from tests.support.runs.short_runs import KilledError, Make, classification, killed_before, run, sequence

MAKERS: dict[str, Make] = {"classification": classification, "sequence": sequence}


def change(*path: str | int, to: Any) -> Callable[[dict], Any]:
    """Another value at a place of the state; `KeyError` stands for none."""

    def changed(state: dict) -> dict:
        at: Any = state
        for key in path[:-1]:
            at = at[key]
        if to is KeyError:
            del at[path[-1]]
        else:
            at[path[-1]] = to
        return state

    return changed


WEIGHTS = ("training", "network", "out.w")
MOMENTS = ("training", "optimiser", "state")
CONTENT: dict[str, tuple[Callable[[dict], Any], str]] = {
    "a list": (lambda state: [state], "it is a list of 1, not an object"),
    "no step": (change("step", to=KeyError), "it lacks 'step'"),
    "text for a step": (change("step", to="5"), "step is '5', not a whole number of at least 0"),
    "a negative step": (change("step", to=-1), "step is -1, not a whole number of at least 0"),
    "a step beyond the end": (change("step", to=999), "step is 999 of 12"),
    "a fraction of a step": (change("step", to=1.5), "step is 1.5, not a whole number"),
    "truth for a step": (change("step", to=True), "step is True, not a whole number"),
    "negative lines": (change("lines", to=-1), "lines is -1, not a whole number"),
    "no training": (change("training", to=KeyError), "it lacks the object 'training'"),
    "a training that is a list": (change("training", to=[]), "it lacks the object 'training'"),
    "no network": (change("training", "network", to=KeyError), "training lacks 'network'"),
    "no tensor": (change(*WEIGHTS, to=KeyError), "training.network lacks 'out.w'"),
    "a list for a tensor": (change(*WEIGHTS, to=[1.0]), "training.network.out.w is a list of 1, not float32 of"),
    "another shape": (
        change(*WEIGHTS, to=torch.ones(3, 6)), r"training.network.out.w is float32 of shape \[3, 6\], not .* \[6, 3\]"
    ),
    "another precision": (change(*WEIGHTS, to=torch.ones(6, 3).double()), "out.w is float64 of shape"),
    "another shape in the best": (change("training", "best", "network", "out.w", to=torch.ones(2)), "best.network.out"),
    "no best accuracy": (change("training", "best", "accuracy", to=KeyError), "training.best lacks 'accuracy'"),
    "text for the end": (change("training", "ended", to="never"), "training.ended is 'never', not a whole number"),
    "no sum": (change("training", "epoch", "sums", "loss", to=KeyError), "training.epoch.sums lacks 'loss'"),
    "another sum": (change("training", "epoch", "more", to=1.0), r"training does not fit \(TypeError\)"),
    "text for a norm": (change("training", "epoch", "norms", "w", to="x"), "epoch.norms.w is 'x', not a number"),
    "text for a residual": (change("training", "epoch", "residuals", "A", to="x"), "residuals.A is 'x', not a number"),
    "no groups": (change("training", "optimiser", "param_groups", to=[]), "the optimiser's state does not fit"),
    "no moment": (change(*MOMENTS, 0, "exp_avg", to=KeyError), r"optimiser's state does not fit a parameter of shape"),
    "a moment of another shape": (change(*MOMENTS, 0, "exp_avg_sq", to=torch.ones(2)), "optimiser's state does not"),
    "no moments of one parameter": (change(*MOMENTS, 0, to=KeyError), "optimiser's state does not fit a parameter"),
}


def killed(folder: Path, kind: str, step: int = 6) -> dict:
    """A run that was killed, and the state of its last checkpoint."""
    with pytest.raises(KilledError):
        run(killed_before(MAKERS[kind](), step), folder)
    return Checkpoints(folder).load()[0]


@pytest.mark.parametrize(("wrong", "words"), CONTENT.values(), ids=CONTENT.keys())
def test_wrong_content_is_named_and_the_checkpoint_before_is_used(
    wrong: Callable[[dict], Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The resumed run ends in the bits of one that was never stopped."""
    state, whole, resumed = killed(tmp_path / "run", "classification"), classification(), classification()
    checkpoints = Checkpoints(tmp_path / "run")
    newest, _ = checkpoints.paths()
    newest.write_bytes(encoded(wrong(state)))
    capsys.readouterr()
    run(resumed, tmp_path / "run", resume=True)
    said = capsys.readouterr().out
    warning = said.splitlines()[0]
    assert warning.startswith(f"warning: skipped {newest.name}: ")
    assert re.search(words, warning), warning
    assert "resumed after step 5 of 12" in said
    run(whole, tmp_path / "whole")
    assert digest(resumed.state()) == digest(whole.state())


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", ["no step", "negative lines", "no training"])
def test_a_run_without_a_checkpoint_that_fits_is_refused_in_one_line(name: str, kind: str, tmp_path: Path) -> None:
    wrong, words = CONTENT[name]
    state = killed(tmp_path / "run", kind)
    for path in Checkpoints(tmp_path / "run").paths():
        path.write_bytes(encoded(wrong(dict(state))))
    with pytest.raises(SpecError, match=f"has a checkpoint, got damaged ones; start a new run .*{words}"):
        run(MAKERS[kind](), tmp_path / "run", resume=True)


def test_a_layer_of_another_shape_is_no_state_of_the_sequence_task(tmp_path: Path) -> None:
    state = killed(tmp_path / "run", "sequence")
    state["training"]["layer"]["d"] = torch.ones(3, 3)
    for path in Checkpoints(tmp_path / "run").paths():
        path.write_bytes(encoded(state))
    with pytest.raises(SpecError, match=r"layer.d is float32 of shape \[3, 3\], not float32 of shape \[2, 2\]"):
        run(sequence(), tmp_path / "run", resume=True)


BODY = io.BytesIO()
torch.save({"step": 1}, BODY)
HEADS = {
    "deep nesting": "[" * 100_000 + "]" * 100_000,
    "deep nesting within": '{"bytes": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "endless bytes": '{"format": "%s", "bytes": Infinity, "sha256": "%s"}',
    "bytes that are none": '{"format": "%s", "bytes": NaN, "sha256": "%s"}',
    "negative bytes": '{"format": "%s", "bytes": -1, "sha256": "%s"}',
    "no bytes": '{"format": "%s", "sha256": "%s"}',
    "a list": "[1]",
    "a number": "1",
    "nothing": "",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_first_line_that_is_none_is_damage(head: str) -> None:
    if "%s" in head:
        head %= FORMAT, hashlib.sha256(BODY.getvalue()).hexdigest()
    with pytest.raises(DamagedError, match=r"first line is damaged|of -1 bytes"):
        decoded(head.encode() + b"\n" + BODY.getvalue())


def test_the_command_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--task", "sequence", "--epochs", "3", "--out", str(tmp_path)]
    main(words)
    for path in Checkpoints(tmp_path).paths():
        path.write_bytes(encoded({"step": 1, "lines": 1, "training": {"layer": 3}}))
    log = (tmp_path / LOG).read_bytes()
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "training.layer is 3, not an object" in err
    assert (tmp_path / LOG).read_bytes() == log and (tmp_path / "result.json").exists(), "nothing was changed"
