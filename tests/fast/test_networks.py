"""Networks that are no plain chain: masks of synapses, short calls, recurrent layers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from delayprop import membrane_traces, spike_count_penalty, wake_
from delayprop.fast import LIF, Network, Spikes, cross_entropy, param_groups, project_
from delayprop.fast.nn.graph import arrival_states, groups
from delayprop.fast.nn.interchange import case_of, network_of
from delayprop.fast.nn.loading import load_into
from delayprop.spec import NEURONS, Connection, Population, UnsupportedError
from delayprop.spec import Network as NetworkSpec
from tests.support.networks.layers import given_spikes
from tests.support.networks.nir_networks import bits
from tests.support.refusals import assert_refused

MASK = np.array([[True, False, True, False], [False, True, True, False], [True, True, False, True]])
NAN, WEIGHTS = float("nan"), np.arange(12.0).reshape(3, 4) / 4 + 2
DELAYS = np.linspace(0.0, 5.5, 12).reshape(3, 4)
RAGGED = np.where(MASK, WEIGHTS, NAN), np.where(MASK, DELAYS, -1.0)  # what no synapse has is not read


def described() -> NetworkSpec:
    populations = (
        Population("in", "input", 3), Population("hidden", "lif", 4, 20.0, 5.0, 1.0, -0.2),
        Population("out", "li", 2, 20.0, 5.0),
    )
    to_out = torch.linspace(-1.0, 1.0, 8, dtype=torch.float64).reshape(4, 2)
    return NetworkSpec(populations, (Connection("in", "hidden", *RAGGED, MASK), Connection("hidden", "out", to_out, 1)))


@pytest.mark.parametrize("made", [np.array, torch.tensor, np.ndarray.tolist], ids=["array", "tensor", "lists"])
def test_a_mask_is_none_where_it_is_false(made: Any) -> None:
    plain = [[w if given else None for w, given in zip(*pair, strict=True)] for pair in zip(WEIGHTS, MASK, strict=True)]
    wanted = Connection("in", "hidden", plain, DELAYS.tolist())
    for w, d in (RAGGED, (WEIGHTS, DELAYS)):
        found = Connection("in", "hidden", made(w), made(d), made(MASK))
        assert all(np.array_equal(getattr(found, name), getattr(wanted, name)) for name in ("w", "d", "exists"))
    assert Connection("in", "hidden", made(WEIGHTS), 1).exists.all()


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "mask of numbers": ({"exists": MASK * 1.0}, r"`exists` must be booleans of shape \[pre, post\], got float64"),
    "mask of ragged rows": ({"exists": [[True], [True, False]]}, "`exists` .* got rows of several lengths; give True"),
    "mask of a row": ({"exists": MASK[0]}, r"`exists` must be booleans .* got bool \[4\]"),
    "mask of another shape": ({"exists": MASK[:2]}, "`w` must be a list of 2, one for each source neuron, got"),
    "NaN at a synapse": ({"w": np.where(WEIGHTS == 2.5, NAN, 1.0)}, r"`w\[0\]\[2\]` must be a finite number, got nan"),
    "no weight at a synapse": ({"w": [[None] * 4] * 3}, r"`w\[0\]\[0\]` must be a finite number, got null"),
    "a delay below 0": ({"d": DELAYS - 1}, r"`d\[0\]\[0\]` must be a finite number of at least 0 \(ms\), got -1.0"),
    "delays of another shape": ({"d": DELAYS[:, 1:]}, r"`d\[0\]` must be a list of 4, one for each target neuron"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_synapse_without_its_numbers_is_named(name: str) -> None:
    change, words = WRONG[name]
    given: dict[str, Any] = {"w": WEIGHTS, "d": DELAYS, "exists": MASK, **change}
    assert_refused(lambda: Connection("in", "hidden", **given), words)


def test_short_calls_of_a_network() -> None:
    net = Network(described(), torch.float64)
    long = net({"in": given_spikes()}, ("out", "max_voltage"))
    short = net(given_spikes(), read="out")
    assert torch.equal(short.y, long.y) and long.y.any() and short.spikes["hidden"] == long.spikes["hidden"]
    assert not torch.equal(net(given_spikes(), read=("out", "mean_voltage")).y, short.y)
    first, hidden, _ = described().populations
    alone = Network(NetworkSpec((first, hidden), described().connections[:1]), torch.float64)
    assert torch.equal(net(given_spikes(), read="hidden").y, alone(given_spikes(), read="hidden").y), "amid others"


LAYERS: dict[str, tuple[Callable[[Any], object], str]] = {
    "penalty": (lambda net: spike_count_penalty(net, given_spikes(), 1.0, 1.0), "`layer` must be a layer that spikes"),
    "wake": (lambda net: wake_(net, torch.zeros(2), 0.1), "`layer` must be a layer that spikes, got {}; give one"),
    "traces": (lambda net: membrane_traces(net, given_spikes(), [1.0]), "`layer` must be a LIF or LI layer, got {}"),
    "graph": (Network, "`network` must be a `delayprop.NetworkSpec`, got {}; `network_of.* `NetworkSpec.popul"),
    "load": (lambda net: load_into([LIF(3, 2)], net), "`network` must be a `delayprop.NetworkSpec`, got {}; `network_"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_helpers_of_layers_and_networks_refuse_others(name: str) -> None:
    call, words = LAYERS[name]
    wrong: list[Any] = [nn.Sequential(LIF(3, 2)), Network(described())]
    for given in [*wrong, LIF(3, 2), described().populations] if name == "graph" else wrong:
        assert_refused(partial(call, given), words.format(type(given).__name__))
    words = "`layers` must be a list of layers, got Network; list them"
    assert_refused(lambda: load_into(wrong[1], described()), words)
    assert_refused(lambda: case_of(wrong[1], given_spikes(), 0, 0), words)


def test_a_call_that_names_nothing_is_answered() -> None:
    net, spikes, raster = Network(described()), given_spikes(), torch.zeros(9, 2, 3)
    assert_refused(partial(net, spikes, "max_voltage"), "`read` must be one of hidden, out, got 'max_voltage'; choose")
    for read in (3, ("out",), ("out", "max_voltage", "hidden")):
        assert_refused(partial(net, spikes, read), "`read` must be a.* population and its readout, got")
    for inputs, name in ((raster, "inputs"), ({"in": raster}, "inputs.in")):
        words = f"`{name}` must be a `delayprop.Spikes`, got Tensor .* `Spikes.from_dense"
        assert_refused(partial(net, inputs), words)
    two = (Population("a", "input", 3), Population("b", "input", 3), *described().populations[1:2])
    words = "`inputs` must be a dict with the spikes of a, b, got one `Spikes`; give"
    assert_refused(lambda: Network(NetworkSpec(two, ()))(spikes), words)
    for size in (2, 6):
        others = Spikes.from_trains([[[1.0]] * size], 9.0)
        assert_refused(partial(net, others), f"`inputs.in` must be spikes of 3 neurons, got {size}")
    for a, b in ((spikes, spikes[:2]), (spikes[:2], spikes), (spikes, spikes.until(9.0)), (spikes.until(9.0), spikes)):
        words = f"`inputs.b` must be of {a.trials} trials of {a.duration} ms, as the other inputs, got {b.trials} tri"
        assert_refused(partial(Network(NetworkSpec(two, ())), {"a": a, "b": b}), words)
    alone = Network(NetworkSpec(described().populations[1:], described().connections[1:]))
    assert alone(Spikes.from_trains([[[1.0]]], 9.0)).spikes["hidden"].shape == (1, 4), "no input: any spikes do"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_training_of_a_sparse_network_and_its_description(dtype: torch.dtype) -> None:
    net = Network(described(), dtype)
    optimiser = torch.optim.Adam(param_groups(net, lr=0.05, delay_lr=0.5, constants_lr=0.01, threshold_lr=0.01))
    for _ in range(5):
        optimiser.zero_grad()
        cross_entropy(net(given_spikes(), read="out").y, torch.tensor([0, 1, 1])).backward()
        optimiser.step()
        project_(net)
    w, d = net.synapses[0].w.detach().numpy(), net.synapses[0].d.detach().numpy()
    assert not w[~MASK].any() and not d[~MASK].any() and (w[MASK] != WEIGHTS[MASK].astype(w.dtype)).all()
    learned = network_of(net)
    assert [bits(learned)] != [bits(described())]
    assert bits(network_of(Network(learned, dtype))) == bits(learned)
    first = learned.connections[0]
    assert np.array_equal(first.w, w) and np.array_equal(first.d, d) and np.array_equal(first.exists, MASK)
    assert learned.populations[1].v_th.tolist() == net.constants[1].v_th.tolist() != [1.0] * 4
    assert torch.equal(Network(learned, dtype)(given_spikes(), read="out").y, net(given_spikes(), read="out").y)
    assert_refused(lambda: network_of(net, ["a", "b", "c"]), "`names` must be left out for a `Network`")
    torch.nn.init.constant_(net.synapses[1].d, -0.5)
    assert_refused(lambda: network_of(net), r"`synapses\[1\].d\[0\]\[0\]` must be a finite number of at least 0")


def test_parameters_of_a_loop_are_drawn_and_clamped() -> None:
    hidden = LIF(3, 4, recurrent=True, max_delay=8.0, dtype=torch.float64).initialise_(4.0, 1.0, 3.0)
    hidden.initialise_recurrent_(0.5, 1.0, 2.0)
    assert bool((hidden.d_rec <= 2.0).all()) and float(hidden.w_rec.detach().std()) > 0.3
    with torch.no_grad():
        hidden.d_rec[0, 0], hidden.d_rec[1, 1], hidden.d[0, 0] = -1.0, 9.0, -2.0
    assert hidden.project_() == 3 and hidden.d_rec.diagonal().tolist()[:2] == [0.1, 8.0]
    network_of([hidden])  # so a loop takes time, as the specification asks


def test_a_new_loop_reaches_no_neuron_until_it_is_drawn() -> None:
    plain = LIF(3, 4, tau_mem=9.0, tau_syn=4.0, dtype=torch.float64)
    hidden = LIF(3, 4, tau_mem=9.0, tau_syn=4.0, recurrent=True, dtype=torch.float64)
    for layer in (plain, hidden):
        layer.initialise_(4.0, 1.0, 3.0, torch.Generator().manual_seed(0))
    assert torch.allclose(hidden(given_spikes()).times, plain(given_spikes()).times, rtol=1e-14, atol=0)


@pytest.mark.parametrize("outside", [True, False], ids=["from an input", "alone"])
def test_a_layer_of_connections_holds_a_pair_once_and_raises_a_state_per_source(outside: bool) -> None:
    """Loops of two populations, of which some connections raise one current, some the other."""
    neuron = NEURONS["two-synapses"]
    first, second = neuron.arrivals
    values = dict.fromkeys(neuron.constants, 1.0) | {"v_reset": 0.0}
    a, b = (Population(name, "neuron", n, neuron=neuron, constants=values) for name, n in (("a", 1), ("b", 2)))
    of_a = [(a, a, first), (a, b, second), (a, b, first), (a, a, second)]
    links = [*of_a, (b, a, second), (b, a, second), (b, b, first)]
    loops = [Connection(one.name, to.name, np.ones((one.size, to.size)), 1.0, into=into) for one, to, into in links]
    network = NetworkSpec((Population("in", "input", 1), a, b), (*loops, Connection("in", "a", [[1.0]], 1.0)))
    if not outside:
        network = NetworkSpec((a, b), tuple(loops))
    (group,) = groups(network)
    assert group.inside == ((0, 4, 2), (3, 5, 1), (6,))
    assert group.outside == ((7,) if outside else ())
    states = arrival_states(network, group)
    assert states.tolist() == [0, *(0, 1, 1), *(1, 1, 1), *(0, 0, 0)], "a row without a source, if there is none"
    assert arrival_states(described(), groups(described())[0]) is None
    loop = (Connection("a", "c", np.ones((1, 2)), 1.0), Connection("c", "a", np.ones((2, 1)), 1.0, into=first))
    other = NetworkSpec((a, Population("c", "lif", 2, 20.0, 5.0, 1.0, 0.0)), loop)
    with pytest.raises(UnsupportedError, match="the same in all populations of a loop, got different ones in a, c"):
        Network(other)
