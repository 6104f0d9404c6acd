"""A classifier: its neurons, weights, loss and dropout, first weights, outputs that spike."""

import math
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import delayprop.reference as reference
from delayprop import ALIF, LIF, AdLIF, Spikes, Spiking
from delayprop.fast.data import augment, spike_data
from delayprop.fast.nn.certificate import Residuals
from delayprop.fast.nn.interchange import case_of
from delayprop.fast.training import gradient_checks, model
from delayprop.fast.training.gradient_checks import certify
from delayprop.fast.training.model import Classifier, kept_neurons, scale_first_weights_
from delayprop.fast.training.settings import Settings
from delayprop.spec import NEURONS, SpecError
from tests.support.refusals import assert_refused
from tests.support.runs.reading import Patch
from tests.support.runs.short_runs import DURATION, busy, busy_spikes, classification, log, run, trials_of
from tests.support.tolerances import U32, identity


def test_the_loss_is_of_readouts_times_the_gain() -> None:
    y, labels = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]], dtype=torch.float64), torch.tensor([0, 2])
    expected = (math.log1p(2 * math.exp(-4)) + math.log(3)) / 2
    assert float(busy(gain=4.0).loss(y, labels)) == pytest.approx(expected, rel=1e-12)


def test_recurrent_weights_have_mean_0() -> None:
    settings = Settings(hidden=(60,), recurrent=True, w_mean=2.0, w_sd=0.1, rec_sd=0.5, rec_delay=3.0)
    layer = Classifier(4, 3, settings, torch.float64, 0).hidden_layers[0]
    assert layer.w_rec is not None and layer.d_rec is not None
    w, d = layer.w_rec.detach(), layer.d_rec.detach()
    assert abs(float(w.mean())) < 5 * 0.5 / 60 and float(w.std()) == pytest.approx(0.5, rel=0.1)
    assert float(d.mean()) == pytest.approx(1.5, abs=0.2) and float(d.max()) <= 3.0


NEURON: dict[str, tuple[type, dict[str, float]]] = {
    "lif": (LIF, {"tau_syn": 4.0}), "alif": (ALIF, {"tau_syn": 4.0, "tau_a": 33.0, "beta": 0.5}),
    "adlif": (AdLIF, {"tau_syn": 4.0, "tau_a": 33.0, "b": 0.5}), "rise": (Spiking, {"tau_syn": 4.0, "tau_rise": 1.5}),
    "coupled": (Spiking, {"tau_syn": 4.0, "tau_a": 33.0, "g": 0.7, "b": 0.5}),
    "two-synapses": (Spiking, {"tau_exc": 4.0, "tau_inh": 12.0}),
}


@pytest.mark.parametrize(("name", "kind", "constants"), [(name, *given) for name, given in NEURON.items()], ids=NEURON)
def test_hidden_neurons_are_those_of_the_settings(name: str, kind: type, constants: dict[str, float]) -> None:
    """Sources of two synapses raise both currents in turn, those within a recurrent layer too."""
    settings = Settings(
        hidden=(5, 3), neuron=name, tau_mem=15.0, tau_syn=4.0, recurrent=True, tau_a=33.0, adapt=0.5, tau_rise=1.5,
        coupling=0.7, tau_inh=12.0,
    )
    made = Classifier(2, 3, settings, torch.float64, 0)
    for layer, sources in zip(made.hidden_layers, (2, 5), strict=True):
        assert type(layer) is kind and layer.equations == NEURONS[name]
        found = {constant: values.unique().item() for constant, values in layer.constants.items()}
        assert found == {"tau_mem": 15.0, **constants, "v_th": 1.0, "v_reset": 0.0}
        for into, size in ((layer.into, sources), (layer.into_rec, layer.post)):
            assert (None if into is None else into.tolist()) == (
                [n % 2 for n in range(size)] if name == "two-synapses" else None
            )
    assert made.out.tau_syn.unique().item() == 4.0


def test_synapses_onto_hidden_neurons_are_as_dense_as_asked() -> None:
    settings = Settings(hidden=(60, 40), recurrent=True, density=0.25, delays="dendritic")
    made = Classifier(50, 3, settings, torch.float64, 0)
    for layer in made.hidden_layers:
        for w, d, mask in zip(layer.all_w, layer.all_d, layer.masks, strict=True):
            assert mask is not None and float(mask.double().mean()) == pytest.approx(0.25, abs=0.05)
            assert torch.equal(w != 0, mask) and d.shape == (1, layer.post)
    with pytest.raises(SpecError, match=r"`density` must be larger, got .*, which leaves no synapse onto"):
        Classifier(2, 3, replace(settings, density=0.001), torch.float64, 0)
    assert made.out.mask is None and made.out.d.tolist() == [[0.0] * 3]
    assert Classifier(50, 3, Settings(hidden=(4,)), torch.float64, 0).hidden_layers[0].mask is None
    again, other = (Classifier(50, 3, settings, torch.float64, seed).hidden_layers[1].mask for seed in (0, 1))
    assert torch.equal(made.hidden_layers[1].mask, again) and not torch.equal(again, other)


def test_silent_layers_warn_once_an_epoch_and_not_in_each_step() -> None:
    """`silence_warnings` of `epoch.py` says so; the layers themselves do not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, hidden = busy(w_mean=0.0, w_sd=0.0)(busy_spikes(2))
    assert len(hidden[0].times) == 0 and caught == []


def test_first_weights_are_scaled_on_trials_of_all_parts_of_the_data() -> None:
    """Of the 22 trials with spikes eight are simulated; the first and the last make all spikes."""
    data = trials_of([[count, 0, 0, 0] for count in (0, 9, *[1] * 10, 0, 0, *[1] * 10, 5, 0)], [0] * 26)
    network = Classifier(4, 3, Settings(hidden=(3,), w_mean=3.0, w_sd=0.2, delay=1.0), torch.float64, 0)
    (layer,) = network.hidden_layers
    first, one, last = (len(layer(data.batch(np.array([n]), DURATION)[0]).times) for n in (1, 2, 24))
    assert first > last > one == 0
    before = layer.w.detach().clone()
    line = scale_first_weights_(network, data, DURATION, 0.01)
    assert line == f"first weights: {(first + last) / (8 * 3):.3g} spikes per neuron and trial, layer by layer"
    assert torch.equal(layer.w, before)
    assert " (scaled) " in scale_first_weights_(network, data, DURATION, 2.0) and bool((layer.w > before).all())


def test_data_without_a_spike_are_refused() -> None:
    network, data = Classifier(4, 3, Settings(hidden=(3,)), torch.float64, 0), trials_of([[0] * 4] * 2, [0, 0])
    assert_refused(lambda: scale_first_weights_(network, data, DURATION, 3.0), "`--data` has no spikes")


def test_a_hidden_layer_that_is_silent_stops_the_next() -> None:
    network = Classifier(4, 3, Settings(hidden=(3, 3), w_mean=1e-9, w_sd=0.0, delay=1.0), torch.float64, 0)
    said = "`--rate` is 0.001, at which hidden layer 1 is silent, so that the next cannot be scaled; raise it"
    assert_refused(lambda: scale_first_weights_(network, trials_of([[3] * 4] * 2, [0, 0]), DURATION, 0.001), said)


TRIALS = np.arange(40)
DROPOUT = 0.4
dropping = partial(busy, dropout=DROPOUT, out_sd=0.5)


def labelled(trials: int) -> tuple[Spikes, Tensor]:
    return busy_spikes(trials), torch.arange(trials) % 3


def test_a_draw_follows_from_seed_step_and_trial_and_leaves_out_the_share_asked_for() -> None:
    whole = kept_neurons(5, 0.4, 3, 7, TRIALS)
    assert whole.shape == (40, 5) and whole.dtype == torch.bool
    for rank in range(3):
        assert torch.equal(kept_neurons(5, 0.4, 3, 7, TRIALS[rank::3]), whole[rank::3])
    drawn = [
        row.numpy().tobytes() for seed in range(4) for step in range(8)
        for row in kept_neurons(50, 0.4, seed, step, np.arange(6))
    ]
    assert len(set(drawn)) == len(drawn), "each seed, step and trial has a draw of its own"
    kept = kept_neurons(100, 0.3, 0, 0, np.arange(200)).double()
    assert float(kept.mean()) == pytest.approx(0.7, abs=5 * (0.21 / kept.numel()) ** 0.5)
    assert float(kept.mean(0).std()) < 0.06 and float(kept.mean(1).std()) < 0.09, "rows and columns are independent"
    assert len({module.DRAWS for module in (augment, model, spike_data)}) == 3, "no draw is that of another purpose"


@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_what_is_left_is_the_network_without_the_other_neurons(recurrent: bool) -> None:
    """One trial, two hidden layers: rows of dropped neurons of the last are 0, the other weights
    onto outputs grow by 1 / (1 - dropout). Neurons of a recurrent layer reach each other, dropped
    or not."""
    whole, left = dropping(recurrent=recurrent), dropping(recurrent=recurrent)
    given, label = labelled(1)
    kept = torch.tensor([[True, True, False, True, True]])
    factor = kept[0][:, None].double() / (1 - DROPOUT)
    y, emitted = whole(given, kept)
    whole.loss(y, label).backward()
    with torch.no_grad():
        left.out.w.mul_(factor)
    expected, same = left(given)
    left.loss(expected, label).backward()
    assert sum(len(trains.times) for trains in emitted) > 20
    assert all(len(one.times) == len(other.times) for one, other in zip(emitted, same, strict=True))
    assert torch.allclose(y, expected, rtol=1e-12, atol=0)
    for ours, theirs in zip(whole.layers, left.layers, strict=True):
        scaled = theirs.w.grad * factor if ours is whole.out else theirs.w.grad
        assert torch.allclose(ours.w.grad, scaled, rtol=1e-9, atol=1e-15)
        assert torch.allclose(ours.d.grad, theirs.d.grad, rtol=1e-9, atol=1e-15)


def test_the_certificate_holds_with_dropout() -> None:
    """Also for weights that are scaled; the scale of the gradient is part of it."""
    made, (given, labels) = dropping(), labelled(40)
    kept = kept_neurons(5, 0.4, 0, 0, TRIALS)
    found, usual, limit = certify(made, given, labels, kept)
    assert max(found.A, found.B, found.C) <= usual
    made.out.w.register_hook(lambda gradient: gradient * (1 - DROPOUT))
    assert certify(made, given, labels, kept)[0].A > limit
    nothing = certify(made, given, labels, torch.zeros_like(kept))[0]
    assert nothing == Residuals(None, None, None), "no spike reaches the outputs"


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
@pytest.mark.parametrize("layer", range(3))
def test_the_shortest_time_constant_sets_the_usual_rounding(layer: int, name: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(gradient_checks, "USUAL", 1.0)
    made, (given, labels) = dropping(), labelled(5)
    getattr(made.layers[layer], name)[0] = 2.0  # the others are 5 and 20 ms
    _, usual, _ = certify(made, given, labels)
    assert usual == given.duration / 2.0 * torch.finfo(torch.float64).eps / 2


def test_evaluation_drops_nothing_and_training_does(tmp_path: Path) -> None:
    plain, dropped = classification(hidden=(12,)), classification(hidden=(12,), dropout=0.5)
    assert plain.evaluate("valid") == dropped.evaluate("valid")
    run(plain, tmp_path / "plain")
    run(dropped, tmp_path / "dropped")
    one, other = log(tmp_path / "plain"), log(tmp_path / "dropped")
    assert one[0]["train_loss"] != other[0]["train_loss"] and other[-1]["A"] < identity(U32)


@pytest.mark.parametrize("loss", ["cross_entropy", "relative_spike_time_mse"])
def test_first_spikes_of_outputs_learn_by_the_gradient_of_the_reference(loss: str) -> None:
    """A network whose neurons spike at most once; one of its outputs is silent."""
    network = busy(
        readout="first_spike_time", loss=loss, out_mean=1.2, out_sd=1.5, constants=("v_reset=-1e6",), out_delays=False
    )
    spikes, labels = busy_spikes(3), torch.tensor([0, 1, 2])
    y, emitted = network(spikes)
    assert [int(layer.counts().max()) for layer in emitted[:2]] == [1, 1] and len(emitted) == 3
    assert 0 < int((emitted[2].counts() == 0).sum()) < 9 and y.shape == (3, 3)
    network.loss(y, labels).backward()
    time_scale, margin = network.of_first_spikes
    cases = [case_of(network.layers, spikes, b, b, time_scale=time_scale, margin=margin) for b in range(3)]
    true = [reference.run(case) for case in cases]
    assert float(network.loss(y, labels).detach()) == pytest.approx(sum(one.loss for one in true) / 3, rel=1e-12)
    for n, layer in enumerate(network.layers):
        for name, parameter in (("dL_dw", layer.w), ("dL_dd", layer.d)):
            block = sum(getattr(one.gradients.connections[n], name) for one in true) / 3
            assert parameter.grad is not None and np.abs(block).max() > 0
            assert np.abs(parameter.grad.numpy() - block).max() < 1e-11 * np.abs(block).max(), (n, name)
    residuals, _, limit = certify(network, spikes, labels)
    assert all(r is not None and r < 1e-12 for r in vars(residuals).values()) and limit < 1e-8
