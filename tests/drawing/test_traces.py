"""Voltages over time: against spikes of the kernels, and the equation.

`agreement/test_samples.py` compares those of a readout with the reference.
"""

from time import process_time
from typing import Any

import numpy as np
import pytest
import torch

from delayprop import LIF, SpecError, Spikes, membrane_traces
from delayprop.fast.nn.samples import sampled

DURATION = 40.0
SPIKES = Spikes.from_trains([[[1.0, 9.0, 9.5], [4.0], []], [[2.5], [1.0, 12.0], [3.0, 20.0]]], DURATION)


def hidden(recurrent: bool = False, **constants: Any) -> LIF:
    random = torch.Generator().manual_seed(1)
    layer = LIF(3, 5, v_th=0.8, v_reset=-0.3, recurrent=recurrent, dtype=torch.float64, **constants)
    if recurrent:
        layer.initialise_recurrent_(-0.3, 0.5, 4.0, random)
    return layer.initialise_(4.0, 1.5, 5.0, random)


@pytest.mark.parametrize("constants", [{}, {"tau_mem": 6.0, "tau_syn": 6.0}], ids=["two rates", "one rate"])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("trial", [0, pytest.param(1, marks=pytest.mark.full)])
def test_a_neuron_spikes_where_its_trace_reaches_the_threshold(trial: int, recurrent: bool, constants: dict) -> None:
    layer = hidden(recurrent, **constants)
    emitted = layer(SPIKES)
    record, counts = layer.record, emitted.counts()[trial]
    assert counts.sum() > 5
    assert float(membrane_traces(layer, SPIKES, np.linspace(0.0, DURATION, 4001), trial).max()) <= 0.8 + 1e-9
    for neuron in range(5):
        t = emitted.train(trial, neuron).detach()
        if len(t):
            at, before = (membrane_traces(layer, SPIKES, times, trial)[neuron] for times in (t, t - 1e-9))
            assert at.numpy() == pytest.approx(-0.3, abs=1e-9) and before.numpy() == pytest.approx(0.8, abs=1e-7)
    assert layer.record is record


@pytest.mark.parametrize(("tau_mem", "tau_syn"), [(20.0, 5.0), (5.0, 20.0), (6.0, 6.0), (6.0, 6.0 + 1e-9), (0.2, 0.1)])
def test_a_voltage_is_the_sum_over_its_events_in_time_of_events_plus_points(tau_mem: float, tau_syn: float) -> None:
    """20000 arrivals, 5000 points; a pass over all pairs takes seconds. The sum: at few points."""
    random, n = np.random.default_rng(0), 20_000
    t_arr, w, points = random.uniform(0, 1e4, n), random.normal(0.0, 1.0, n), np.sort(random.uniform(-10, 1.1e4, 5000))
    emitted = np.sort(np.append(random.uniform(0, 1e4, 300), points[100:103]))
    given = {"tau_mem": tau_mem, "tau_syn": tau_syn, "v_th": 1.0, "v_reset": -0.3}
    constants = {name: torch.tensor([value], dtype=torch.float64) for name, value in given.items()}
    arriving, own = Spikes.from_trains([[[t] for t in t_arr]], 1e4), Spikes.from_trains([[emitted]], 1e4)
    start = process_time()
    at, weights = torch.from_numpy(points), torch.from_numpy(w)[:, None]
    V = sampled(at, arriving, weights, torch.zeros(n, 1), constants, own)[0, 0].numpy()
    assert process_time() - start < 5.0
    for t, found in zip(points[::100], V[::100], strict=True):
        x, (low, high) = t - t_arr[t_arr <= t], sorted((1 / tau_mem, 1 / tau_syn))
        rise = np.exp(-low * x) / tau_mem * (x if low == high else -np.expm1((low - high) * x) / (high - low))
        falls = 1.3 * np.exp(-(t - emitted[emitted <= t]) / tau_mem)
        assert found == pytest.approx((w[t_arr <= t] * rise).sum() - falls.sum(), rel=1e-9, abs=1e-9)
    assert np.ptp(V[::100]) > 1.0


@pytest.mark.parametrize("neurons", [[3, 0, 3], np.array([1]), torch.tensor([4, 2]), range(2), []], ids=str)
def test_the_traces_of_some_neurons(neurons: Any) -> None:
    every, times = hidden(True), np.linspace(0.0, DURATION, 11)
    found = membrane_traces(every, SPIKES, times, neurons=neurons)
    assert torch.equal(found, membrane_traces(every, SPIKES, times)[torch.as_tensor(neurons, dtype=torch.long)])


def test_what_has_no_trace() -> None:
    layer = hidden()
    for changed, words in (
        ({"trial": 2}, "`trial` must be a whole number from 0 to 1, got 2"),
        ({"spikes": SPIKES.split([1, 2])[1]}, "`spikes` must be of 3 neurons, got 2"),
        ({"times": [[0.0]]}, "`times` must be finite numbers"),
        ({"times": [np.nan]}, "`times` must be finite numbers"),
        ({"neurons": [0, 5]}, r"`neurons\[1\]` must be a whole number from 0 to 4, got 5"),
        ({"neurons": 3}, "`neurons` must be a list of numbers of neurons, got 3"),
        ({"times": [41.0]}, "`times` must be at most the duration, 40 .ms., got 41.0"),
    ):
        with pytest.raises(SpecError, match=words):
            membrane_traces(layer, **{"spikes": SPIKES, "times": [0.0], **changed})  # type: ignore[arg-type]
