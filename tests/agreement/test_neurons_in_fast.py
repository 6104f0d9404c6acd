"""`fast` equals `reference` for neurons given by equations, also for one that is in no list."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from delayprop.fast import LI, LIF, Spikes, Spiking, cross_entropy
from delayprop.fast.nn.autograd import propagate_neurons
from delayprop.fast.nn.certificate import residuals, watched
from delayprop.fast.nn.exponents import exponents
from delayprop.fast.run import run_case
from delayprop.spec import NEURONS, Network, Neuron, Population, SpecError, UnsupportedError
from tests.support.commands import python
from tests.support.effort import many
from tests.support.float32 import MEDIAN_32, P99_32, Float32
from tests.support.implementations import Run, agreement, every_run
from tests.support.networks.neurons import ALL, EACH_OF_FAST, as_equations, network
from tests.support.networks.strategies import seeded_case
from tests.support.report_evidence import Measured
from tests.support.tolerances import U64

SEEDS = many(8)
READ = ("spike_time_mse", "first_spike_time")


@pytest.mark.check(17)
@pytest.mark.parametrize("readout", READ)
@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
@EACH_OF_FAST
def test_float64_of_each_neuron(name: str, recurrent: bool, readout: str, measured: Measured) -> None:
    """Weights, delays, input times and every constant."""
    found = [agreement(network(name, seed, readout, recurrent)) for seed in range(SEEDS)]
    assert sum(one.zero for one in found) < sum(one.blocks for one in found)
    measured(max(one.used for one in found), 1.0, SEEDS, f"0 to {SEEDS - 1} of each neuron")
    measured.keep("neurons", {"neuron": name, "fast": max(one.used for one in found)})


IN_PYTHON = """
from tests.support.implementations import Run, agreement, every_run
from tests.agreement import test_neurons_in_fast as neurons, test_plain as plain
from tests.fast import test_modules as modules, test_wiring as wiring
from tests.support.networks.neurons import FAST, exciting, network
for name in (*FAST[1:], "three"):
    for recurrent in (False, True):
        found = agreement(network(name, 1, "first_spike_time", recurrent))
        assert found.zero < found.blocks, name
agreement(exciting(network("three", 2, "first_spike_time"), 0.25))
neurons.test_identities_of_each_neuron("adlif")
plain.agrees(plain.layer("adlif"))
wiring.test_layers_are_the_network_that_they_describe("two currents")
for name in ("mixed", "two-synapses"):
    wiring.test_own_spikes_arrive_in_the_bin_in_which_they_are_emitted(name)
    wiring.test_constants_that_learn_change_no_other_gradient(name)
wiring.test_layers_load_a_network_bit_for_bit("two currents")
modules.test_a_state_dict_keeps_every_number_bit_for_bit("two currents")
wiring.test_opposite_currents_hide_no_run_without_end()
"""


@pytest.mark.full
def test_kernels_of_each_neuron_in_python() -> None:
    """Each neuron that needs kernels of its own, and layers whose sources raise several states."""
    found = python("-c", IN_PYTHON, NUMBA_DISABLE_JIT="1")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.full
@pytest.mark.check(18)
@EACH_OF_FAST
def test_float32_of_each_neuron(name: str, measured: Measured) -> None:
    seen = Float32()
    for seed in range(many(12)):
        for readout in READ:
            seen.add(network(name, seed, readout), f"{name} {seed}")
    median, p99 = seen.judge()
    measured(median, MEDIAN_32, len(seen.errors), f"0 to {many(12) - 1} of each neuron")
    measured(p99, P99_32, 0)


@pytest.mark.parametrize("family", ["layers", "recurrent"])
def test_lif_by_its_equations_is_lif(family: str) -> None:
    """Bit for bit, readouts of the voltage included."""
    for seed in range(6):
        case = seeded_case(seed, family)
        ours, theirs = run_case(as_equations(case)), run_case(case)
        assert ours.loss == theirs.loss
        for a, b in zip(ours.gradients.connections, theirs.gradients.connections, strict=True):
            np.testing.assert_array_equal(a.dL_dw, b.dL_dw)


DRIVES_I = "`neuron` has a state V that drives I, which spikes raise"
REFUSED: dict[str, tuple[Neuron, str]] = {
    "no target": (
        Neuron({"V": "-V / tau_mem", "I": "-I / tau_syn"}), "`neuron` has arrivals at I that reach no other state",
    ),
    "no target of one current": (
        Neuron({"V": "(-V + G) / tau_mem", "E": "-E / 5", "G": "(-G + 0.1 * V) / 9"}, arrivals=("E", "G")),
        "`neuron` has arrivals at E that reach no other state",
    ),
    "feedback": (Neuron({"V": "(-V + I) / tau_mem", "I": "(-I - g * V) / tau_syn"}), DRIVES_I),
    "feedback by another state": (
        Neuron({"V": "(-V + I) / tau_mem", "I": "(-I - a) / tau_syn", "a": "(-a + V) / 20"}), DRIVES_I,
    ),
    "falling level": (
        Neuron({"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}, spike="-V - v_th"),
        "`neuron` has a level that does not rise with V, which arrivals reach",
    ),
    "lasting current": (
        Neuron({"V": "(-V + I) / tau_mem", "I": "0 * I / tau_syn"}), "`neuron` has a state I that does not decay",
    ),
    "lasting second current": (
        Neuron({"V": "(-V + E + G) / tau_mem", "E": "-E / 5", "G": "0 * E"}, arrivals=("E", "G")),
        "`neuron` has a state G that does not decay",
    ),
    "level of another state": (
        Neuron({"V": "(-V + I) / tau_mem", "I": "-I / tau_syn", "a": "-a / tau_mem"}, spike="a - v_th"),
        "`neuron` has a level that does not read V",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_neuron_that_no_kernel_runs_is_refused(name: str) -> None:
    neuron, words = REFUSED[name]
    ones = {constant: 1.0 + n for n, constant in enumerate(neuron.constants)}
    with pytest.raises(UnsupportedError) as caught:
        Spiking(2, 3, neuron=neuron, **ones)  # type: ignore[arg-type]
    assert str(caught.value).startswith(words) and str(caught.value).endswith("`python -m reference` runs any neuron")


def test_bad_arguments_are_refused() -> None:
    """`spec` refuses bad constants, by their names; layers alone ask for a neuron that spikes."""
    with pytest.raises(SpecError, match=r"`constants\.c` is no constant"):
        Spiking(2, 3, neuron="alif", tau_a=3.0, beta=1.0, c=2.0)
    with pytest.raises(SpecError, match="`neuron` never spikes; read its voltage with an LI layer"):
        Spiking(2, 3, neuron="li")
    with pytest.raises(UnsupportedError, match="`readout` must be None, or one of LIF or LI neurons, got"):
        run_case(network("alif", 0, "mean_voltage"))


def test_constants_that_learned_beyond_their_bounds_are_refused() -> None:
    layer = Spiking(2, 3, neuron="adlif", tau_a=30.0, b=0.2)
    spikes = Spikes.from_trains([[[1.0], [2.0]]], 20.0)
    for name, value, words in (("tau_mem", -1.0, "of neuron 0 make it unstable"), ("v_th", -0.1, "at its threshold")):
        before = getattr(layer, name).detach().clone()
        torch.nn.init.constant_(getattr(layer, name), value)
        with pytest.raises(SpecError, match=words):
            layer(spikes)
        getattr(layer, name).data.copy_(before)


@EACH_OF_FAST
def test_identities_of_each_neuron(name: str) -> None:
    """The powers of a neuron's constants follow from its equations; a wrong gradient is seen."""
    neuron = ALL[name]
    values = {
        "tau_a": 30.0, "tau_c": 50.0, "tau_rise": 2.0, "tau_exc": 4.0, "tau_inh": 9.0, "beta": 0.2, "b": 0.2, "g": 2.0,
        "k": 0.1,
    }
    given: dict[str, Any] = {constant: values[constant] for constant in neuron.constants if constant in values}
    torch.manual_seed(1)
    sources = {"into": 2, "into_rec": 5}
    given |= {of: [neuron.arrivals[n % len(neuron.arrivals)] for n in range(s)] for of, s in sources.items()}
    layer = Spiking(2, 5, neuron=neuron, recurrent=True, dtype=torch.float64, **given)
    out = LI(5, 3, readout="mean_voltage", dtype=torch.float64).initialise_(1.0, 1.0)
    spikes = Spikes.from_trains([[[1.0, 4.0, 9.0], [2.0, 5.0, 7.0, 20.0]]] * 2, 50.0)
    layer.initialise_for_(spikes, rate=5.0)
    layer.initialise_recurrent_(0.0, 0.1, 5.0)
    with watched([layer, out], spikes):
        y = out(layer(spikes))
        y.retain_grad()
        cross_entropy(y, torch.tensor([0, 2])).backward()
        found = residuals([layer, out], spikes, y, y.grad)
        wrong = next(name for name in neuron.constants if name in exponents(neuron)[1])
        getattr(layer, wrong).grad *= 1.01
        assert residuals([layer, out], spikes, y, y.grad).B > 1e3 * U64
    assert all(one is not None and one < 100 * U64 for one in vars(found).values())


def test_equations_of_several_units_have_no_identity() -> None:
    """A threshold that is a number has no unit: nothing scales it with the weights."""
    rates = {"V": "(-V + I) / tau_mem", "I": "-I / tau_syn"}
    for spike in ("V - 1", "V - v_th - 1"):
        assert exponents(Neuron(rates, spike=spike))[0] is None
    of_voltage, of_time = exponents(Neuron(rates, spike="V - v_th - 2 * v_more + v_rest"))
    assert of_voltage == {"v_th": 1.0, "v_more": 1.0, "v_rest": 1.0, "v_reset": 1.0}
    assert of_time == {"tau_mem": 1.0, "tau_syn": 1.0}


@pytest.mark.full
def test_equations_without_constants() -> None:
    neuron = Neuron({"V": "(-V + I) / 20", "I": "-I / 5"}, spike="V - 1", reset={"V": "0"})
    ours = Spiking(2, 3, neuron=neuron, dtype=torch.float64)
    theirs = LIF(2, 3, dtype=torch.float64)
    spikes = Spikes.from_trains([[[1.0, 4.0, 9.0], [2.0, 5.0, 7.0, 20.0]]], 50.0)
    theirs.initialise_for_(spikes, rate=5.0)
    ours.load_state_dict({"w": theirs.w, "d": theirs.d})
    assert len(ours(spikes).times) and torch.equal(ours(spikes).times, theirs(spikes).times)
    assert repr(ours) == "Spiking(2 -> 3, max_delay=None)"


def test_states_in_another_order_are_another_neuron() -> None:
    """Kernels know the constants of an integral readout by their places in `lif`."""
    turned = Neuron({"I": "-I / tau_syn", "V": "(-V + I) / tau_mem"})
    assert turned != NEURONS["lif"] and hash(turned) != hash(NEURONS["lif"])


@pytest.mark.parametrize("name", ["constants", "d", "post", "half", "forward", "_buffers", "parametrizations"])
@every_run
def test_a_constant_may_have_the_name_of_an_attribute(name: str, run: Run) -> None:
    """Loss and gradients are those of LIF, bit for bit, in both implementations."""
    case = network("lif", 1, "spike_time_mse")
    neuron = Neuron({"V": f"(-V + I) / {name}", "I": "-I / tau_syn"})
    first, *others = case.network.populations
    renamed = (
        Population(p.name, "neuron", p.size, neuron=neuron, constants=dict(zip(neuron.constants, p.values.values())))
        for p in others
    )
    found, true = run(replace(case, network=Network((first, *renamed), case.network.connections))), run(case)
    assert found.loss == true.loss and found.gradients.populations["out"][name].all()
    for own, expected in true.gradients.populations.items():
        pairs = zip(found.gradients.populations[own].values(), expected.values(), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


@pytest.mark.full
def test_two_spellings_of_a_name_are_one_to_layers() -> None:
    """Python reads the micro sign as the Greek letter (specification, section 10)."""
    micro, mu = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"
    rates = {"V": f"(-V + {micro} + G) / {micro}_m", micro: f"-{mu} / 5", "G": "-G / 9"}
    neuron = Neuron(rates, arrivals=(mu, "G"))
    given: dict[str, Any] = {f"{micro}_m": 7.0}
    layer = Spiking(2, 3, neuron=neuron, into=["G", micro], dtype=torch.float64, **given)
    assert layer.constants[f"{mu}_m"].tolist() == [7.0] * 3 and layer.into.tolist() == [1, 0]
    torch.nn.init.constant_(layer.w, 9.0)
    spikes = Spikes.from_trains([[[1.0, 4.0, 9.0], [2.0, 5.0, 7.0]]], 30.0)
    respelled = {name.replace(mu, micro): values for name, values in layer.constants.items()}
    found = propagate_neurons(spikes, layer.w, layer.d, neuron, respelled, into=layer.into)
    assert len(found[0].times) and torch.equal(found[0].times, layer(spikes).times)
