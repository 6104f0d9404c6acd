"""`gradcheck`: every entry of the Jacobian of `fast`, by all that can learn, by differences."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from delayprop.fast import LIF, Network, Spikes, joined, propagate
from delayprop.spec import VOLTAGE_READOUTS, Connection, Population, SpikeTimeMSE
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.layers import TARGETS, TRIALS, case_of, first_layer, given_spikes, second_layer
from tests.support.report_evidence import Measured

CONDITIONED = 0.1  # lower bound of `kappa` here: over a step of 1e-6, rounding of a spike time stays below 1e-8


def jacobian_is_exact(function: Callable[..., Tensor | tuple[Tensor, ...]], arguments: list[Tensor]) -> bool:
    """Check every entry, repeatability, undefined gradients; the default rtol lets 0.1 % pass."""
    return gradcheck(function, arguments, eps=1e-6, atol=1e-8, rtol=1e-6, nondet_tol=0.0, fast_mode=False,
                     check_undefined_grad=True)


def leaves(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def first() -> LIF:
    """`first_layer` with time constants far from powers of 2: a step keeps the width of bins."""
    layer = first_layer()
    layer.tau_mem.fill_(9.5)
    layer.tau_syn.fill_(4.5)
    return layer


def with_times(times: Tensor) -> Spikes:
    return replace(given_spikes(), times=times)


def free_arguments(spiking: bool) -> list[Tensor]:
    free = [given_spikes().times, *first().parameters()]  # w, d, tau_mem, tau_syn, v_th, v_reset
    return leaves(free if spiking else free[:5])


def outputs(readout: str | None, spiking: bool) -> Callable[..., tuple[Tensor, ...]]:

    def function(times: Tensor, *arguments: Tensor) -> tuple[Tensor, ...]:
        emitted, y, _ = propagate(with_times(times), *arguments, readout=readout)
        return (*((emitted.times,) if spiking else ()), *(() if y is None else (y,)))

    return function


@pytest.mark.check(20)
@pytest.mark.parametrize(("spiking", "readout"), [
    *((True, readout) for readout in (None, *VOLTAGE_READOUTS)), *((False, readout) for readout in VOLTAGE_READOUTS),
])
def test_gradcheck_of_a_layer(spiking: bool, readout: str | None, measured: Measured) -> None:
    arguments = free_arguments(spiking)
    assert jacobian_is_exact(outputs(readout, spiking), arguments)
    measured(0, 0, sum(map(torch.numel, arguments)), "0")


def test_the_layer_is_well_conditioned() -> None:
    layer = first()
    assert layer(given_spikes()).counts().tolist() == [[3, 5], [1, 2], [0, 0]]
    assert not layer.record.ties.any()
    assert layer.record.kappa.min() > CONDITIONED


@pytest.mark.check(20, control=True)
def test_control_gradcheck_sees_a_thousandth() -> None:
    exact, arguments = outputs(None, True), free_arguments(True)

    def wrong(times: Tensor, w: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        return exact(times, 1.001 * w - 0.001 * w.detach(), *others)

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        jacobian_is_exact(wrong, arguments)


@pytest.mark.check(20)
@pytest.mark.parametrize("readout", [None, *(
    pytest.param(name, marks=[pytest.mark.full] * (name != "max_voltage")) for name in VOLTAGE_READOUTS
)])
def test_gradcheck_through_two_layers_and_around_one(readout: str | None) -> None:
    """By input times and parameters; the second layer spikes, or is read, and receives the input
    too. `test_losses` has the derivatives of losses by times and readouts."""
    generator = torch.Generator().manual_seed(3)
    w = 1.2 + 0.6 * torch.rand(5, 2, dtype=torch.float64, generator=generator)
    d = 3 * torch.rand(5, 2, dtype=torch.float64, generator=generator)
    constants = list(second_layer().parameters())[2 : 4 if readout else 6]

    def function(times: Tensor, *arguments: Tensor) -> Tensor:
        spikes = with_times(times)
        hidden, _, inner = propagate(spikes, *arguments[:6])
        emitted, y, outer = propagate(joined([spikes, hidden]), *arguments[6:], readout=readout)
        for record in (inner, outer):
            assert not record.ties.any() and (record.kappa_min is None or record.kappa_min > CONDITIONED)
        assert readout or emitted.counts().sum(dim=1).tolist()[:2] != [0, 0]
        return emitted.times if y is None else y

    assert jacobian_is_exact(function, leaves([given_spikes().times, *first().parameters(), w, d, *constants]))


def feed_forward() -> NetworkSpec:
    return case_of([first(), second_layer()], TRIALS[0], SpikeTimeMSE("layer1", TARGETS)).network


def recurrent() -> NetworkSpec:
    """Two populations in a loop, excited and inhibited; the first has self-connections."""
    random = np.random.default_rng(1)

    def connection(source: str, target: str, pre: int, low: float, high: float) -> Connection:
        return Connection(source, target, random.uniform(low, high, (pre, 2)), random.uniform(0.3, 3.0, (pre, 2)))

    layers = (Population("layer0", "lif", 2, 9.5, 4.5, 1.0, -0.3), Population("layer1", "lif", 2, 12.0, 6.0, 1.0, 0.0))
    return NetworkSpec((Population("in", "input", 3), *layers), (
        connection("in", "layer0", 3, 2.5, 5.0), connection("layer0", "layer1", 2, 1.5, 3.0),
        connection("layer1", "layer0", 2, -1.5, 1.5), connection("layer0", "layer0", 2, -1.0, 1.0),
    ))


@pytest.mark.check(20)
@pytest.mark.parametrize("build", [feed_forward, recurrent])
def test_gradcheck_of_a_network_by_all_its_parameters(build: Callable[[], NetworkSpec], measured: Measured) -> None:
    network = Network(build(), torch.float64)
    names = [name for name, _ in network.named_parameters()]
    assert len(names) == 2 * len(network.synapses) + 4 * 2

    def function(times: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, parameters, strict=True))
        inputs = {"in": with_times(times)}
        activity = torch.func.functional_call(network, given, (inputs, ("layer1", "mean_voltage")))
        for record in activity.records.values():
            assert not record.ties.any() and record.kappa_min > CONDITIONED
        return activity.spikes["layer0"].times, activity.spikes["layer1"].times, activity.y

    arguments = leaves([given_spikes().times, *network.parameters()])
    assert jacobian_is_exact(function, arguments)
    measured(0, 0, sum(map(torch.numel, arguments)), "1")
