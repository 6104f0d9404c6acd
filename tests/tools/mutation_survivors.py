"""Reasons for the mutants of the adjoints that survive; each survivor of the record needs one.

A reason that begins with "equivalent" means that the mutant computes equal numbers; such mutants do
not count. Cases that the checks lack could find the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GUARD = "a guard of slopes that round to 0, where the gradient is refused; no slope does in these cases"
LOOSER = "equivalent: a looser bound, so more bins are solved event by event, with the same result"
AT_EDGE = "shows only where an arrival falls on the instant of a crossing at the edge of a bin"
TURNS = "shows only where a voltage turns within a bin, between the true bound and the threshold"
ONE_TRIAL = "shows only in batches of several trials; a case is one trial"
PINNED = "shows only where a maximum is pinned to an arrival in a bin that has another own event; no case has that"

REASONS: dict[tuple[str, str], str] = {
    ("reference/adjoint.py", "if event.Vdot_minus <= -1:"): GUARD,
    ("reference/adjoint.py", "if event.Vdot_minus == 0:"): GUARD,
    ("reference/adjoint.py", "if event.Vdot_minus < 0:"): GUARD,
    ("reference/adjoint.py", 'if self.case.network.population(name).kind >= "lif":'): (
        "equivalent: neurons are `li` or `lif`, and `li` sorts before"
    ),
    ("reference/adjoint.py",
     "connections = tuple(ConnectionGradient(w, d) for w, d in zip(self.dL_dw, self.dL_dd, strict=False))"): (
        "equivalent: both lists are made of the same connections"
    ),
    ("fast/physics/own_events.py", "if rest >= events.rest[e]:"): PINNED,
    ("fast/physics/own_events.py",
     "if event >= 0 and record[MAX_BIN, lane] <= target and record[MAX_GROUP, lane] > 0.0 and w != 0.0:"): (
        "shows only where an arrival falls on the instant of a spike of a neuron whose maximum is read"
    ),
    ("fast/physics/own_events.py",
     "if event >= 0 and record[MAX_BIN, lane] == target and record[MAX_GROUP, lane] > 0.0 and w < 0.0:"): (
        "shows only where excitation arrives at the very instant of the inhibition that pins a maximum"
    ),
    ("fast/cpu/backward.py",
     "np.zeros(places, packed_synapses.dtype), np.zeros((places // 2 if full else 1, ADJOINT + 1)),"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/backward.py", "full = layer.rate >= 1.0 or given.want_tau"): (
        "shows only where the mean voltage is read and no constant is learned; no case of the mutants has that"
    ),
    ("fast/cpu/backward.py",
     "lane, x, any_marked = emitted.neuron[e] - number // LANES, float(emitted.rest[e]), True"): (
        "shows only in layers of more than one block of neurons; the cases are smaller"
    ),
    ("fast/cpu/backward.py",
     "any_marked = enter_bin(bin_, slot, damping, e_last // e_first, clock, want_tau, b)"): (
        "shows only where one neuron of a block spikes in the bins in which another's maximum is read; no case has that"
    ),
    ("fast/cpu/recurrent_backward.py",
     "trial, here, size, base * copies, later ** copies, own, given, layer, clock, work, found, own.dL_dt"): (
        "shows only where two neurons have several connections to each other; no case of the mutants has that"
    ),
    ("fast/cpu/recurrent_backward.py", "while e > e_first and emitted.bin[e - 1] >= bin_:"): (
        "equivalent: going backwards, no spike is left in a later bin"
    ),
    ("fast/cuda/lookup.py", "sums.dL_dt_pre[n + sums.first_dL_dt_pre, number] = dL_dt"): (
        "shows only where a batch has more spikes than fit into memory at once; tests of the simulator see that"
    ),
    ("fast/cuda/backward.py", "GROUPS = THREADS - LANES"): "equivalent: more scratch than the threads of a block need",
    ("fast/cuda/backward.py",
     "last_event = sweep.passed.rest.shape[0] - 1 - (chunk * layer.packed_synapses.shape[0] // LANES + number)"):
        ONE_TRIAL,
    ("fast/cuda/backward.py",
     "last_event = sweep.passed.rest.shape[0] - 1 - (chunk ** layer.packed_synapses.shape[0] * LANES + number)"):
        ONE_TRIAL,
    ("fast/cuda/recurrent_backward.py",
     "last_event = passed.rest.shape[0] - 2 - (chunk * layer.packed_synapses.shape[0] * LANES + number)"): (
        "every maximum takes the slot of its neighbour; shows only where a spike lies in the slot of the last"
    ),
    ("fast/physics/bin_step.py",
     "if not neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:"): AT_EDGE,
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] < bin_ and neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:"): AT_EDGE,
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] == bin_ or neuron_record[RECENT_REST, lane] * 1.001 >= 1.0:"): LOOSER,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 1.0)"): LOOSER,
    ("fast/physics/bin_step.py", "return alone + up + slack * (abs(V) + I + up) != level"): LOOSER,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) // max(I - V, 0.0)"): TURNS,
    ("fast/physics/bin_step.py",
     "alone = V_end if I - flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 0.0)"): TURNS,
    ("fast/physics/bin_step.py", "V_end = V ** a + I * flow[FLOW_K + lane]"): (
        "a bound that is looser for voltages from 0 to 1, where the cases are"
    ),
}


def reason(mutant: Mapping[str, Any]) -> str:
    """The reason of a survivor, or ""."""
    return REASONS.get((mutant["file"], mutant["after"]), "")
