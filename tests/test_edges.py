"""Networks at the edge of what numbers can hold, each with the result that is expected of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest

import fast.run
import reference.__main__
from fast.run import run_case
from spec import Case, Connection, CrossEntropy, Network, Population, Result, SpikeTimeMSE, SpikeTrains, save_case
from tests.closed_forms import case_of, loss_of, one_neuron
from tests.comparison import Agreement, assert_same_activity, assert_same_gradients, gradient_blocks
from tests.tolerances import GROWTH, NEAR_EQUAL_TAUS
from tests.truth import Problem, gradient, simulate

RUNS: dict[str, Callable[[Case], Result]] = {"reference": reference.run, "fast": run_case}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
Run = Callable[[Case], Result]


def assert_true(case: Case, result: Result, limit: float | None = None) -> Agreement:
    """Spikes, loss and gradient against the ground truth."""
    true, truth = gradient(case), simulate(Problem.from_case(case))
    assert_same_activity(case, result, truth, true)
    return assert_same_gradients(case, result.gradients, true, truth.kappa_min, limit=limit)


def grazing(height: float) -> Case:
    """One spike of a voltage whose peak is `1 + height`, 1 being the threshold. With `tau_mem = 2 tau_syn`, it is `w/4`."""
    return case_of({"kind": "lif", "threshold": 1.0, "reset": -8.0}, [[4 * (1 + height), None]], [[1.75, None]], [[0.5]], {"kind": "spike_time_mse", "targets": [[5.0], []]}, 60.0)


HEIGHTS = [10.0**-k for k in range(1, 13)]


@every_run
@pytest.mark.parametrize("height", HEIGHTS)
def test_grazing(run: Run, height: float) -> None:
    """However low the peak over the threshold, the gradient is good to 100 u / kappa."""
    case = grazing(height)
    result = run(case)
    print(height, result.kappa_min, assert_true(case, result))


@every_run
def test_a_grazing_gradient_grows_with_the_root(run: Run) -> None:
    """`dt/dw` grows as `(peak - v_th)^(-1/2)`, and nothing clips it."""
    slopes = [abs(run(grazing(h)).gradients.connections[0].dL_dw[0, 0]) for h in HEIGHTS[4:10]]
    exponent = np.polyfit(np.log(HEIGHTS[4:10]), np.log(slopes), 1)[0]
    assert abs(exponent + 0.5) <= GROWTH


@every_run
def test_a_peak_that_touches(run: Run) -> None:
    """A peak exactly at threshold is no spike; one ulp more is."""
    assert [len(train) for train in run(grazing(0.0)).spikes["out"]] == [0, 0]
    assert [len(train) for train in run(grazing(1e-13)).spikes["out"]] == [1, 0]


@every_run
@pytest.mark.parametrize("read", ["spikes", "max_voltage", "mean_voltage", "exp_weighted_voltage", "first_spike_time"])
@pytest.mark.parametrize("delta", [0.0] + [s * 10.0**-k for k in (15, 12, 9, 7, 5, 3, 1) for s in (1, -1)])
def test_nearly_equal_time_constants(run: Run, read: str, delta: float) -> None:
    """`tau_mem = tau_syn (1 + delta)` costs no digits."""
    case = one_neuron(read, tau_syn=16.0 / (1 + delta), kind="li" if read == "max_voltage" else "lif")
    print(assert_true(case, run(case), NEAR_EQUAL_TAUS))
