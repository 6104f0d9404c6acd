"""A network too dense for differences: a spike changes place within any useful step. The tangent
decides, which follows the events of the reference without an adjoint."""

import numpy as np
import pytest

from delayprop.fast.run import run_case
from delayprop.spec import Case
from tests.support.comparison import scaled
from tests.support.networks.documents import cross_entropy, li, lif, read, wire
from tests.support.tangent import dot_product, random_direction
from tests.support.tolerances import DOT_PRODUCT

INPUTS, NEURONS = 20, 200


def dense() -> Case:
    """200 neurons that all reach each other, by delays of 0.5 to 10 ms; some spikes each."""
    rng = np.random.default_rng(0)

    def drawn(source: str, target: str, mean: float, sd: float, longest: float, pre: int, post: int) -> dict:
        weights = rng.normal(mean, sd, (pre, post)).tolist()
        return wire(source, target, weights, rng.uniform(0.5, longest, (pre, post)).tolist())

    wires = [
        drawn("in", "hid", 1.0, 1.0, 5.0, INPUTS, NEURONS), drawn("hid", "hid", 0.0, 0.15, 10.0, NEURONS, NEURONS),
        drawn("hid", "out", 0.02, 0.05, 5.0, NEURONS, 2),
    ]
    inputs = [[float(t)] for t in rng.uniform(0.0, 10.0, INPUTS)]
    return read(20.0, inputs, [lif("hid", NEURONS), li("out", 2)], wires, cross_entropy("max_voltage"))


@pytest.mark.full
def test_a_dense_recurrent_network_has_the_gradient_of_the_tangent() -> None:
    case = dense()
    found = run_case(case)
    assert sum(map(len, found.spikes["hid"])) > NEURONS
    direction = random_direction(found.gradients, 0)
    off, size = dot_product(case, found.gradients, direction)
    off_by_a_billionth, _ = dot_product(case, scaled(found.gradients, "w", 1 + 1e-9), direction)
    assert off <= DOT_PRODUCT * size < off_by_a_billionth
