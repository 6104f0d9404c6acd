"""Voltages at given times: reference, truth, tangent and `fast` agree; layers that read them."""

import re
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import delayprop.reference as reference
from delayprop import LI, LIF, Network, NetworkSpec, Spikes, case_of, membrane_traces, network_of, residuals, run_case
from delayprop.fast.nn import samples
from delayprop.spec import Case, Connection, Population, SpecError, VoltageMSE
from tests.support.comparison import assert_same_results
from tests.support.effort import many
from tests.support.float32 import Float32
from tests.support.implementations import agreement
from tests.support.networks.failures import stored_on_failure
from tests.support.networks.neurons import network
from tests.support.networks.strategies import cases, families, seeded_case
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import DOT_PRODUCT
from tests.support.truth import truth_of

SPIKES = Spikes.from_trains([[[1.0, 9.0, 9.5], [4.0], []], [[2.5], [1.0, 12.0], [3.0, 20.0]]], 40.0)
TIMES = [5.0, 10.0, 10.0, 40.0]


def sampled(case: Case, seed: int) -> Case:
    """The case with a loss of one to four samples of the population that it reads."""
    random, read = np.random.default_rng(seed), case.network.population(case.loss.population)
    times = np.sort(random.uniform(0.0, case.duration, random.integers(1, 5)))
    return replace(case, loss=VoltageMSE(read.name, times, random.normal(size=(read.size, len(times)))))


@pytest.mark.parametrize("family", families())
def test_reference_truth_and_tangent_agree(family: str) -> None:
    moved = 0
    for seed in range(many(3)):
        case = sampled(seeded_case(seed, family), seed)
        result = reference.run(case)
        assert_same_results(case, result, truth_of(case))
        off, size = dot_product(case, result.gradients, random_direction(result.gradients, seed))
        assert off <= DOT_PRODUCT * size
        moved += size > 0
    assert moved


@settings(max_examples=2 * settings().max_examples)
@given(cases(), st.integers(0, 2**31))
def test_fast_agrees_on_networks_that_hypothesis_draws(case: Case, seed: int) -> None:
    with stored_on_failure(case := sampled(case, seed), "samples"):
        agreement(case)


def test_fast_agrees_in_float32() -> None:
    found = Float32()
    for seed, family in enumerate(families()):
        found.add(sampled(seeded_case(seed, family), seed), family)
    assert max(found.errors) < 1e-3


def test_control_a_sample_at_another_time_is_found() -> None:
    case = sampled(seeded_case(0, "layers"), 0)
    assert isinstance(case.loss, VoltageMSE)
    late = replace(case, loss=replace(case.loss, times=case.loss.times * (1 - 1e-6)))
    with pytest.raises(AssertionError):
        assert_same_results(case, reference.run(late), reference.run(case))


def layer(**changed: object) -> LI:
    given: dict = {"readout": "samples", "times": TIMES, "dtype": torch.float64, **changed}
    return LI(3, 4, **given).initialise_(0.2, 1.0, 5.0, torch.Generator().manual_seed(2)).requires_grad_()


def gradients(of: LI, spikes: Spikes) -> list[torch.Tensor]:
    of.zero_grad()
    of(spikes).square().sum().backward()
    return [p.grad.clone() for p in of.parameters() if p.grad is not None]


def test_a_layer_reads_its_voltage_at_each_time() -> None:
    read = layer()
    y = read(SPIKES)
    assert y.shape == (2, 4, 4) and "readout=samples at 4 times" in repr(read)
    assert torch.equal(y[..., 1], y[..., 2])
    for trial in range(2):
        assert torch.equal(y[trial], membrane_traces(read, SPIKES, TIMES, trial))
    masked = layer(mask=torch.eye(3, 4).bool())
    alone = layer()
    with torch.no_grad():
        alone.w.mul_(masked.mask)
    assert torch.equal(masked(SPIKES), alone(SPIKES))
    assert layer(dtype=torch.float32)(SPIKES).dtype == torch.float32


def test_a_batch_in_pieces_is_the_sum_of_its_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradients(layer(), SPIKES)
    apart = [gradients(layer(), SPIKES[trial]) for trial in range(2)]
    monkeypatch.setattr(samples, "PIECE", 5)
    for one, pieces, *trials in zip(whole, gradients(layer(), SPIKES), *apart, strict=True):
        torch.testing.assert_close(pieces, one, rtol=1e-13, atol=1e-15)
        torch.testing.assert_close(sum(trials), one, rtol=1e-13, atol=1e-15)
        assert one.abs().max() > 0


def test_the_readout_may_change() -> None:
    other = LI(3, 4, readout="max_voltage", dtype=torch.float64)
    other.load_state_dict(layer().state_dict())
    read = changed("readout", "max_voltage")
    assert torch.equal(read(SPIKES), other(SPIKES)) and "times" not in repr(read)


def test_tensors_changed_in_place_do_not_reach_the_backward_pass() -> None:
    expected = gradients(read := layer(), SPIKES)
    read.zero_grad()
    spikes = replace(SPIKES, times=SPIKES.times.clone())
    y = read(spikes).square().sum()
    with torch.no_grad():
        read.w.zero_()
        spikes.times.add_(1.0)
    y.backward()
    assert all(torch.equal(p.grad, one) for p, one in zip(read.parameters(), expected, strict=True))


def test_weights_and_delays_may_lie_in_any_order_in_memory() -> None:
    expected, read = gradients(layer(), SPIKES), layer()
    for name in ("w", "d"):
        setattr(read, name, torch.nn.Parameter(getattr(read, name).detach().T.contiguous().T))
    assert not read.w.is_contiguous()
    by_name = dict(zip([name for name, _ in layer().named_parameters()], expected, strict=True))
    found = dict(zip([name for name, _ in read.named_parameters()], gradients(read, SPIKES), strict=True))
    assert all(torch.equal(found[name], by_name[name]) for name in by_name)


def test_traces_of_some_neurons_and_many_times_are_cheap() -> None:
    """Neither computes all neurons, nor copies the whole output per time: ten times as long."""
    wide = LIF(3, 4000, dtype=torch.float64).initialise_(4.0, 2.0, 5.0, torch.Generator().manual_seed(2))
    times, start = torch.linspace(0.0, 40.0, 2000), process_time()
    traces = membrane_traces(wide, SPIKES, times, neurons=[7, 7, 3])
    read = LI(3, 200, readout="samples", times=times, dtype=torch.float64)
    read(SPIKES).sum().backward()
    assert process_time() - start < 10.0
    assert read.w.grad is not None and read.w.grad.abs().max() > 0
    assert torch.equal(traces[0], traces[1]) and not torch.equal(traces[0], traces[2])
    few = LIF(3, 8, dtype=torch.float64)
    with torch.no_grad():
        few.w.copy_(wide.w[:, :8])
        few.d.copy_(wide.d[:, :8])
    assert torch.equal(membrane_traces(few, SPIKES, times)[[7, 7, 3]], traces)


@pytest.mark.parametrize("tau_syn", [5.0, [5.0, 9.0, 9.0 + 1e-9, 40.0]])
def test_gradcheck(tau_syn: float | list[float]) -> None:
    read = layer(times=[5.3, 10.1, 39.0], tau_mem=9.0, tau_syn=tau_syn)
    names, values = zip(*((name, p.detach().clone().requires_grad_()) for name, p in read.named_parameters()))
    t = SPIKES.times.clone().requires_grad_()

    def of(t: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        spikes = Spikes(t, SPIKES.offsets, 2, 3, 40.0)
        return torch.func.functional_call(read, dict(zip(names, values, strict=True)), (spikes,))

    assert torch.autograd.gradcheck(of, (t, *values))


def test_a_hidden_layer_learns_a_trace() -> None:
    """The loss falls by the weights and delays in front of the spikes that an output reads."""
    random = torch.Generator().manual_seed(0)
    hidden = LIF(3, 8, dtype=torch.float64).initialise_(6.0, 2.0, 5.0, random)
    out = LI(8, 1, readout="samples", times=torch.linspace(2.0, 38.0, 10), dtype=torch.float64)
    out.initialise_(0.3, 0.3, 5.0, random)
    target = 0.3 * torch.sin(torch.linspace(0.0, 3.0, 10, dtype=torch.float64))
    optimiser = torch.optim.Adam([*hidden.parameters(), *out.parameters()], lr=0.02)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (out(hidden(SPIKES)) - target).square().mean()
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        for each in (hidden, out):
            each.project_()
    assert hidden.d.grad.abs().max() > 0
    assert losses[-1] < 0.05 * losses[0]


def lif_of_equations() -> Network:
    neurons = Population("out", "neuron", 2, neuron="alif", constants={
        "tau_mem": 9.0, "tau_syn": 4.0, "tau_a": 30.0, "beta": 0.1, "v_th": 1.0, "v_reset": 0.0,
    })
    synapses = Connection("in", "out", [[1.0] * 2] * 3, 1.0)
    return Network(NetworkSpec((Population("in", "input", 3), neurons), (synapses,)))


def changed(name: str, value: object) -> LI:
    read = layer()
    setattr(read, name, value)
    return read


READ = layer()


def of_tau_mem(tau_mem: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = torch.func.functional_call(READ, {"tau_mem": tau_mem}, (SPIKES,))
    return y.sum()


def with_residuals() -> None:
    read = layer()
    spikes = replace(SPIKES, times=SPIKES.times.clone().requires_grad_())
    y = read(spikes)
    y.retain_grad()
    y.sum().backward()
    residuals([read], spikes, y, y.grad)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: LI(3, 4, readout="samples"), "`times` must be a list of times in order (ms), got nothing"),
    (lambda: layer(times=5.0), "`times` must be a list of times in order (ms), got 5.0"),
    (lambda: layer(times=[]), "`times` must be a list of at least one time (ms), got none"),
    (lambda: layer(times=[3.0, 2.0]), "`times[1]` must be at least the time before it, 3.0, got 2.0"),
    (lambda: layer(times=[float("nan")]), "`times[0]` must be a finite number of at least 0 (ms), got nan"),
    (lambda: layer(readout="max_voltage"), "`times` must be absent with `max_voltage`, got a list of 4"),
    (lambda: layer(readout="sample"), "`readout` must be one of max_voltage, mean_voltage, exp_weighted"),
    (lambda: layer(times=[41.0])(SPIKES), "`times` must be at most the duration, 40 (ms), got 41.0"),
    (lambda: layer()(SPIKES.split([1, 2])[1]), "`w` must be of shape [pre, post] with pre = 2"),
    (lambda: case_of([layer()], SPIKES, 0, 0), "`layers[0]` reads samples, for which no loss is given"),
    (with_residuals, "`layers[0]` reads samples, so it has no record"),
    (lambda: Network(network_of([layer()]))(SPIKES, ("out", [1.0, 50.0])), "`read[1]` must be at most the duration"),
    (lambda: lif_of_equations()(SPIKES, ("out", [1.0])), "`read[1]` must be of LIF or LI neurons"),
    (lambda: lif_of_equations()(SPIKES, ("out", "samples")), "`read[1]` must be the times of the samples (ms)"),
    (lambda: lif_of_equations()(SPIKES, ("out", [9.0, 3.0])), "`read[1][1]` must be at least the time before it, 9.0"),
    (lambda: run_case(network("alif", 0, "samples")), "`loss.population` must be of LIF or LI neurons"),
    (lambda: layer(times=torch.ones(2, requires_grad=True)), "`times` require a gradient, and samples give none"),
    (lambda: changed("times", [20.0, 1.0])(SPIKES), "`times[1]` must be at least the time before it, 20.0"),
    (lambda: torch.autograd.functional.hessian(of_tau_mem, torch.full((4,), 9.0, dtype=torch.float64)), "second one"),
    (lambda: torch.func.grad(of_tau_mem)(torch.full((4,), 9.0, dtype=torch.float64)), "`torch.func`"),
])
def test_refusals(call: Callable[[], object], words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)):
        call()
