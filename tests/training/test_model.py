"""A classifier as it is made: loss, recurrent weights, the trials on which weights are scaled."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from delayprop import ALIF, LIF, AdLIF
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.training.model import Classifier, scale_first_weights_
from delayprop.fast.training.settings import Settings
from delayprop.spec import NEURONS, SpecError
from tests.support.refusals import assert_refused
from tests.support.runs.short_runs import DURATION, busy, busy_spikes


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


@pytest.mark.parametrize("kind", [LIF, ALIF, AdLIF])
def test_hidden_neurons_are_those_of_the_settings(kind: type) -> None:
    settings = Settings(hidden=(4,), neuron=kind.__name__.lower(), tau_a=33.0, adapt=0.5)
    layer = Classifier(2, 3, settings, torch.float64, 0).hidden_layers[0]
    assert type(layer) is kind
    found = {name: values[0].item() for name, values in layer.constants.items() if name in ("tau_a", "beta", "b")}
    assert found == {LIF: {}, ALIF: {"tau_a": 33.0, "beta": 0.5}, AdLIF: {"tau_a": 33.0, "b": 0.5}}[kind]


GIVEN: dict[str, dict[str, float]] = {
    "rise": {"tau_syn": 4.0, "tau_rise": 1.5}, "coupled": {"tau_syn": 4.0, "tau_a": 33.0, "g": 0.7, "b": 0.5},
    "two-synapses": {"tau_exc": 4.0, "tau_inh": 12.0},
}


@pytest.mark.parametrize("name", GIVEN)
def test_hidden_neurons_given_by_equations(name: str) -> None:
    """Sources of two synapses raise both currents in turn, those within a recurrent layer too."""
    settings = Settings(
        hidden=(5, 3), neuron=name, tau_mem=15.0, tau_syn=4.0, recurrent=True, tau_a=33.0, adapt=0.5, tau_rise=1.5,
        coupling=0.7, tau_inh=12.0,
    )
    made = Classifier(2, 3, settings, torch.float64, 0)
    for layer, sources in zip(made.hidden_layers, (2, 5), strict=True):
        assert layer.equations == NEURONS[name]
        found = {constant: values.unique().item() for constant, values in layer.constants.items()}
        assert found == {"tau_mem": 15.0, **GIVEN[name], "v_th": 1.0, "v_reset": 0.0}
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
    assert made.out.mask is None and made.out.d.shape == (1, 3)
    assert Classifier(50, 3, Settings(hidden=(4,)), torch.float64, 0).hidden_layers[0].mask is None
    again, other = (Classifier(50, 3, settings, torch.float64, seed).hidden_layers[1].mask for seed in (0, 1))
    assert torch.equal(made.hidden_layers[1].mask, again) and not torch.equal(again, other)


def test_silent_layers_warn_once_an_epoch_and_not_in_each_step() -> None:
    """`silence_warnings` of `epoch.py` says so; the layers themselves do not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, hidden = busy(w_mean=0.0, w_sd=0.0)(busy_spikes(2))
    assert len(hidden[0].times) == 0 and caught == []


def of_trials(counts: list[int]) -> SpikeData:
    """Trials of so many spikes in channel 0, at 1 ms, 2 ms, and so on."""
    times = [np.arange(1.0, count + 1) for count in counts]
    units, labels = [np.zeros(count, np.int64) for count in counts], np.zeros(len(counts), np.int64)
    return SpikeData(times, units, labels, 4, 3)


def test_first_weights_are_scaled_on_trials_of_all_parts_of_the_data() -> None:
    """Of the 22 trials with spikes eight are simulated; the first and the last make all spikes."""
    data = of_trials([0, 9, *[1] * 10, 0, 0, *[1] * 10, 5, 0])
    network = Classifier(4, 3, Settings(hidden=(3,), w_mean=3.0, w_sd=0.2, delay=1.0), torch.float64, 0)
    (layer,) = network.hidden_layers
    first, one, last = (len(layer(data.batch(np.array([n]), DURATION)[0]).times) for n in (1, 2, 24))
    assert first > last > one == 0
    before = layer.w.detach().clone()
    line = scale_first_weights_(network, data, DURATION, 0.01)
    assert line == f"first weights: {(first + last) / (8 * 3):.3g} spikes per hidden neuron and trial"
    assert torch.equal(layer.w, before)
    assert " (scaled) " in scale_first_weights_(network, data, DURATION, 2.0) and bool((layer.w > before).all())


def test_data_without_a_spike_are_refused() -> None:
    network = Classifier(4, 3, Settings(hidden=(3,)), torch.float64, 0)
    assert_refused(lambda: scale_first_weights_(network, of_trials([0, 0]), DURATION, 3.0), "`--data` has no spikes")
