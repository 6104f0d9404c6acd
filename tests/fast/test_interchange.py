"""Layers of `fast` to networks and cases of the specification, and back, with equal spikes."""

from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import nn

from delayprop.fast import LIF, cross_entropy
from delayprop.fast.nn.interchange import case_of, load_into, network_of
from delayprop.reference import run
from delayprop.spec import Network, load_case, save_case
from delayprop.spec.nir_graph import from_nir, to_nir
from tests.support.networks.layers import DURATION, LABELS, given_spikes, row, trained
from tests.support.networks.nir_networks import bits

DTYPES = {torch.float32: 1e-4, torch.float64: 1e-10}
"""Tolerance of spike times (ms) and readouts against the reference."""


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("trial", range(3))
def test_trained_layers_in_the_reference(dtype: torch.dtype, trial: int, tmp_path: Path) -> None:
    made, spikes, error = trained(dtype), given_spikes(), DTYPES[dtype]
    save_case(case_of(made, spikes, trial, int(LABELS[trial])), tmp_path / "case.json")
    result = run(load_case(tmp_path / "case.json"))
    for name, layer in zip(("hidden1", "hidden2"), made):
        assert isinstance(layer, LIF)
        spikes = layer(spikes)
        found = spikes.to_lists()[trial]
        assert [len(train) for train in found] == [len(train) for train in result.spikes[name]]
        assert trial == 2 or sum(len(train) for train in found) > 4
        assert all(np.allclose(*pair, rtol=0, atol=error) for pair in zip(found, result.spikes[name]))
    y = made[-1](spikes)
    assert result.readout is not None and np.allclose(y[trial].tolist(), result.readout, rtol=0, atol=error)
    loss = float(cross_entropy(y[trial : trial + 1], LABELS[trial : trial + 1]).detach())
    assert loss == pytest.approx(result.loss, abs=error)


def test_training_has_changed_every_connection() -> None:
    start, end = network_of(row()), network_of(trained(torch.float64))
    for before, after in zip(start.connections, end.connections):
        assert (before.w != after.w).any() and (before.d != after.d).any()
    for one, other in zip(start.populations[1:], end.populations[1:]):
        assert (one.tau_mem != other.tau_mem).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_layers_load_a_network_bit_for_bit(dtype: torch.dtype) -> None:
    made, loaded = trained(dtype), row(dtype, seed=2)
    assert bits(network_of(loaded)) != bits(network_of(made))
    load_into(loaded, network_of(made))
    assert bits(network_of(loaded)) == bits(network_of(made))
    for ours, theirs in zip(nn.Sequential(*made).parameters(), nn.Sequential(*loaded).parameters(), strict=True):
        assert ours.dtype == theirs.dtype == dtype and torch.equal(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_trained_network_goes_through_nir_into_other_row(dtype: torch.dtype, tmp_path: Path) -> None:
    made, loaded = trained(dtype), row(dtype, seed=2)
    nir.write(tmp_path / "network.nir", to_nir(network_of(made)))
    load_into(loaded, from_nir(nir.read(tmp_path / "network.nir")))
    assert torch.equal(nn.Sequential(*loaded)(given_spikes()), nn.Sequential(*made)(given_spikes()))


def test_contents_of_network_and_case(tmp_path: Path) -> None:
    """float32 numbers become equal float64 numbers; kinds, names, inputs and loss stay."""
    made = row(torch.float32)
    network = network_of(made)
    assert [(p.name, p.kind, p.size) for p in network.populations] == [
        ("in", "input", 3), ("hidden1", "lif", 6), ("hidden2", "lif", 4), ("out", "li", 3)
    ]
    for layer, connection, population in zip(made, network.connections, network.populations[1:]):
        assert connection.exists.all() and connection.w.dtype == np.float64
        assert connection.w.tolist() == layer.w.tolist() and connection.d.tolist() == layer.d.tolist()
        for name in ("tau_mem", "tau_syn", "v_th", "v_reset"):
            ours, theirs = getattr(layer, name), getattr(population, name)
            assert (ours is None) == (theirs is None) and (ours is None or ours.tolist() == theirs.tolist())
    case = case_of(made, given_spikes(), 1, 2, ["eye", "a", "b", "say"])
    save_case(case, tmp_path / "case.json")
    for found in (case, load_case(tmp_path / "case.json")):
        assert [train.tolist() for train in found.inputs["eye"]] == given_spikes().to_lists()[1]
        assert found.duration == DURATION and found.loss == case.loss
        assert bits(found.network) == bits(network_of(made, ["eye", "a", "b", "say"]))
    alone = network_of([LIF(2, 1)])
    assert [p.name for p in alone.populations] == ["in", "out"] and alone.populations[1].kind == "lif"


def test_a_network_is_loaded_whichever_way_it_is_listed() -> None:
    network, made = network_of(row()), row(seed=3)
    load_into(made, Network(network.populations[::-1], network.connections[::-1]))
    assert bits(network_of(made)) == bits(network)
