"""Networks with almost no events, or at odd times, each with its expected result."""

import math
from dataclasses import replace

import numpy as np
import pytest

from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpecError, SpikeTrains
from tests.support.comparison import block_errors
from tests.support.implementations import Run, assert_true, every_readout, every_run
from tests.support.networks.documents import loss_of, spiking, two_neurons, wire
from tests.support.networks.documents import read as read_case
from tests.support.parameters import blocks
from tests.support.report_evidence import Measured
from tests.support.tolerances import U64, relative
from tests.support.truth import gradient


def chain(read: str, delays: list) -> Case:
    """Two inputs, two hidden neurons, two readout neurons; a delay of None means no synapse."""
    weights = [[None if d is None else 3.0 + i - j for j, d in enumerate(row)] for i, row in enumerate(delays)]
    neurons = {"size": 2, "tau_mem": 16.0, "tau_syn": 8.0}
    hidden = {**neurons, "name": "hidden", "tau_mem": 12.0, "tau_syn": 6.0, **spiking()}
    out = {**neurons, "name": "out", **({"kind": "li"} if read == "max_voltage" else spiking())}
    wires = [wire("in", "hidden", [[9.0, 2.0], [1.0, 8.0]], 0.0), wire("hidden", "out", weights, delays)]
    return read_case(60.0, [[0.5], [3.5, 9.25]], [hidden, out], wires, {"population": "out", **loss_of(read)})


@pytest.mark.check(26)
@every_run
@every_readout
def test_no_delay(run: Run, read: str, measured: Measured) -> None:
    case = chain(read, [[0.0, 0.0], [0.0, 0.0]])
    result = run(case)
    measured(assert_true(case, result).used, 1.0, 1)
    assert result.gradients.connections[1].dL_dd.any()


@pytest.mark.check(26, control=True)
@every_run
def test_control_a_delay_of_a_nanosecond_is_seen(run: Run, measured: Measured) -> None:
    case = chain("spikes", [[0.0, 0.0], [0.0, 0.0]])
    found = run(chain("spikes", [[1e-6, 0.0], [0.0, 0.0]]))
    errors = block_errors(case, found.gradients, gradient(case))
    measured(max(errors.values()), relative(U64, found.kappa_min), 1)
    with pytest.raises(AssertionError):
        assert_true(case, found)


@pytest.mark.check(26)
@pytest.mark.parametrize("both", [0.0, 1e-300], ids=["0", "tiny"])
def test_a_loop_without_delay_is_refused(both: float) -> None:
    """Spikes would be endless at one instant; with any delay a loop takes time."""
    loop = [Connection("a", "b", [[1.0]], [[both]]), Connection("b", "a", [[1.0]], [[0.0]])]
    populations = [Population(name, "lif", 1, 10.0, 5.0, 1.0, 0.0) for name in "ab"]
    if both:
        Network(tuple(populations), tuple(loop))
        return
    with pytest.raises(SpecError, match=r"without a loop of zero total delay"):
        Network(tuple(populations), tuple(loop))


@pytest.mark.check(27)
@every_run
@every_readout
@pytest.mark.parametrize("d", [60.1, 1e300], ids=["beyond T", "1e300"])
def test_a_delay_beyond_the_trial(run: Run, read: str, d: float) -> None:
    """The synapse acts like an absent one: gradient exactly 0, all other bits equal."""
    result, without = run(chain(read, [[0.7, d], [d, 0.3]])), run(chain(read, [[0.7, None], [None, 0.3]]))
    far, none = result.gradients.connections[1], without.gradients.connections[1]
    for found, cut in ((far.dL_dw, none.dL_dw), (far.dL_dd, none.dL_dd)):
        assert found[0, 1] == found[1, 0] == 0.0
        assert np.array_equal(np.diag(found), np.diag(cut))
    assert result.loss == without.loss


@pytest.mark.check(27)
@every_run
@every_readout
def test_an_input_after_the_end(run: Run, read: str) -> None:
    case = chain(read, [[0.7, 0.4], [0.2, 0.3]])
    first, second = case.inputs["in"]
    late = replace(case, inputs={"in": SpikeTrains((first, np.append(second, 60.5)))})
    result, without = run(late), run(case)
    assert result.gradients.inputs["in"][1][-1] == 0.0 and result.loss == without.loss
    assert np.array_equal(result.gradients.inputs["in"][1][:-1], without.gradients.inputs["in"][1])
    for found, cut in zip(result.gradients.connections, without.gradients.connections, strict=True):
        assert np.array_equal(found.dL_dw, cut.dL_dw) and np.array_equal(found.dL_dd, cut.dL_dd)


@pytest.mark.check(28)
@every_run
@every_readout
def test_a_silent_network(run: Run, read: str) -> None:
    w = -1.0 if read == "max_voltage" else 0.5
    result = run(two_neurons(spiking(), [[w, w]], [[1.0, 2.0]], [[0.5]], loss_of(read), 60.0))
    assert math.isfinite(result.loss) and result.kappa_min is None and result.ties == ()
    nothing = not any(np.any(values) for _, values in blocks(result.gradients))
    assert nothing == (read not in ("mean_voltage", "exp_weighted_voltage"))


@every_run
@pytest.mark.parametrize("readout", ["max_voltage", "mean_voltage", "exp_weighted_voltage", "first_spike_time"])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("given", [False, True], ids=["no input population", "no connection"])
def test_a_network_of_almost_nothing(run: Run, readout: str, size: int, given: bool) -> None:
    kind = "lif" if readout == "first_spike_time" else "li"
    constants = [np.full(size, value) for value in ((10.0, 5.0, 1.0, 0.0) if kind == "lif" else (10.0, 5.0))]
    inputs = {"in": SpikeTrains((np.array([1.0]),))} if given else {}
    populations = (Population("out", kind, size, *constants), *([Population("in", "input", 1)] if given else []))
    loss = CrossEntropy(readout, "out", 0, 5.0 if kind == "lif" else None)
    result = run(Case(Network(populations, ()), 20.0, inputs, loss))
    assert abs(result.loss - math.log(size)) <= U64
    assert not any(np.any(values) for _, values in blocks(result.gradients))
