"""`LIF(..., recurrent=True)`: one module whose neurons also reach each other."""

import copy

import torch

from delayprop.fast import LI, LIF, Network, cross_entropy
from delayprop.fast.nn.interchange import load_into, network_of
from tests.support.networks.layers import given_spikes

OUT = "exp_weighted_voltage"


def layers(dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[LIF, LI]:
    """Three sources, four recurrent neurons that spike again and again, two readouts."""
    random = torch.Generator().manual_seed(seed)
    hidden = LIF(3, 4, tau_mem=9.0, tau_syn=4.0, recurrent=True, max_delay=8.0, dtype=dtype)
    hidden.initialise_(4.0, 1.0, 3.0, random).initialise_recurrent_(0.5, 1.0, 2.0, random)
    return hidden, LI(4, 2, readout=OUT, dtype=dtype).initialise_(0.0, 1.0, 2.0, random)


def test_it_is_the_network_with_a_connection_back() -> None:
    hidden, out = layers()
    cross_entropy(out(hidden(given_spikes())), torch.tensor([0, 1, 1])).backward()
    network = Network(network_of([hidden, out]), torch.float64)
    activity = network({"in": given_spikes()}, ("out", OUT))
    assert activity.y is not None
    cross_entropy(activity.y, torch.tensor([0, 1, 1])).backward()
    assert len(activity.spikes["hidden1"].times) > 10
    assert torch.equal(hidden(given_spikes()).times, activity.spikes["hidden1"].times)
    into, back = network.synapses[:2]
    for ours, theirs in ((hidden.w, into.w), (hidden.d, into.d), (hidden.w_rec, back.w), (hidden.d_rec, back.d)):
        assert ours is not None and ours.grad is not None and theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad) and bool((theirs.grad != 0).any())


def test_parameters_are_drawn_clamped_saved_and_copied() -> None:
    hidden, _ = layers()
    assert hidden.w_rec is not None and hidden.d_rec is not None
    assert bool((hidden.d_rec <= 2.0).all()) and float(hidden.w_rec.detach().std()) > 0.3
    assert set(hidden.state_dict()) == {"w", "d", "w_rec", "d_rec", "tau_mem", "tau_syn", "v_th", "v_reset"}
    other = layers(seed=1)[0]
    other.load_state_dict(hidden.state_dict())
    assert torch.equal(other(given_spikes()).times, hidden(given_spikes()).times)
    copied = copy.deepcopy(hidden).w_rec
    assert copied is not None and torch.equal(copied, hidden.w_rec)
    with torch.no_grad():
        hidden.d_rec[0, 0], hidden.d_rec[1, 1], hidden.d[0, 0] = -1.0, 9.0, -2.0
    assert hidden.project_() == 3 and hidden.d_rec.diagonal().tolist()[:2] == [0.1, 8.0]
    network_of([hidden])  # so a loop takes time, as the specification asks


def test_a_new_one_reaches_no_neuron_until_it_is_drawn() -> None:
    plain = LIF(3, 4, tau_mem=9.0, tau_syn=4.0, dtype=torch.float64)
    hidden = LIF(3, 4, tau_mem=9.0, tau_syn=4.0, recurrent=True, dtype=torch.float64)
    for layer in (plain, hidden):
        layer.initialise_(4.0, 1.0, 3.0, torch.Generator().manual_seed(0))
    assert torch.allclose(hidden(given_spikes()).times, plain(given_spikes()).times, rtol=1e-14, atol=0)


def test_a_network_with_a_connection_back_is_loaded_bit_for_bit() -> None:
    (hidden, out), (other, read) = layers(), layers(seed=1)
    load_into([other, read], network_of([hidden, out]))
    for one, two in zip(hidden.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
