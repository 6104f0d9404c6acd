"""The backward pass of one neuron: the adjoint at the ends of bins, looked up at arrivals.

The sweep takes `p = dL/dx` back from bin to bin, through the jumps at own spikes, and leaves it in
the ring. When it comes to the bin of a spike, the ring holds the adjoint of the bin of its arrival.
Beside `p` flow sensitivities `m`, a row per constant in `A`: `dL/dtheta` is the sum of `w m_e` over
arrivals, and of terms of own spikes. Only the states at own spikes are kept.
"""

from typing import NamedTuple

import numpy as np

from delayprop.fast.plain.forward import Lane, Spike, flow


class LaneGradients(NamedTuple):
    """The gradient of a loss, times in ms: by source; by spike, an array per source; and as kernels
    return it, by the constants in `A`, then by `v_th`, `c` of other states, `r` and `R`."""

    dL_dw: np.ndarray
    dL_dd: np.ndarray
    dL_dt_pre: list[np.ndarray]
    dL_dconstants: np.ndarray


def backward_lane(lane: Lane, own: list[Spike], dL_dt_post: np.ndarray) -> LaneGradients:
    """The gradient, given that by each own spike, `[spikes]` (`fast.cuda.backward.backward_lane`).

    Raises:
        ArithmeticError: the gradient of a spike is infinite.
    """
    states, e = len(lane.c), len(own)
    found = LaneGradients(
        np.zeros(len(lane.w)), np.zeros(len(lane.w)), [np.zeros(len(train)) for train in lane.spikes],
        np.zeros(lane.learned + states - 1 + states * (1 + states)),
    )
    adjoint = np.zeros((1 + lane.learned, states))  # p, then m of each constant; 0 at T
    # by bin: the adjoint at its end, and before each own spike in it, from the last one on
    ring: list[list[tuple[float, np.ndarray]]] = [[] for _ in range(lane.bins)]
    for bin_ in range(lane.last, -1, -1):
        passed = ring[bin_ % lane.bins] = [(1.0, adjoint)]
        while e > 0 and own[e - 1].bin == bin_:
            e -= 1
            adjoint = flow_back(lane, *passed[-1], own[e].x)
            adjoint, terms = jump_at_spike(lane, adjoint, own[e].state, dL_dt_post[e] * lane.width)
            found.dL_dconstants[:] += terms
            passed.append((own[e].x, adjoint))
        adjoint = flow_back(lane, *passed[-1], 0.0)
        for there, rest, source, number in lane.arrivals[bin_]:  # `look_up_in_lane`
            # the next own event; one at the instant of the arrival comes before it
            position, after = next(event for event in reversed(ring[there % lane.bins]) if event[0] > rest)
            arrived = flow_back(lane, position, after, rest)
            # [arrival] p_e and -w (A e).p; [flow-theta] w m_e
            dL_dt = -lane.w[source] * lane.A[:, lane.into[source]] @ arrived[0] / lane.width
            found.dL_dw[source] += arrived[0, lane.into[source]]
            found.dL_dd[source] += dL_dt
            found.dL_dt_pre[source][number] += dL_dt
            found.dL_dconstants[: lane.learned] += lane.w[source] * arrived[1:, lane.into[source]]
    return found


def flow_back(lane: Lane, position: float, adjoint: np.ndarray, x: float) -> np.ndarray:
    """[flow-adjoint, flow-theta] The adjoint at `x`, from that at `position` in the bin: `F^T p`
    and `F^T m + F_theta^T p`, since the first rows of `exp(A_full h)` are `F` and its derivatives
    `F_theta` (`fast.physics.adjoint.flow_back`)."""
    return (flow(lane.A_full, position - x).T @ adjoint.ravel()).reshape(adjoint.shape)


def jump_at_spike(lane: Lane, adjoint: np.ndarray, state: np.ndarray, dL_dt: float) -> tuple[np.ndarray, np.ndarray]:
    """[spike] The adjoint just before an own spike, from that just after it, and its terms of
    `dL_dconstants` (`fast.physics.jump.jump_at_spike`). `state`: just before. `dL_dt`: per bin."""
    p, m = adjoint[0], adjoint[1:]
    rates, rates_plus = lane.A @ state, lane.A @ (lane.R @ state + lane.r)
    if lane.c @ rates <= 0.0:
        raise ArithmeticError("a spike grazes its threshold, so its gradient is infinite; use `reference`")
    q = (dL_dt + p @ (lane.R @ rates - rates_plus)) / (lane.c @ rates)
    before = adjoint @ lane.R
    before[0] -= q * lane.c
    # [flow-theta] m.r; [spike]
    return before, np.concatenate([m @ lane.r, [q], -q * state[2:], p, np.outer(p, state).ravel()])
