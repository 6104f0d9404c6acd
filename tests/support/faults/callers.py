"""Faults in the callers of the physics that all kernels of `fast` share."""

from __future__ import annotations

from tests.support.faults.catalogue import Fault

CALLERS = (
    Fault(
        "lambda_V lost in a bin without events",
        "fast",
        "cpu/vector_step.py",
        "adjoint_across_bin(adjoint[lane],",
        "adjoint_across_bin(0.9 * adjoint[lane],",
    ),
    Fault(
        "arrivals of own spikes left out",
        "fast",
        "cpu/recurrent_backward.py",
        "dL_dt += own.dL_dt[first + copy]",
        "dL_dt += 0.0 * own.dL_dt[first + copy]",
    ),
    Fault(
        "own spikes not marked",
        "fast",
        "cpu/recurrent_backward.py",
        "        mark(lane, bin_, slot, clock, b)\n        if b",
        "        if b",
    ),
)
"""Faults in the CPU callers of the shared physics: the vector loops, the recurrent sweep."""

ON_CUDA = (
    Fault(
        "lambda_V lost in a bin without events",
        "fast",
        "cuda/backward.py",
        "            adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], lane,",
        "            0.9 * adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], lane,",
    ),
    Fault(
        "0.1 % error of the plain look-up",
        "fast",
        "cuda/lookup.py",
        "source, lane, V, I, True, b)",
        "source, lane, V, 1.001 * I, True, b)",
    ),
    Fault(
        "arrivals of own spikes left out",
        "fast",
        "cuda/recurrent_backward.py",
        "given.dL_dt[e] + dL_dt, sweep.clock",
        "given.dL_dt[e], sweep.clock",
    ),
)
"""Faults in the CUDA callers of the shared physics."""
