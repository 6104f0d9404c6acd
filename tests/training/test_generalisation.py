"""`--average` and `--dropout`: what is evaluated and kept, what is drawn, and exact gradients."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import Spikes
from delayprop.fast.training import classify, gradient_checks
from delayprop.fast.training.classify import Classification
from delayprop.fast.training.gradient_checks import certify
from delayprop.fast.training.model import kept_neurons
from tests.support.runs.reading import Patch, calls
from tests.support.runs.short_runs import busy, busy_spikes, classification, log, run

DECAY = 0.8


def test_the_average_decays_step_by_step(tmp_path: Path, monkeypatch: Patch) -> None:
    """The first step gives the first average; each later one adds a fifth of the parameters."""
    training, past = classification(average=DECAY), list[dict[str, torch.Tensor]]()
    learn = Classification._learn

    def watched(self: Classification, number: int) -> None:
        learn(self, number)
        past.append({name: value.detach().clone() for name, value in self.network.named_parameters()})

    monkeypatch.setattr(Classification, "_learn", watched)
    run(training, tmp_path / "run")
    assert len(past) == 9
    for name, value in training.evaluated.named_parameters():
        expected = past[0][name].double()
        for step in past[1:]:
            expected = DECAY * expected + (1 - DECAY) * step[name].double()
        assert torch.allclose(value.double(), expected, rtol=1e-5, atol=1e-6)
        if name.endswith(".w"):
            assert not torch.equal(value, past[-1][name])


def test_the_average_is_what_is_evaluated(tmp_path: Path, monkeypatch: Patch) -> None:
    training = classification(average=DECAY, choose="last")
    seen = calls(monkeypatch, classify, "evaluate", lambda network, *_: network)
    run(training, tmp_path / "run")
    assert len(seen) == 4 and all(network is training.evaluated is not training.network for network in seen)
    plain = classification()
    assert plain.evaluated is plain.network and "average" not in plain.state()


TRIALS = np.arange(40)
DROPOUT = 0.4
network = partial(busy, dropout=DROPOUT, out_sd=0.5)


def spikes(trials: int) -> tuple[Spikes, Tensor]:
    return busy_spikes(trials), torch.arange(trials) % 3


def test_a_draw_follows_from_seed_step_and_trial_and_leaves_out_the_share_asked_for() -> None:
    whole = kept_neurons((6, 5), 0.4, 3, 7, TRIALS)
    assert [kept.shape for kept in whole] == [(40, 6), (40, 5)] and whole[0].dtype == torch.bool
    for rank in range(3):
        part = kept_neurons((6, 5), 0.4, 3, 7, TRIALS[rank::3])
        assert all(torch.equal(own, kept[rank::3]) for own, kept in zip(part, whole, strict=True))
    drawn = [
        row.numpy().tobytes() for seed in range(4) for step in range(8)
        for kept in kept_neurons((50, 50), 0.4, seed, step, np.arange(6)) for row in kept
    ]
    assert len(set(drawn)) == len(drawn), "each seed, step, trial and layer has a draw of its own"
    kept = torch.cat(kept_neurons((50, 50), 0.3, 0, 0, np.arange(200)), dim=1).double()
    assert float(kept.mean()) == pytest.approx(0.7, abs=5 * (0.21 / kept.numel()) ** 0.5)
    assert float(kept.mean(0).std()) < 0.06 and float(kept.mean(1).std()) < 0.09, "rows and columns are independent"


@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_what_is_left_is_the_network_without_the_other_neurons(recurrent: bool) -> None:
    """One trial: the rows of dropped neurons are 0, the other weights grow by 1 / (1 - dropout).
    Neurons of a recurrent layer reach each other, dropped or not."""
    whole, left = network(recurrent=recurrent), network(recurrent=recurrent)
    given, label = spikes(1)
    kept = [torch.tensor([[True, False, True, True, True, False]]), torch.tensor([[True, True, False, True, True]])]
    y, emitted = whole(given, kept)
    whole.loss(y, label).backward()
    with torch.no_grad():
        for layer, mask in zip(left.layers[1:], kept, strict=True):
            layer.w.mul_(mask[0][:, None].double() / (1 - DROPOUT))
    expected, same = left(given)
    left.loss(expected, label).backward()
    assert sum(len(trains.times) for trains in emitted) > 20
    assert all(len(one.times) == len(other.times) for one, other in zip(emitted, same, strict=True))
    assert torch.allclose(y, expected, rtol=1e-12, atol=0)
    for n, (ours, theirs) in enumerate(zip(whole.layers, left.layers, strict=True)):
        factor = kept[n - 1][0][:, None].double() / (1 - DROPOUT) if n else torch.ones(1)
        assert torch.allclose(ours.w.grad, theirs.w.grad * factor, rtol=1e-9, atol=1e-15)
        assert torch.allclose(ours.d.grad, theirs.d.grad, rtol=1e-9, atol=1e-15)


def test_the_certificate_holds() -> None:
    """Also for weights that are scaled; the scale of the gradient is part of it."""
    made, (given, labels) = network(), spikes(40)
    kept = kept_neurons((6, 5), 0.4, 0, 0, TRIALS)
    found, usual, limit = certify(made, given, labels, kept)
    assert max(found.A, found.B, found.C) <= usual
    made.out.w.register_hook(lambda gradient: gradient * (1 - DROPOUT))
    assert certify(made, given, labels, kept)[0].A > limit


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
@pytest.mark.parametrize("layer", range(3))
def test_the_shortest_time_constant_sets_the_usual_rounding(layer: int, name: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(gradient_checks, "USUAL", 1.0)
    made, (given, labels) = network(), spikes(5)
    getattr(made.layers[layer], name)[0] = 2.0  # the others are 5 and 20 ms
    _, usual, _ = certify(made, given, labels)
    assert usual == given.duration / 2.0 * torch.finfo(torch.float64).eps / 2


def test_evaluation_drops_nothing_and_training_does(tmp_path: Path) -> None:
    plain, dropped = classification(hidden=(12,)), classification(hidden=(12,), dropout=0.5)
    assert plain.evaluate("valid") == dropped.evaluate("valid")
    run(plain, tmp_path / "plain")
    run(dropped, tmp_path / "dropped")
    one, other = log(tmp_path / "plain"), log(tmp_path / "dropped")
    assert one[0]["train_loss"] != other[0]["train_loss"] and other[-1]["A"] < 1e-3
