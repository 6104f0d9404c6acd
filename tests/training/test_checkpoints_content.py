"""Checkpoints with a right checksum and wrong content: one clear line, never a traceback."""

import math
import re
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import torch

from delayprop.fast.train import main
from delayprop.fast.training.checkpoints import Checkpoints, DamagedError, checkpoints_in, decoded, digest, encoded
from delayprop.fast.training.engine import CheckpointKeeper
from delayprop.fast.training.processes import Processes
from delayprop.fast.training.run_folder import LOG, Folder
from delayprop.spec import SpecError
from tests.support.runs.reading import Capture, refusal
from tests.support.runs.short_runs import Make, classification, killed, run, sequence

Change = Callable[[dict], Any]


def change(*path: str | int, to: Any) -> Change:
    """Another value at a place of the state; `KeyError` stands for none."""

    def changed(state: dict) -> dict:
        at: Any = reduce(getitem, path[:-1], state)
        at[path[-1]] = to
        if to is KeyError:
            del at[path[-1]]
        return state

    return changed


WEIGHTS = ("training", "network", "out.w")
MOMENTS, GROUP = ("training", "optimiser", "state"), ("training", "optimiser", "param_groups", 0)
CONTENT: dict[str, tuple[Change, str]] = {
    "a list": (lambda state: [state], "it is a list of 1, not an object"),
    "no step": (change("step", to=KeyError), "it lacks 'step'"),
    "a negative step": (change("step", to=-1), "step is -1, not a whole number of at least 0"),
    "a step beyond the end": (change("step", to=13), "step is 13 of 12"),
    "truth for a step": (change("step", to=True), "step is True, not a whole number"),
    "no training": (change("training", to=KeyError), "it lacks the object 'training'"),
    "a training that is a list": (change("training", to=[]), "it lacks the object 'training'"),
    "no network": (change("training", "network", to=KeyError), "training lacks 'network'"),
    "no tensor": (change(*WEIGHTS, to=KeyError), "training.network lacks 'out.w'"),
    "a list for a tensor": (change(*WEIGHTS, to=[1.0]), "training.network.out.w is a list of 1, not float32 of"),
    "another shape": (change(*WEIGHTS, to=torch.ones(3, 6)),
                      r"training.network.out.w is float32 of shape \[3, 6\], not .* \[6, 3\]"),
    "another precision": (change(*WEIGHTS, to=torch.ones(6, 3).double()), "out.w is float64 of shape"),
    "no sum": (change("training", "epoch", "sums", "loss", to=KeyError), "training.epoch.sums lacks 'loss'"),
    "another sum": (change("training", "epoch", "more", to=1.0), "training.epoch has 'more', which is not of this run"),
    "text for a norm": (change("training", "epoch", "norms", "w", to="x"), "epoch.norms.w is 'x', not a number"),
    "text for a residual": (change("training", "epoch", "residuals", "A", to="x"), "residuals.A is 'x', not a number"),
    "no groups": (change("training", "optimiser", "param_groups", to=[]), "the optimiser's state does not fit"),
    "no moment": (change(*MOMENTS, 0, "exp_avg", to=KeyError), "of a parameter of shape .* lacks 'exp_avg'"),
    "a moment of another shape": (change(*MOMENTS, 0, "exp_avg_sq", to=torch.ones(2)), "exp_avg_sq is float32 of"),
    "no moments of one parameter": (change(*MOMENTS, 0, to=KeyError), "optimiser's state does not fit its parameters"),
    "another switch": (change(*GROUP, "maximize", to=True), "the optimiser's maximize is True, not False"),
    "a list of betas": (change(*GROUP, "betas", to=[0.9, 0.999]), "the optimiser's betas is a list of 2, not"),
    "another decay": (change(*GROUP, "weight_decay", to=-1.0), "the optimiser's weight_decay is -1.0, not 0.0"),
    "no betas": (change(*GROUP, "betas", to=KeyError), "the optimiser's betas is"),
    "an unknown option": (change(*GROUP, "more", to=1), "the optimiser's more is 1, not"),
    "an infinite lr": (change(*GROUP, "lr", to=math.inf), "the optimiser's lr is inf, not a finite number"),
    "parameters twice": (change(*GROUP, "params", to=[0, 0]), "its groups have other parameters"),
    "a step that is a number": (change(*MOMENTS, 0, "step", to=4.0), "of shape .*step is 4.0, not float32"),
    "a step below 0": (change(*MOMENTS, 0, "step", to=torch.tensor(-3.0)), "step is -3.0, not from 1 to"),
    "a step beyond the run": (change(*MOMENTS, 0, "step", to=torch.tensor(10.0)), "step is 10.0, not from 1 to 9"),
    "steps of its own": (change(*MOMENTS, 0, "step", to=torch.tensor(2.0)), "took different numbers of steps"),
    "sparse moments": (change(*MOMENTS, 0, "exp_avg", to=torch.ones(4, 6).to_sparse()), "plain values [(]torch"),
    "a moment of NaN": (change(*MOMENTS, 0, "exp_avg", to=torch.full((4, 6), math.nan)), "exp_avg is not finite"),
    "a negative square": (change(*MOMENTS, 0, "exp_avg_sq", to=torch.full((4, 6), -1.0)), "exp_avg_sq is below 0"),
    "another precision of a moment": (change(*MOMENTS, 0, "exp_avg", to=torch.ones(4, 6).double()), "is float64 of"),
    "NaN in the first weights": (change("training", "first", "out.w", to=torch.full((6, 3), math.nan)),
                                 "training.first.out.w is not finite"),
    "sparse weights": (change(*WEIGHTS, to=torch.ones(6, 3).to_sparse()), "not tensors and plain values [(]torch"),
    "weights without numbers": (change(*WEIGHTS, to=torch.ones(6, 3, device="meta")), "not tensors and plain values"),
    "no end": (change("training", "ended", to=1), "training.ended is 1, not from 0 to 0"),
    "an accuracy of 2": (change("training", "best", "accuracy", to=2.0), "best.accuracy is 2.0, not from 0 to 1"),
    "an accuracy of NaN": (change("training", "best", "accuracy", to=math.nan), "best.accuracy is nan, not finite"),
    "an epoch to come": (change("training", "best", "epoch", to=4), "training.best.epoch is 4, not from 1 to 3"),
    "too many correct": (change("training", "epoch", "sums", "right", to=1e6), "sums.right is 1000000.0, not from"),
    "an infinite norm": (change("training", "epoch", "norms", "w", to=math.inf), "epoch.norms.w is inf, not finite"),
    "a norm below 0": (change("training", "epoch", "norms", "w", to=-1.0), "epoch.norms.w is -1.0, not from 0"),
    "a residual below 0": (change("training", "epoch", "residuals", "A", to=-1.0), "residuals is -1.0, not from 0"),
    "spikes of other neurons": (change("training", "epoch", "fired", to=torch.ones(2).double()), "of 2 neurons, not 6"),
    "an escape": (change("training", "epoch", "norms", "\x1b[2J", to="x"), r"norms.\\x1b\[2J is 'x', not a number"),
}


def last_state(folder: Path, make: Make = classification) -> dict:
    """The state of the last checkpoint of a run that was killed."""
    killed(make(), 6, folder)
    return Checkpoints(folder).load()[0]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encoded(last_state(tmp_path_factory.mktemp("killed")))


@pytest.mark.parametrize(("wrong", "words"), CONTENT.values(), ids=CONTENT.keys())
def test_wrong_content_is_named(wrong: Change, words: str, content: bytes, tmp_path: Path, capsys: Capture) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step, state in ((5, {**decoded(content), "step": 5}), (6, wrong(decoded(content)))):
        checkpoints.save(step, state)
    resumed = classification()
    assert CheckpointKeeper(resumed, Folder(tmp_path), Processes()).resume() == 5
    warning, said = capsys.readouterr().out.splitlines()
    assert warning.startswith("warning: skipped checkpoint-000000006.pt: ") and said == "resumed after step 5 of 12"
    assert re.search(words, warning), warning
    assert digest(resumed.state()) == digest(decoded(content)["training"])


@pytest.mark.parametrize(("make", "wrong", "words"), [
    *((make, *CONTENT[name]) for make in (classification, sequence)
      for name in ("no step", "a negative step", "no training")),
    (sequence, change("training", "layer", "d", to=torch.ones(3, 3)),
     r"layer.d is float32 of shape \[3, 3\], not float32 of shape \[2, 2\]"),
])
def test_a_run_without_a_checkpoint_that_fits_is_refused(make: Make, wrong: Change, words: str, tmp_path: Path) -> None:
    state = wrong(last_state(tmp_path, make))
    for path in checkpoints_in(tmp_path).values():
        path.write_bytes(encoded(state))
    with pytest.raises(SpecError, match=f"has a checkpoint, got damaged ones; start a new run .*{words}"):
        run(make(), tmp_path, resume=True)


def test_moments_that_share_their_memory_are_parted(tmp_path: Path) -> None:
    """torch stores shared memory as shared: each step would change both."""
    state, resumed = last_state(tmp_path), classification()
    entry = state["training"]["optimiser"]["state"][0]
    entry["exp_avg"] = entry["exp_avg_sq"] = entry["exp_avg_sq"].abs()
    resumed.restore(state["training"])
    own = resumed.optimiser.state_dict()["state"][0]
    assert own["exp_avg"].data_ptr() != own["exp_avg_sq"].data_ptr()


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
    assert "training.layer is 3, not an object" in refusal(capsys, main, *words, "--resume")
    assert (tmp_path / LOG).read_bytes() == log and (tmp_path / "result.json").exists(), "nothing was changed"
