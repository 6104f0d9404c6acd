"""Two things at one instant: what the specification says, flagged, and one-sided derivatives of exactly that.

The ground truth is put on the very tie, to 50 digits, and is differentiated on the side that the rule names. A
parameter moves the crossing; on which side of it lies the written order is known from the crossing time's own derivative.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

import reference
from fast.run import run_case
from spec import Case, Gradients, Result, Tie, case_from_text
from tests.comparison import block_errors, gradient_blocks
from tests.tolerances import DIFFERENCE_OF_TIE
from tests.truth import Key, Problem, difference, gradient, simulate

Run = Callable[[Case], Result]
RUNS: dict[str, Run] = {"reference": reference.run, "fast": run_case}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)

CROSSING_ARRIVAL, END_SPIKE, END_ARRIVAL = "arrival_at_crossing", "spike_at_end", "arrival_at_end"
EQUAL, SIMULTANEOUS = "equal_maxima", "simultaneous_arrivals_at_maximum"
Arrivals = list[tuple[float, float]]
"""Weight and time of what arrives, each from an input neuron of its own with a delay of 0.5 ms."""


def case_of(arrivals: Arrivals, loss: dict, kind: str = "lif", T: float = 60.0) -> Case:
    """One neuron that receives these, and one that receives nothing."""
    constants = {"threshold": 1.0, "reset": -0.25} if kind == "lif" else {}
    return case_from_text(
        json.dumps(
            {
                "format": "eventprop-case/1",
                "duration": T,
                "populations": [
                    {"name": "in", "kind": "input", "size": len(arrivals)},
                    {"name": "out", "kind": kind, "size": 2, "tau_mem": 16.0, "tau_syn": 6.0, **constants},
                ],
                "connections": [
                    {"source": "in", "target": "out", "weights": [[w, None] for w, _ in arrivals], "delays": 0.5}
                ],
                "inputs": {"in": [[t - 0.5] for _, t in arrivals]},
                "loss": {"population": "out", **loss},
            }
        )
    )


def spikes_near(*targets: float) -> dict:
    return {"kind": "spike_time_mse", "targets": [list(targets), []]}


def read(readout: str) -> dict:
    return {"kind": "cross_entropy", "readout": readout, "label": 1}


def one_sided(problem: Problem, sides: dict[Key, int]) -> Gradients:
    """The gradient of the truth, parameter by parameter, each on its side (0: central)."""
