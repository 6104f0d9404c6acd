"""The adjoint of one neuron over one trial: a table, and how to look it up.

Between its own spikes a neuron's adjoint has a closed form, so the start of each bin is enough; in the few bins that
hold an own event (a spike, or the maximum that is read) the adjoint just before that event is kept as well.

A readout `(1/T) int exp(-rate t) V dt` adds the adjoint of a neuron that never resets, a closed form of the time to `T`
(`running_adjoint`); the table holds the rest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fast.bins import to_end
from fast.compiling import compiled
from fast.flow import factors, flow_back, integrals_to_end


class Adjoint(NamedTuple):
    """One neuron's adjoint over one trial, less that of a running readout (`running_adjoint`).

    `V, I [bins + 1]`: at the start of each bin. `event [bins]`: the first own event of the bin, -1 without.
    `bin, rest, V_minus, I_minus`: the own events in order (spikes, or the maximum) and the adjoint just before each.
    """

    V: np.ndarray
    I: np.ndarray
    event: np.ndarray
    bin: np.ndarray
    rest: np.ndarray
    V_minus: np.ndarray
    I_minus: np.ndarray


class Running(NamedTuple):
    """A running readout: `drive exp(-rate t)`, with `drive = dL_dy / T` (0: none), is the loss's derivative by `V`."""

    rate: float
    drive: float


@compiled
def running_adjoint(bin_, rest, running, at, pm, ps):
    """The adjoint that a running readout drives in a neuron that never resets; 0 at `T`."""
    strength = running.drive * math.exp(-running.rate * (bin_ * at.width + rest))
    of_a, of_k = integrals_to_end(to_end(bin_, rest, at), running.rate, pm, ps)
    return -pm * strength * of_a, -ps * strength * of_k


@compiled
def adjoint_in_bin(adjoint, bin_, rest, before, at, pm, ps):
    """The tabulated adjoint just after an instant, or just before it, from what comes next in its bin.

    `before`: an own event at this very instant is still to come.
    """
    n = adjoint.event[bin_]
    while 0 <= n < adjoint.bin.size and adjoint.bin[n] == bin_:
        if rest < adjoint.rest[n] or (before and rest == adjoint.rest[n]):
            return flow_back(adjoint.V_minus[n], adjoint.I_minus[n], adjoint.rest[n] - rest, pm, ps)
        n += 1
    end = at.end if bin_ == at.last else at.width
    return flow_back(adjoint.V[bin_ + 1], adjoint.I[bin_ + 1], end - rest, pm, ps)


@compiled
def fill_adjoint(adjoint, I_cross, dL_dt_post, is_maximum, kick, kick_at_end, constants, running, at, sums):
    """Sweep one neuron's own events backwards; fill `adjoint`, add to `sums`: `dL_dv_th`, `dL_dv_reset`.

    `kick`: what a maximum adds to `lambda_V`; `kick_at_end`: the same for a maximum at `T`, which comes after the
    arrivals there.
    """
    pm, ps, v_th, v_reset = constants
    lambda_V, lambda_I = kick_at_end, 0.0
    a_bin, k_bin, b_bin = factors(at.width, pm, ps)
    adjoint.V[at.last + 1], adjoint.I[at.last + 1] = lambda_V, lambda_I
    n = adjoint.bin.size - 1
    for bin_ in range(at.last, -1, -1):
        x = at.end if bin_ == at.last else at.width
        adjoint.event[bin_] = -1
        if n < 0 or adjoint.bin[n] != bin_:
            if bin_ == at.last:
                lambda_V, lambda_I = flow_back(lambda_V, lambda_I, x, pm, ps)
            else:
                lambda_V, lambda_I = lambda_V * a_bin, lambda_I * b_bin + lambda_V * (ps / pm) * k_bin
            adjoint.V[bin_], adjoint.I[bin_] = lambda_V, lambda_I
            continue
        while n >= 0 and adjoint.bin[n] == bin_:
            lambda_V, lambda_I = flow_back(lambda_V, lambda_I, x - adjoint.rest[n], pm, ps)
            x = adjoint.rest[n]
            if is_maximum:
                lambda_V += kick
            else:
                Vdot_minus, Vdot_plus = pm * (I_cross[n] - v_th), pm * (I_cross[n] - v_reset)
                running_V, dL_dt = 0.0, dL_dt_post[n]
                if running.drive != 0.0:
                    running_V, _ = running_adjoint(bin_, x, running, at, pm, ps)
                    dL_dt += running.drive * math.exp(-running.rate * (bin_ * at.width + x)) * (v_th - v_reset)
                lambda_V_plus = lambda_V + running_V
                lambda_V_minus = Vdot_plus / Vdot_minus * lambda_V_plus + dL_dt * pm / Vdot_minus
                sums[0] += lambda_V_minus / pm
                sums[1] -= lambda_V_plus / pm
                lambda_V = lambda_V_minus - running_V
            adjoint.V_minus[n], adjoint.I_minus[n] = lambda_V, lambda_I
            adjoint.event[bin_] = n
            n -= 1
        lambda_V, lambda_I = flow_back(lambda_V, lambda_I, x, pm, ps)
        adjoint.V[bin_], adjoint.I[bin_] = lambda_V, lambda_I
