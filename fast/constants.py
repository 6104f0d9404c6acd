"""Gradients of the time constants: a walk over a neuron's events, forward in time, with the adjoint already tabulated.

`dL/dtau_mem = int lambda_V Vdot dt` and `dL/dtau_syn = int lambda_I Idot dt`. Over a stretch without events each is
what the state at its end does with the flow's derivative by the constant. The states are those of the forward pass,
so all arrivals have to be sorted: this costs more than the gradients of weights and delays, and is done only when
asked for.
"""

from __future__ import annotations

import math

from fast.adjoint import adjoint_in_bin, running_adjoint
from fast.bins import sort_by_bin, sort_within_bin
from fast.compiling import compiled
from fast.flow import factor_derivatives, factors, integral_derivatives


@compiled
def add_constant_gradients(
    trains, first_train, n_pre, layer, j, constants, adjoint, is_maximum, running, at, start, rest, weight, sums
):
    """Add one trial's `dL_dtau_mem`, `dL_dtau_syn` to `sums[0]`, `sums[1]`."""
    pm, ps, _, v_reset = constants
    sort_by_bin(
        trains, first_train, n_pre, layer.w[j], layer.exists[j], layer.delay_bin[j], layer.delay_rest[j],
        at, start, rest, weight,
    )  # fmt: skip
    V, I = 0.0, 0.0
    for bin_ in range(at.last + 1):
        end = at.end if bin_ == at.last else at.width
        n, last = start[bin_], start[bin_ + 1]
        sort_within_bin(rest, weight, n, last)
        own, x = adjoint.event[bin_], 0.0
        while True:
            x_arrival = rest[n] if n < last else math.inf
            own_here = 0 <= own < adjoint.bin.size and adjoint.bin[own] == bin_
            x_own = adjoint.rest[own] if own_here else math.inf
            x_next = min(x_arrival, x_own, end)
            if V != 0.0 or I != 0.0:
                h = x_next - x
                a, k, b = factors(h, pm, ps)
                da, dk_mem, dk_syn, db = factor_derivatives(h, pm, ps)
                lambda_V, lambda_I = adjoint_in_bin(adjoint, bin_, x_next, True, at, pm, ps)
                if running.drive != 0.0:
                    running_V, running_I = running_adjoint(bin_, x_next, running, at, pm, ps)
                    lambda_V, lambda_I = lambda_V + running_V, lambda_I + running_I
                    strength = running.drive * math.exp(-running.rate * (bin_ * at.width + x))
                    by_tau_mem, by_tau_syn = integral_derivatives(V, I, h, running.rate, pm, ps)
                    sums[0] += strength * by_tau_mem
                    sums[1] += strength * by_tau_syn
                dL_dV, dL_dI = -lambda_V / pm, -lambda_I / ps
                sums[0] += dL_dV * (V * da + I * dk_mem)
                sums[1] += dL_dV * I * dk_syn + dL_dI * I * db
                V, I = V * a + I * k, I * b
            x = x_next
            if own_here and x_own <= x_arrival:  # an own event comes before arrivals at its instant
                own += 1
                if not is_maximum:
                    V = v_reset
            elif n < last:
                while n < last and rest[n] == x:
                    I += weight[n]
                    n += 1
            else:
                break
