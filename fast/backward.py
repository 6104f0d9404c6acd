"""Backward kernel: the exact gradient of a range of neurons over whole trials.

For each neuron and trial its adjoint is tabulated (`fast.adjoint`) and looked up at each arrival, with the same factors
as in the forward pass: no `exp` an arrival. Ties follow the specification: an arrival at the instant of an own spike,
or of the maximum, comes after it.
"""

from __future__ import annotations

import math

import numpy as np

from fast.adjoint import Adjoint, Running, adjoint_in_bin, fill_adjoint, running_adjoint
from fast.bins import Factors, arrival, arrival_factors, beyond, fill_factors
from fast.compiling import compiled
from fast.constants import add_constant_gradients
from fast.flow import factors


@compiled
def gather(
    trains, first_train, n_pre, layer, j, constants, spike, synapse, adjoint, running, at, pinned,
    dL_dw, dL_dd, dL_dt_pre,
):  # fmt: skip
    """Look the adjoint up at every arrival of one trial; add to the gradients `[pre]` and to `dL_dt_pre [spikes]`.

    `pinned`: `dL_dy` and `Vdot_plus` of a maximum that its arrivals pin; `Vdot_plus` is NaN if none does.
    """
    pm, ps, _, _ = constants
    a_bin, k_bin, b_bin = factors(at.width, pm, ps)
    want_dt = dL_dt_pre.size > 0
    for i in range(n_pre):
        if not layer.exists[j, i]:
            continue
        w, sum_w, sum_d = layer.w[j, i], 0.0, 0.0
        for s in range(trains.offsets[first_train + i], trains.offsets[first_train + i + 1]):
            bin_, rest, wrapped = arrival(
                trains.bin[s], trains.rest[s], layer.delay_bin[j, i], layer.delay_rest[j, i], at
            )
            if beyond(bin_, rest, at):
                break
            extra = 0.0
            if adjoint.event[bin_] < 0:
                a, k, b = arrival_factors(spike, s, synapse, i, wrapped, a_bin, k_bin, b_bin)
                lambda_V = adjoint.V[bin_] * a
                lambda_I = adjoint.I[bin_] * b + adjoint.V[bin_] * (ps / pm) * k
            else:
                lambda_V, lambda_I = adjoint_in_bin(adjoint, bin_, rest, False, at, pm, ps)
                if pinned[1] <= 0.0 and bin_ == adjoint.bin[0] and rest == adjoint.rest[0]:
                    extra = pinned[0] * max(0.0, pinned[1] - pm * w)
            if running.drive != 0.0:
                running_V, running_I = running_adjoint(bin_, rest, running, at, pm, ps)
                lambda_V += running_V
                lambda_I += running_I
            dL_dt_arr = w * (lambda_V - lambda_I) + extra
            sum_w -= lambda_I / ps
            sum_d += dL_dt_arr
            if want_dt:
                dL_dt_pre[s] += dL_dt_arr
        dL_dw[i] += sum_w
        dL_dd[i] += sum_d


@compiled
def backward_range(
    first, last, trains, n_trials, n_pre, layer, at, emitted, emitted_offsets, maxima, integral_read,
    dL_dt_post, dL_dy, dL_dw, dL_dd, dL_dt_pre, dL_dconstants, want_tau,
):  # fmt: skip
    """Neurons `first..last-1` over all trials.

    `emitted`: spikes by (trial, neuron), at `emitted_offsets`; `dL_dt_post` in the same order; `dL_dy [trial, post]`.
    Adds to `dL_dw, dL_dd [post, pre]`, `dL_dt_pre [spikes]` (empty: not wanted) and `dL_dconstants [4, post]`
    (`tau_mem`, `tau_syn` if `want_tau`, `v_th`, `v_reset`).
    """
    spike = Factors(np.empty_like(trains.rest), np.empty_like(trains.rest), np.empty_like(trains.rest))
    row = np.empty_like(layer.delay_rest[0])
    synapse = Factors(row, np.empty_like(row), np.empty_like(row))
    n_bins, n_post, most = at.last + 1, layer.w.shape[0], 0
    T = at.last * at.width + at.end
    for trial in range(n_trials):
        most = max(most, trains.offsets[(trial + 1) * n_pre] - trains.offsets[trial * n_pre])
    table_V, table_I, table_event = np.empty(n_bins + 1), np.empty(n_bins + 1), np.empty(n_bins, np.int64)
    start = np.empty(n_bins + 1, np.int64)
    rest, weight = np.empty(most, trains.rest.dtype), np.empty(most, layer.w.dtype)
    pm, ps = 0.0, 0.0
    for j in range(first, last):
        new_pm, new_ps = 1.0 / layer.tau_mem[j], 1.0 / layer.tau_syn[j]
        if new_pm != pm or new_ps != ps:
            pm, ps = new_pm, new_ps
            fill_factors(trains.rest, pm, ps, spike)
        fill_factors(layer.delay_rest[j], pm, ps, synapse)
        constants = (pm, ps, layer.v_th[j], layer.v_reset[j])
        sums, sum_w, sum_d = np.zeros(4), np.zeros(n_pre), np.zeros(n_pre)
        for trial in range(n_trials):
            lo, hi = emitted_offsets[trial * n_post + j], emitted_offsets[trial * n_post + j + 1]
            g = dL_dy[trial, j]
            running = Running(layer.rate, g / T if integral_read else 0.0)
            is_maximum, kick, kick_at_end = maxima.bin[trial, j] >= 0, -g * pm, 0.0
            at_end = maxima.bin[trial, j] == at.last and maxima.rest[trial, j] == at.end
            event_bin, event_rest = emitted.bin[lo:hi], emitted.rest[lo:hi]
            is_pinned = is_maximum and maxima.group[trial, j] > 0
            pinned = (g, maxima.Vdot_plus[trial, j] if is_pinned else math.nan)
            if is_maximum and at_end and not is_pinned:
                is_maximum, kick_at_end = False, kick
            elif is_maximum:
                event_bin, event_rest = maxima.bin[trial, j : j + 1], maxima.rest[trial, j : j + 1]
            elif layer.read_maximum and hi > lo:
                sums[2] += g  # the largest voltage is the threshold itself
            adjoint = Adjoint(
                table_V, table_I, table_event, event_bin, event_rest, np.empty(event_bin.size), np.empty(event_bin.size)
            )
            fill_adjoint(
                adjoint, emitted.I[lo:hi], dL_dt_post[lo:hi], is_maximum, kick, kick_at_end, constants, running, at,
                sums[2:],
            )  # fmt: skip
            gather(
                trains, trial * n_pre, n_pre, layer, j, constants, spike, synapse, adjoint, running, at, pinned,
                sum_w, sum_d, dL_dt_pre,
            )  # fmt: skip
            if want_tau:
                add_constant_gradients(
                    trains, trial * n_pre, n_pre, layer, j, constants, adjoint, is_maximum, running, at,
                    start, rest, weight, sums,
                )  # fmt: skip
        for i in range(n_pre):
            dL_dw[j, i] = sum_w[i]
            dL_dd[j, i] = sum_d[i]
        for n in range(4):
            dL_dconstants[n, j] = sums[n]
