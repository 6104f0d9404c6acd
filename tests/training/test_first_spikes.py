"""Outputs that spike: their first spikes are read, and learn by the gradient of the reference."""

import numpy as np
import pytest
import torch

import delayprop.reference as reference
from delayprop.fast.nn.interchange import case_of
from delayprop.fast.training.gradient_checks import certify
from tests.support.runs.short_runs import busy, busy_spikes


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
