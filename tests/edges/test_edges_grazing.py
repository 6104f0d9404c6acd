"""Grazing spikes: the gradient obeys the root law and keeps its digits; differences fail."""

import math
from dataclasses import replace

import numpy as np
import pytest

from delayprop.spec import Case
from tests.support.comparison import block_errors
from tests.support.implementations import Run, assert_true, every_run
from tests.support.networks.documents import spiking, two_neurons
from tests.support.networks.rewriting import with_connections
from tests.support.report_evidence import Measured
from tests.support.tolerances import GROWTH, U64, relative, times
from tests.support.truth import OrderChanged, Problem, difference, gradient, simulate

LOSS = {"kind": "spike_time_mse", "targets": [[5.0], []]}


def grazing(height: float) -> Case:
    """One spike of a voltage with peak `1 + height`, a quarter of the weight at tau ratio 2."""
    return two_neurons(spiking(reset=-8.0), [[4 * (1 + height), None]], [[1.75, None]], [[0.5]], LOSS, 60.0)


HEIGHTS = [10.0**-k for k in range(1, 13)]


@pytest.mark.check(23)
@every_run
@pytest.mark.parametrize("height", HEIGHTS)
def test_grazing(run: Run, height: float, measured: Measured) -> None:
    """However low the peak above threshold, the relative error is at most 100 u / kappa."""
    case = grazing(height)
    result = run(case)
    measured(assert_true(case, result).used, 1.0, 1)
    errors = block_errors(case, result.gradients, gradient(case))
    measured.keep("grazing", {
        "height": height, "kappa": result.kappa_min, "implementation": run.__module__.split(".")[0],
        "error": errors["connections[0].weights"], "differences": error_of_differences(run, case),
    })


def error_of_differences(run: Run, case: Case) -> float:
    """The relative error of central float64 differences by the weight, across a vanishing spike."""
    (only,) = case.network.connections
    step = 1e-6 * only.w[0, 0]
    above, below = (run(with_connections(case, [replace(only, w=only.w + move)])).loss for move in (step, -step))
    return abs(float(above - below) / (2 * step) / float(gradient(case).connections[0].dL_dw[0, 0]) - 1)


@pytest.mark.check(23, control=True)
@every_run
@pytest.mark.parametrize("height", HEIGHTS[7:])
def test_control_differences_in_float64_fail_here(run: Run, height: float, measured: Measured) -> None:
    """A step of 1e-6 makes the spike vanish: no digit of the gradient is right."""
    case = grazing(height)
    off = error_of_differences(run, case)
    measured(off, relative(U64, run(case).kappa_min), 1)
    assert off > 0.5


@pytest.mark.check(23)
@every_run
def test_a_grazing_gradient_grows_with_the_root(run: Run, measured: Measured) -> None:
    """`dt/dw` grows as `(peak - v_th)^(-1/2)`, and nothing clips it."""
    slopes = [abs(run(grazing(h)).gradients.connections[0].dL_dw[0, 0]) for h in HEIGHTS[4:10]]
    exponent = np.polyfit(np.log(HEIGHTS[4:10]), np.log(slopes), 1)[0]
    measured(abs(exponent + 0.5), GROWTH, 6)
    assert abs(exponent + 0.5) <= GROWTH


@pytest.mark.check(24)
@pytest.mark.parametrize("height", HEIGHTS)
def test_differences_across_a_vanishing_spike_are_refused(height: float, measured: Measured) -> None:
    """The order of events differs on the two sides: the loss jumps, and has no derivative."""
    problem = Problem.from_case(grazing(height))
    threshold = ("v_th", "out", 0)
    with pytest.raises(OrderChanged):
        difference(problem, threshold, h=f"{2 * height:.3e}")
    losses = []
    for side in (0.5, 1.5):
        moved = Problem.from_case(grazing(height))
        moved.values[threshold] += side * height
        losses.append(simulate(moved).loss)
    jump = float(abs(losses[1] - losses[0]))
    measured.keep("jumps", {"height": height, "jump": jump})
    measured(0, 0, 1)
    assert jump > 1000


@pytest.mark.check(24, control=True)
@pytest.mark.parametrize("height", HEIGHTS[:8])
def test_control_differences_that_cross_nothing_are_not_refused(height: float) -> None:
    difference(Problem.from_case(grazing(height)), ("v_th", "out", 0), h=f"{1e-3 * height:.3e}")


@every_run
def test_a_peak_that_touches(run: Run) -> None:
    assert [len(train) for train in run(grazing(0.0)).spikes["out"]] == [0, 0]
    assert [len(train) for train in run(grazing(1e-14)).spikes["out"]] == [1, 0]


@every_run
def test_an_arrival_at_a_peak_that_touches(run: Run) -> None:
    """The arrival makes a flat voltage rise: rounding moves the spike by tau_mem u^(1/2)."""
    peak = 0.5 + 16 * math.log(2)
    weights, delays = [[4.0, None], [3.0, None]], [[0.0, None], [0.0, None]]
    (t,), _ = run(two_neurons(spiking(reset=-8.0), weights, delays, [[0.5], [peak]], LOSS, 60.0)).spikes["out"]
    assert abs(t - peak) <= times(U64, U64, 60.0)
