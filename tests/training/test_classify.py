"""A classification run: its end, its choice of a network, its record, and its own stops."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.tasks import yin_yang
from delayprop.fast.train import main
from delayprop.fast.training import classify
from delayprop.fast.training.checkpoints import HALF, Checkpoints, digest
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.engine import REPRODUCER
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.gradient_checks import CertificateError, certify, check_certificate
from delayprop.fast.training.tensorboard import ScalarWriter
from delayprop.spec import SpecError
from tests.support.runs.reading import Capture, Patch, result
from tests.support.runs.short_runs import KilledError, classification, killed_before, log, run


def with_validation(monkeypatch: Patch, accuracies: list[float]) -> None:
    left = list(accuracies)

    def found(self: Classification, split: str, check: Any = None) -> Evaluation:
        right = round(1000 * left.pop(0)) if split == "valid" else 1
        return Evaluation([[right, 1000 - right, 0], [0, 0, 0]], 1.0)

    monkeypatch.setattr(Classification, "evaluate", found)


@pytest.mark.parametrize(("patience", "epochs"), [(0, 6), (1, 3), (2, 5)])
def test_a_run_ends_where_validation_stands_still(
    patience: int, epochs: int, tmp_path: Path, monkeypatch: Patch
) -> None:
    with_validation(monkeypatch, [0.3, 0.5, 0.4, 0.5, 0.45, 0.4] if patience < 2 else [0.3, 0.4, 0.5, 0.4, 0.5, 0.6])
    training = classification(epochs=6, patience=patience)
    run(training, tmp_path / "run")
    assert len(log(tmp_path / "run")) == epochs and training.best["epoch"] == (2 if patience < 2 else 3)


def test_a_run_that_has_ended_stays_ended(tmp_path: Path, monkeypatch: Patch) -> None:
    with_validation(monkeypatch, [0.5, 0.4])
    run(classification(epochs=6, patience=1, schedule="constant"), tmp_path / "run")
    again = classification(epochs=6, patience=1, schedule="constant")
    run(again, tmp_path / "run", resume=True)
    assert len(log(tmp_path / "run")) == 2 and again.ended == 2


@pytest.mark.parametrize(("choose", "epoch"), [("best", 2), ("last", 3)])
def test_the_network_that_is_kept(choose: str, epoch: int, tmp_path: Path, monkeypatch: Patch) -> None:
    with_validation(monkeypatch, [0.3, 0.5, 0.5])
    training = classification(choose=choose)
    kept: list[str] = []
    end = Classification._end_epoch

    def watched(self: Classification, *given: Any) -> None:
        kept.append(digest(self.network.state_dict()))
        end(self, *given)

    monkeypatch.setattr(Classification, "_end_epoch", watched)
    run(training, tmp_path / "run")
    assert digest(torch.load(tmp_path / "run" / "network.pt", weights_only=True)) == kept[epoch - 1]
    assert result(tmp_path / "run")["best_epoch"] == epoch


def test_a_run_may_leave_the_test_split_alone(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(yin_yang, "POINTS", {"train": 40, "valid": 40, "test": 40})
    few = ["--task", "yin-yang", "--epochs", "1", "--hidden", "3", "--out"]
    assert main([*few, str(tmp_path / "run"), "--no-test"]) == 0
    said = capsys.readouterr().out
    assert "valid accuracy" in said and "test accuracy" not in said
    kept = (tmp_path / "run" / "network.pt").read_bytes()
    assert not (tmp_path / "run" / "result.json").exists()
    assert main([*few, str(tmp_path / "run"), "--resume"]) == main([*few, str(tmp_path / "straight")])
    assert result(tmp_path / "run") == result(tmp_path / "straight")
    assert (tmp_path / "run" / "network.pt").read_bytes() == kept


def test_the_test_split_is_looked_at_once(tmp_path: Path, monkeypatch: Patch) -> None:
    looked: list[str] = []
    evaluate = Classification.evaluate

    def watched(self: Classification, split: str, **check: Any) -> Evaluation:
        looked.append(split)
        return evaluate(self, split, **check)

    monkeypatch.setattr(Classification, "evaluate", watched)
    one, other = classification(), classification()
    other.data["test"] = other.data["test"].where(np.arange(6) < 4)
    run(one, tmp_path / "one")
    run(other, tmp_path / "other")
    assert looked == 2 * ["valid", "valid", "valid", "test"]
    assert log(tmp_path / "one") == log(tmp_path / "other") and digest(one.state()) == digest(other.state())


def test_a_gradient_that_breaks_an_identity_stops_the_run(tmp_path: Path, monkeypatch: Patch) -> None:
    training, seen = classification(), list[int]()

    def broken(*given: Any) -> tuple[Residuals, float, float]:
        seen.append(1)
        found, usual, limit = certify(*given)
        return (Residuals(found.A, 2 * limit, found.C) if len(seen) == 3 else found), usual, limit

    monkeypatch.setattr(classify, "certify", broken)
    with pytest.raises(CertificateError, match=r"identity B is off by .*, rounding explains .*; nothing was learned"):
        run(training, tmp_path / "run")
    kept, _ = Checkpoints(tmp_path / "run").load()
    assert kept["step"] == 4 and digest(kept["training"]) != digest(classification().state())
    assert (tmp_path / "run" / REPRODUCER).exists()


def test_the_certificate_sees_a_wrong_gradient_and_leaves_the_training_alone(monkeypatch: Patch) -> None:
    training = classification()
    spikes, labels = training.batches[0]
    training.network.out.w.grad = torch.ones_like(training.network.out.w)
    found, usual, limit = certify(training.network, spikes, labels)
    assert check_certificate(found, usual, limit) == []
    assert found.B is not None and found.B < usual / 10 and usual == 1e3 * torch.finfo(torch.float32).eps / 2
    assert bool((training.network.out.w.grad == 1).all()) and training.network.layers[0].d.grad is None
    loss = type(training.network).loss

    def wrong(self: Any, *given: Any) -> torch.Tensor:
        for layer in self.layers:
            layer.d.register_hook(torch.neg)
        return loss(self, *given)

    monkeypatch.setattr(type(training.network), "loss", wrong)
    with pytest.raises(CertificateError, match="identity B"):
        check_certificate(*certify(training.network, spikes, labels))


def test_the_certified_loss_is_the_one_that_is_learned(tmp_path: Path, monkeypatch: Patch) -> None:
    training, seen = classification(label_smoothing=0.1), list[tuple[bool, float]]()
    loss = type(training.network).loss

    def watched(self: Any, y: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        seen.append((torch.is_grad_enabled(), label_smoothing))
        return loss(self, y, labels, label_smoothing)

    monkeypatch.setattr(type(training.network), "loss", watched)
    run(training, tmp_path / "run")
    certified = 3 * 2  # steps 1 and 3 of three epochs
    assert seen.count((True, 0.1)) == 3 * 3 + certified and set(seen) == {(True, 0.1), (False, 0.0)}


def test_more_neighbours_than_channels_are_refused() -> None:
    with pytest.raises(SpecError, match="`--pool` must be at most the number of channels, 4, got 5"):
        classification(pool=5)


def test_what_rounding_may_explain_is_said() -> None:
    said = check_certificate(Residuals(1e-3, 1e-5, None), 6e-4, 0.1)
    assert said == ["identity A is off by 1.0e-03; rounding may explain 1.0e-01"]


@pytest.mark.parametrize("frozen", [False, True])
def test_silent_neurons_are_woken_at_the_end_of_an_epoch(frozen: bool, tmp_path: Path) -> None:
    training = classification(w_mean=0.0, w_sd=0.0, wake=0.5, epochs=2, freeze_weights=frozen)
    run(training, tmp_path)
    assert [line["silent"] for line in log(tmp_path)] == [1.0, 1.0]
    assert training.network.hidden_layers[0].w.unique().tolist() == [0.0 if frozen else 1.0]
    kept = training.best["network"]["hidden.0.w"]
    assert training.best["epoch"] == 1 and kept.unique().tolist() == [0.0], "what is kept is what was validated"


def test_a_run_that_goes_on_is_known_by_what_it_has_become(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = ["--task", "yin-yang", "--out", str(folder), "--schedule", "constant", "--hidden", "3", "--batch", "2500"]
    assert main([*given, "--epochs", "1"]) in (0, 1)
    assert main([*given, "--resume", "--epochs", "2"]) in (0, 1)
    assert json.loads((folder / "options.json").read_text())["epochs"] == 2 and len(log(folder)) == 2
    assert main([*given, "--resume", "--epochs", "1"]) == 2 and len(log(folder)) == 2
    longer = classification(schedule="constant", epochs=4)
    run(classification(schedule="constant", epochs=1), tmp_path / "short")
    with pytest.raises(KilledError):
        run(killed_before(longer, 6), tmp_path / "short", resume=True)
    assert not (tmp_path / "short" / "result.json").exists()


@pytest.mark.parametrize("resume", [[], ["--resume"]], ids=["again", "resumed"])
def test_a_run_killed_before_its_first_checkpoint_is_begun_anew(resume: list[str], tmp_path: Path) -> None:
    for name in (".lock", "options.json", f".options.json{HALF}"):
        (tmp_path / name).write_text("{}")
    given = ["--task", "yin-yang", "--out", str(tmp_path), "--hidden", "3", "--batch", "2500", "--epochs", "1"]
    assert main([*given, *resume]) in (0, 1)
    assert main(given) == 2, "a finished run is not overwritten"


def test_the_log_holds_gradients_and_grazing(tmp_path: Path) -> None:
    run(classification(), tmp_path / "run")
    for line in log(tmp_path / "run"):
        assert set(line["gradient"]) == {"w", "w_out", "d"} and all(norm > 0 for norm in line["gradient"].values())
        assert 0 < line["kappa_min"] < math.inf and line["clamped"] >= 0


def test_numbers_go_to_tensorboard(tmp_path: Path) -> None:
    board = ScalarWriter(tmp_path)
    board.add(1, {"epoch": 1, "train_loss": 2.5, "gradient": {"w": 0.25}, "A": None, "word": "x"})
    board.close()
    found = EventAccumulator(str(board.path))
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"epoch", "train_loss", "gradient/w"}
    assert found.Scalars("gradient/w")[0].value == 0.25
