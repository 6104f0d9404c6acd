"""Layers of `fast` to networks and cases of the specification, and back, with equal spikes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import nn

from delayprop.fast import LIF, cross_entropy
from delayprop.fast.nn.interchange import case_of, load_into, network_of
from delayprop.reference import run
from delayprop.reference.__main__ import main
from delayprop.spec import Network, load_case, save_case
from delayprop.spec.nir_graph import from_nir, to_nir
from tests.support.networks.layers import DURATION, given_spikes
from tests.support.networks.nir_networks import bits
from tests.support.networks.rows import LABELS, row, trained

DTYPES = {torch.float32: 1e-4, torch.float64: 1e-10}
"""Tolerance of spike times (ms) and readouts against the reference."""


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("trial", range(3))
def test_trained_layers_in_the_reference(
    dtype: torch.dtype, trial: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spikes, readout and loss are equal through a case file and the command line."""
    made = trained(dtype)
    path = tmp_path / "case.json"
    save_case(case_of(made, given_spikes(), trial, int(LABELS[trial])), path)
    assert main([str(path)]) == 0
    result = json.loads(capsys.readouterr().out)
    spikes = given_spikes()
    for name, layer in zip(("hidden1", "hidden2"), made):
        assert isinstance(layer, LIF)
        spikes = layer(spikes)
        found = spikes.to_lists()[trial]
        assert [len(train) for train in found] == [len(train) for train in result["spikes"][name]]
        assert trial == 2 or sum(len(train) for train in found) > 4
        for ours, exact in zip(found, result["spikes"][name]):
            assert np.allclose(ours, exact, rtol=0, atol=DTYPES[dtype])
    y = made[-1](spikes)
    assert np.allclose(y[trial].tolist(), result["readout"], rtol=0, atol=DTYPES[dtype])
    loss = float(cross_entropy(y[trial : trial + 1], LABELS[trial : trial + 1]).detach())
    assert loss == pytest.approx(result["loss"], abs=DTYPES[dtype])


def test_training_has_changed_every_connection() -> None:
    """So the interchange tests use numbers that no new layer has."""
    start, end = network_of(row()), network_of(trained(torch.float64))
    for before, after in zip(start.connections, end.connections):
        assert (before.w != after.w).any() and (before.d != after.d).any()
    for one, other in zip(start.populations[1:], end.populations[1:]):
        assert (one.tau_mem != other.tau_mem).all()


def test_control_another_trial_or_weight_is_another_result() -> None:
    made = trained(torch.float64)
    first = run(case_of(made, given_spikes(), 0, 0))
    assert run(case_of(made, given_spikes(), 1, 0)).loss != first.loss
    with torch.no_grad():
        made[0].w[0, 0] += 1e-6
    assert run(case_of(made, given_spikes(), 0, 0)).loss != first.loss


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_state_comes_back_bit_for_bit(dtype: torch.dtype) -> None:
    """Layers, their state through a file, and new layers give one network, and back."""
    made, restored, loaded = trained(dtype), row(dtype, seed=1), row(dtype, seed=2)
    file = io.BytesIO()
    torch.save(nn.Sequential(*made).state_dict(), file)
    file.seek(0)
    nn.Sequential(*restored).load_state_dict(torch.load(file, weights_only=True))
    assert bits(network_of(restored)) == bits(network_of(made)) != bits(network_of(loaded))
    load_into(loaded, network_of(made))
    assert bits(network_of(loaded)) == bits(network_of(made))
    theirs_by_key = nn.Sequential(*loaded).state_dict()
    for key, ours in nn.Sequential(*made).state_dict().items():
        theirs = theirs_by_key[key]
        assert ours.dtype == theirs.dtype == dtype and torch.equal(ours, theirs), key


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
