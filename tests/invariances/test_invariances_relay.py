"""A relay neuron, which answers every spike with one spike, splits a delay in two."""

from dataclasses import replace

import numpy as np
import pytest

from delayprop.spec import Case, Connection, Network, Population, SpikeTimeMSE, SpikeTrains
from tests.support.implementations import RUNS
from tests.support.networks.rewriting import SPARE
from tests.support.report_evidence import Measured
from tests.support.tolerances import SAME_NETWORK


@pytest.mark.check(14)
@pytest.mark.parametrize("run", RUNS)
def test_a_relay_neuron_splits_a_delay(run: str, measured: Measured) -> None:
    """Both delays have the gradient of the one delay; the low reset prevents a second spike."""
    worst = relay_is_off(run, 1.0)
    measured(worst, SAME_NETWORK, 1, "4")
    assert worst <= SAME_NETWORK


@pytest.mark.check(14, control=True)
@pytest.mark.parametrize("run", RUNS)
def test_control_a_latency_a_millionth_longer_is_seen(run: str, measured: Measured) -> None:
    worst = relay_is_off(run, 1 + 1e-6)
    measured(worst, SAME_NETWORK, 1)
    assert worst > SAME_NETWORK


def relay_is_off(run: str, factor: float) -> float:
    rng = np.random.default_rng(4)
    inputs = {"in": SpikeTrains(tuple(np.array([t]) for t in (1.1, 3.6, 7.9)))}
    constants = (np.full(3, value) for value in (8.0, 3.0, 1.0, -9.0))
    relay, out = Population("relay", "lif", 3, *constants), replace(SPARE, name="out")
    loss = SpikeTimeMSE("out", SpikeTrains((np.array([6.0, 9.0, 15.0, 17.0]), np.array([14.0, 16.0, 19.0]))))
    w, d1, d2 = rng.uniform(3.0, 5.0, (3, 2)), rng.uniform(0.5, 3.0, 3), rng.uniform(0.5, 5.0, (3, 2))
    one_to_one = np.full((3, 3), None, object)
    np.fill_diagonal(one_to_one, 6.0)
    to_relay = Connection("in", "relay", one_to_one, np.diag(d1))
    behind = Connection("relay", "out", w, d2)
    relayed = Case(Network((Population("in", "input", 3), relay, out), (to_relay, behind)), 40.0, inputs, loss)
    true = RUNS[run](relayed)
    assert [len(train) for train in true.spikes["relay"]] == [1, 1, 1]
    latency = [float(t[0] - t_in[0]) - d for t, t_in, d in zip(true.spikes["relay"], inputs["in"], d1, strict=True)]
    straight = Connection("in", "out", w, (d1 + factor * np.array(latency))[:, None] + d2)
    found = RUNS[run](Case(Network((Population("in", "input", 3), out), (straight,)), 40.0, inputs, loss))
    first, second = true.gradients.connections
    (both,) = found.gradients.connections
    assert len(found.spikes["out"][0]) >= 3 and both.dL_dd.all()
    pairs = [(both.dL_dw, second.dL_dw), (both.dL_dd, second.dL_dd), (both.dL_dd.sum(1), np.diag(first.dL_dd))]
    pairs += [(np.concatenate(found.gradients.inputs["in"]), np.concatenate(true.gradients.inputs["in"]))]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)
