"""A classification run: its end, its choice of a network, its record, certificate and average."""

import math
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from delayprop.fast import LI, Spikes
from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.solving.solved import Gradients, Solved
from delayprop.fast.training import classify
from delayprop.fast.training.checkpoints import Checkpoints, digest
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.conclusion import page_arrays, shown_trials
from delayprop.fast.training.engine import REPRODUCER
from delayprop.fast.training.gradient_checks import (
    CertificateError,
    beside_float64,
    certify,
    check_certificate,
    rounding_warnings,
)
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.run_folder import Folder, ScalarWriter
from delayprop.fast.training.settings import Settings
from tests.support.runs.reading import Patch, calls, history, result
from tests.support.runs.short_runs import classification, log, run, trained, trials_of, with_validation


@pytest.mark.parametrize(("patience", "epochs"), [(0, 6), (1, 3), (2, 5)])
def test_a_run_ends_where_validation_stalls(patience: int, epochs: int, tmp_path: Path, monkeypatch: Patch) -> None:
    with_validation(monkeypatch, [0.3, 0.5, 0.4, 0.5, 0.45, 0.4] if patience < 2 else [0.3, 0.4, 0.5, 0.4, 0.5, 0.6])
    training = trained(tmp_path, epochs=6, patience=patience)
    assert len(log(tmp_path)) == epochs and training.best["epoch"] == (2 if patience < 2 else 3)


def test_patience_may_watch_the_training_accuracy(tmp_path: Path, monkeypatch: Patch) -> None:
    """Steps of no effect: training never gets better than in epoch 1, while validation does."""
    with_validation(monkeypatch, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    still = {"epochs": 6, "patience": 2, "lr": 1e-9, "delay_lr": 1e-9}
    ended = trained(tmp_path, patience_on="train", choose="last", **still)
    assert ended.ended == len(log(tmp_path)) == 3 and ended.watched["epoch"] == 1 and ended.best["epoch"] == 3


def test_a_run_that_has_ended_stays_ended(tmp_path: Path, monkeypatch: Patch) -> None:
    with_validation(monkeypatch, [0.5, 0.4])
    trained(tmp_path, epochs=6, patience=1, schedule="constant")
    again = classification(epochs=6, patience=1, schedule="constant")
    run(again, tmp_path, resume=True)
    assert len(log(tmp_path)) == 2 and again.ended == 2


@pytest.mark.parametrize("average", [0.0, 0.8])
@pytest.mark.parametrize(("choose", "patience", "epochs", "epoch", "accuracy"), [
    ("best", 2, 4, 2, 0.5), ("last", 0, 5, 5, 0.3),
])
def test_the_network_that_is_kept(
    choose: str, patience: int, epochs: int, epoch: int, accuracy: float, average: float, tmp_path: Path,
    monkeypatch: Patch,
) -> None:
    """It, or its average, is tested, and the last one is back. Patience begins at the best."""
    with_validation(monkeypatch, [0.3, 0.5, 0.4, 0.4, 0.3])
    networks = calls(monkeypatch, Classification, "evaluate", lambda of, *_, **__: digest(of.evaluated.state_dict()))
    training = trained(tmp_path, choose=choose, patience=patience, epochs=5, average=average)
    assert len(log(tmp_path)) == epochs and result(tmp_path)["best_epoch"] == training.best["epoch"] == epoch
    assert training.best["accuracy"] == accuracy
    kept = digest(torch.load(tmp_path / "network.pt", weights_only=True))
    assert kept == networks[epoch - 1] == networks[-1], "the last evaluation is of the test split"
    assert digest(training.evaluated.state_dict()) == networks[epochs - 1]


def test_the_test_split_is_looked_at_once_and_each_epoch_is_logged(tmp_path: Path, monkeypatch: Patch) -> None:
    looked = calls(monkeypatch, Classification, "evaluate", lambda self, split, **_: split)
    one, other = trained(tmp_path / "one"), classification()
    other.data["test"] = other.data["test"].where(np.arange(6) < 4)
    run(other, tmp_path / "other")
    assert looked == 2 * ["valid", "valid", "valid", "test"]
    assert log(tmp_path / "one") == log(tmp_path / "other") and digest(one.state()) == digest(other.state())
    for line in log(tmp_path / "one"):
        assert set(line["gradient"]) == {"w", "w_out", "d"} and all(norm > 0 for norm in line["gradient"].values())
        assert 0 < line["kappa_min"] < math.inf and line["clamped"] >= 0


def test_the_card_counts_what_learns_and_what_happens_in_the_test_trials(tmp_path: Path) -> None:
    """Of recurrent networks with few synapses: one learns a delay per source, the other none."""
    for name, settings in (("shared", {"delays": "axonal", "certify": 1}), ("drawn", {"freeze_delays": True})):
        training = trained(tmp_path / name, density=0.5, recurrent=True, **{"certify": 0, "rec_delay": 5.0, **settings})
        found, (layer, out) = result(tmp_path / name), training.evaluated.layers
        spikes, _ = training.data["test"].batch(np.arange(6), training.duration)
        training.take(torch.load(tmp_path / name / "network.pt", weights_only=True))
        _, (hidden,) = training.evaluated(spikes)
        exist, links = [layer.mask, layer.mask_rec, torch.ones(6, 3, dtype=torch.bool)], [spikes, hidden, hidden]
        delays = [*layer.delays_of_synapses, *out.delays_of_synapses]
        arrived = sum(
            int((t + d[i][own[i]].double() <= 12.0).sum())
            for source, d, own in zip(links, delays, exist, strict=True)
            for trial in source.to_lists() for i, train in enumerate(trial) for t in train
        )
        weights = sum(int(own.sum()) for own in exist)
        learned = sum(int(own.any(1).sum()) for own in exist) if name == "shared" else 0
        assert found["learned_delays"] == learned and found["learned_parameters"] == weights + learned
        assert found["spikes_per_neuron"] == pytest.approx(len(hidden.times) / 36) and arrived > 0
        assert found["arrivals_per_trial"] == pytest.approx(arrived / 6)
        assert found["seconds_per_epoch"] in [line["seconds"] for line in history(tmp_path / name)]
        assert found["peak_memory_mib"] > 50
        worst = max(line["float64"] or 0 for line in history(tmp_path / name))
        assert found["float64"] == (worst or None) and (name == "drawn") == (not worst)


def test_each_epoch_of_each_seed_has_an_order_augmentation_and_dropout_of_its_own(tmp_path: Path) -> None:
    """An epoch is one batch. Without its order, times and kept neurons would still be equal."""
    drawn = []
    for seed in (3, 4):
        training = classification(seed=seed, batch=13, stretch=0.3, dropout=0.5)
        for step in (0, 2):
            training.step(step, Folder(tmp_path), lambda: None)
            found = training.last_inputs()
            kept = sorted(found["kept"].tolist())
            drawn.append((found["labels"].tolist(), found["times"].sort().values.tolist(), kept))
    for kind in zip(*drawn, strict=True):
        assert len(set(map(str, kind))) == 4


def test_the_certificate_is_of_the_neurons_that_the_step_drops(tmp_path: Path, monkeypatch: Patch) -> None:
    training = classification(dropout=0.5, certify=1)
    certified = calls(monkeypatch, classify, "certify", lambda _, spikes, labels, kept, *__: (spikes, kept))
    learned = calls(monkeypatch, training, "data_parallel", lambda spikes, kept: (spikes, kept))
    training.step(0, Folder(tmp_path), lambda: None)
    ((spikes, kept),), ((same, dropped),) = certified, learned
    assert spikes == same and torch.equal(kept, dropped) and 0 < int(kept.sum()) < kept.numel()


def test_the_page_has_the_first_trial_of_each_of_the_classes_that_come_first() -> None:
    """Of five classes three, with the arrivals at the output of their own class."""
    counts = [[n % 4, 2, 1, n % 3] for n in range(8)]
    data = replace(trials_of(counts, [4, 4, 2, 4, 0, 2, 1, 3]), classes=5)
    network = Classifier(4, 5, Settings(hidden=(6,), w_mean=4.0, delay=2.0, out_sd=0.5), torch.float64, 0)
    page = np.load(BytesIO(page_arrays(network, dict(network.state_dict()), data, 12.0, [])))
    assert "label_3" not in page
    for e, (trial, label) in enumerate([(0, 4), (2, 2), (4, 0)]):
        assert page[f"label_{e}"] == label and page[f"units_{e}_0"].tolist() == data.units[trial].tolist()
        assert page[f"times_{e}_0"].tolist() == data.times[trial].tolist()
        assert page[f"V_{e}"].max(1) == pytest.approx(page[f"y_{e}"], abs=0.01)
        units, w, d = page[f"units_{e}_1"], page["w_after_1"][:, label], page["d_after_1"][:, label]
        arrivals = np.stack([page[f"times_{e}_1"] + d[units], w[units]], 1)
        assert len(arrivals) and page[f"arrivals_{e}"] == pytest.approx(arrivals)


def test_a_gradient_that_breaks_an_identity_stops_the_run(tmp_path: Path, monkeypatch: Patch) -> None:
    number = count(1)

    def broken(*given: Any) -> tuple[Residuals, float, float]:
        found, usual, limit = certify(*given)
        return (replace(found, B=2 * limit) if next(number) == 3 else found), usual, limit

    monkeypatch.setattr(classify, "certify", broken)
    with pytest.raises(CertificateError, match=r"identity B is off by .*, rounding explains .*; nothing was learned"):
        trained(tmp_path)
    kept, _ = Checkpoints(tmp_path).load()
    assert kept["step"] == 4 and digest(kept["training"]) != digest(classification().state())
    assert (tmp_path / REPRODUCER).exists()


def test_the_certificate_sees_a_wrong_gradient_and_leaves_the_training_alone(monkeypatch: Patch) -> None:
    training = classification()
    spikes, labels = training.batches[0]
    training.network.out.w.grad = torch.ones_like(training.network.out.w)
    found, usual, limit = certify(training.network, spikes, labels)
    assert check_certificate(found, usual, limit) == []
    assert found.B < usual / 10 and usual == 1e3 * torch.finfo(torch.float32).eps / 2
    assert bool((training.network.out.w.grad == 1).all()) and training.network.layers[0].d.grad is None
    calls(monkeypatch, Classifier, "loss", lambda self, *_: [one.d.register_hook(torch.neg) for one in self.layers])
    with pytest.raises(CertificateError, match="identity B"):
        check_certificate(*certify(training.network, spikes, labels))
    said = check_certificate(Residuals(1e-3, 1e-5, None), 6e-4, 0.1)
    assert said == ["identity A is off by 1.0e-03; rounding may explain 1.0e-01"]


def test_the_certified_loss_is_the_one_that_is_learned(tmp_path: Path, monkeypatch: Patch) -> None:
    seen = calls(monkeypatch, Classifier, "loss", lambda self, *given: (torch.is_grad_enabled(), *given[2:]))
    trained(tmp_path, label_smoothing=0.1)
    certified = 3 * 2 * 3  # steps 1 and 3 of three epochs; the first trial at two precisions
    assert seen.count((True, 0.1)) == 3 * 3 + certified and set(seen) == {(True, 0.1), (False,)}


@pytest.mark.parametrize("frozen", [False, True])
def test_silent_neurons_are_woken_at_the_end_of_an_epoch(frozen: bool, tmp_path: Path) -> None:
    training = trained(tmp_path, w_mean=0.0, w_sd=0.0, wake=0.5, epochs=2, freeze_weights=frozen)
    assert [line["silent"] for line in log(tmp_path)] == [1.0, 1.0]
    assert training.network.hidden_layers[0].w.unique().tolist() == [0.0 if frozen else 1.0]
    kept = training.best["network"]["hidden.0.w"]
    assert training.best["epoch"] == 1 and kept.unique().tolist() == [0.0], "what is kept is what was validated"


def test_numbers_go_to_tensorboard(tmp_path: Path) -> None:
    board = ScalarWriter(tmp_path)
    board.add(1, {"epoch": 1, "train_loss": 2.5, "gradient": {"w": 0.25}, "A": None, "word": "x"})
    board.close()
    found = EventAccumulator(str(board.path))
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"epoch", "train_loss", "gradient/w"}
    assert found.Scalars("gradient/w")[0].value == 0.25


DECAY = 0.8


def test_the_average_decays_step_by_step(tmp_path: Path, monkeypatch: Patch) -> None:
    """The first step gives the first average; each later one adds a fifth of the parameters."""
    past, learn = list[dict[str, Tensor]](), Classification._learn

    def watched(self: Classification, number: int) -> None:
        learn(self, number)
        past.append({name: value.detach().clone() for name, value in self.network.named_parameters()})

    monkeypatch.setattr(Classification, "_learn", watched)
    training = trained(tmp_path, average=DECAY)
    assert len(past) == 9
    for name, value in training.evaluated.named_parameters():
        expected = past[0][name].double()
        for step in past[1:]:
            expected = DECAY * expected + (1 - DECAY) * step[name].double()
        assert torch.allclose(value.double(), expected, rtol=1e-5, atol=1e-6)
        if name.endswith(".w"):
            assert not torch.equal(value, past[-1][name])


def test_the_average_is_what_is_evaluated(tmp_path: Path, monkeypatch: Patch) -> None:
    seen = calls(monkeypatch, classify, "evaluate", lambda network, *_: network)
    training = trained(tmp_path, average=DECAY, choose="last")
    assert len(seen) == 4 and all(network is training.evaluated is not training.network for network in seen)
    plain = classification()
    assert plain.evaluated is plain.network and "average" not in plain.state()


T, TRIALS, CHANNELS = 1000.0, 16, 70
BACKWARD: Callable[..., Gradients] = Solved.backward


def classifier(readout: str, dtype: torch.dtype = torch.float32, **changed: object) -> Classifier:
    settings = Settings(
        tau_mem=20.0, tau_syn=10.0, readout=readout, gain=100.0, w_mean=0.0, w_sd=2.0, rec_sd=0.1,
        inner_sd=2.0, out_sd=0.2, delay=100.0, rec_delay=30.0, **{"hidden": (32,), **changed},  # type: ignore[arg-type]
    )
    made = Classifier(CHANNELS, 10, settings, torch.float64, 1)
    made.out.initialise_(0.0, 0.2, 30.0, torch.Generator().manual_seed(2))
    return made.to(dtype)


def batch(end: float) -> tuple[Spikes, Tensor]:
    """3 spikes per channel and trial, up to the fraction `end` of the trial."""
    random = torch.Generator().manual_seed(3)
    times = torch.rand(TRIALS * CHANNELS * 3, generator=random, dtype=torch.float64) * end * T
    trains = torch.arange(TRIALS * CHANNELS).repeat(3)
    spikes = Spikes.from_events(times, trains % CHANNELS, trains // CHANNELS, size=CHANNELS, duration=T)
    return spikes, torch.randint(0, 10, (TRIALS,), generator=random)


def no_last_jump(solved: Solved, dL_dt_post: Tensor, *given: Tensor) -> Gradients:
    last = solved.offsets[1:][solved.offsets.diff() > 0] - 1
    return BACKWARD(solved, dL_dt_post.index_fill(0, last, 0.0), *given)


def subtracted_late(solved: Solved, *given: Tensor) -> Gradients:
    """`lambda_V` and `lambda_I` summed apart in float32, and subtracted at the end."""
    found, synapses, post = BACKWARD(solved, *given), solved.layer.synapses.w, solved.layer.post
    w = synapses.permute(1, 0, 2).flatten(1)[:, :post].double()
    of_lambda_I = -w * found.w.double() / 10.0
    of_lambda_V = (found.d.double() + of_lambda_I).float()
    return found._replace(d=(of_lambda_V - of_lambda_I.float()).to(found.d.dtype))


@pytest.mark.parametrize("changed", [{}, {"recurrent": True}, {"hidden": (32, 16)}], ids=str)
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_delay_gradients_are_checked(readout: str, changed: dict, monkeypatch: Patch) -> None:
    network, given = classifier(readout, **changed), batch(1.0)
    found, usual, _ = certify(network, *given)
    assert max(found.A, found.B, found.C) < usual
    monkeypatch.setattr(Solved, "backward", no_last_jump)
    with pytest.raises(CertificateError, match=r"identity [BC] is off"):
        check_certificate(*certify(network, *given))


def off(solved: Solved, *arguments: Any, right: Any = Solved.backward) -> Gradients:
    gradients = right(solved, *arguments)
    return gradients._replace(w=1.2 * gradients.w) if gradients.w.dtype == torch.float32 else gradients


def test_the_first_trial_is_compared_with_float64(monkeypatch: Patch) -> None:
    network, given = classifier("max_voltage"), batch(1.0)
    network.requires_grad_(True)
    before = [parameter.grad for parameter in network.parameters()]
    found = beside_float64(network, *given)
    assert found is not None and 1e-9 < found < 1e-5 and rounding_warnings(found) == []
    assert beside_float64(classifier("max_voltage", torch.float64), *given) is None
    assert [parameter.grad for parameter in network.parameters()] == before
    monkeypatch.setattr(Solved, "backward", off)
    found = beside_float64(network, *given)
    assert found is not None and 0.15 < found < 0.5, "control"
    words = f"rounding puts a block of the gradient of one trial {found:.0%} off; --dtype float64 does not"
    assert rounding_warnings(found) == [words]


def test_dropout_scales_weights_alike_in_both_precisions(monkeypatch: Patch) -> None:
    """Otherwise the trial differs by a rounding of each weight, which spikes that graze enlarge."""
    network, given = classifier("max_voltage"), batch(1.0)
    network.dropout = 0.3
    before = {name: one.clone() for name, one in network.state_dict().items()}
    right, used = LI.forward, list[Tensor]()

    def forward(out: LI, spikes: Spikes) -> Tensor:
        used.append(out.w.detach())
        return right(out, spikes)

    monkeypatch.setattr(LI, "forward", forward)
    assert beside_float64(network, *given, torch.rand(TRIALS, 32) < 0.7) is not None
    assert [one.dtype for one in used] == [torch.float32, torch.float64]
    assert torch.equal(used[0].double(), used[1]) and not torch.equal(used[0], before["out.w"])
    assert all(torch.equal(before[name], one) for name, one in network.state_dict().items())


def test_a_trial_that_is_classified_for_sure_has_no_error() -> None:
    """Its gradient underflows, and nothing is divided by its size."""
    network, given = classifier("mean_voltage"), batch(1.0)
    sure = network(given[0])[0].argmax(1)
    for gain in (1e3, 1e4, 1e5, 1e6):
        network.gain = gain
        found = beside_float64(network, given[0], sure)
        assert found is None or math.isfinite(found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_that_nearly_cancel_are_checked(dtype: torch.dtype, monkeypatch: Patch) -> None:
    """With spikes long before `T`, the gradients by delays are far below those by weights."""
    network, given = classifier("mean_voltage", dtype), batch(0.7)
    assert check_certificate(*certify(network, *given)) == []
    monkeypatch.setattr(Solved, "backward", subtracted_late)
    with pytest.raises(CertificateError, match=r"identity [BC] is off"):
        check_certificate(*certify(network, *given))


@pytest.mark.parametrize(("wrong", "shown"), [
    ([], [0, 2, 3]), ([0, 3, 4], [1, 2, 6, 0, 3]), (range(8), [0, 2, 3]), ([7], [0, 2, 3, 7]),
])
def test_the_first_right_and_wrong_trials_of_classes_are_shown(wrong: list[int], shown: list[int]) -> None:
    assert shown_trials(np.array([1, 1, 0, 2, 2, 0, 3, 3]), wrong) == shown
