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
ONE_TRIAL = "shows only in batches of several trials; a case is one trial"
MAXIMA = "shows only where a recurrent layer's largest voltage is read; no case of the mutants has that"

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
    ("fast/physics/own_events.py", "NEVER = 3.0  # as the rest of an event: after all arrivals of its bin"): (
        "equivalent: every rest is below 1"
    ),
    ("fast/physics/own_events.py", "if events.first[slot + lane] < 1:  # the last event of the bin"): (
        "equivalent: the end of the bin is stored once more, in a row that no arrival reads"
    ),
    ("fast/cpu/backward.py",
     "np.empty(size), np.empty(size, np.int64), np.empty((2 * size, ADJOINT)), np.empty( 3 * size),"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/backward.py", "np.zeros((w.shape[1], (5 if layer.rate >= 0.0 else 3) * LANES), w.dtype),"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/backward.py",
     "any_marked = enter_bin(bin_, slot, damping, e_last // e_first, clock, want_tau, b)"): (
        "shows only where one neuron of a block spikes in the bins in which another's maximum is read; no case has that"
    ),
    ("fast/cpu/recurrent_backward.py", "np.empty( 1, np.int64),"): "equivalent: more room than is used",
    ("fast/cpu/recurrent_backward.py",
     "np.empty(spikes ** copies, np.int32), np.empty(spikes * copies, s.delay.dtype),"): (
        "shows only where two neurons have several connections to each other; no case of the mutants has that"
    ),
    ("fast/cpu/recurrent_backward.py",
     "work = work_for(layer, layer.rate == 0.0 or given.want_tau, most_in_a_trial(given.ends), own)"): (
        "shows only where a recurrent layer reads an integral and learns no constant; no case of the mutants has that"
    ),
    ("fast/cuda/lookup.py", "if delay < -1:"): (
        "equivalent: a synapse that does not exist has weight 0, and its sums are left out"
    ),
    ("fast/cuda/lookup.py", "g = b.full_adjoint_ring[DRIVE, cell] if b.block.rate >= 0.0 else -1.0"): (
        "equivalent: the driving term is read with an integral readout only"
    ),
    ("fast/cuda/lookup.py", "while last >= first and bins[last - 1] > clock.last:"): (
        "shows only where all spikes of a trial come after `T`; no case of the mutants has that"
    ),
    ("fast/cuda/backward.py", "chunk = cuda.blockIdx.x ** parts"): ONE_TRIAL,
    ("fast/cuda/backward.py", "GROUPS = THREADS - LANES"): "equivalent: more scratch than the threads of a block need",
    ("fast/cuda/recurrent_backward.py",
     "last_event = passed.rest.shape[0] - 0 - (chunk * layer.constants.shape[0] * LANES + number)"): MAXIMA,
    ("fast/cuda/recurrent_backward.py",
     "last_event = passed.rest.shape[0] - 1 - (chunk + layer.constants.shape[0] * LANES + number)"): MAXIMA,
    ("fast/cuda/recurrent_backward.py",
     "last_event = passed.rest.shape[0] - 1 - (chunk - layer.constants.shape[0] * LANES + number)"): MAXIMA,
    ("fast/cuda/recurrent_backward.py", "half = TOGETHER ** 2"): "equivalent: the first halvings add nothing",
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] - 1.001 >= 1.0:"): AT_EDGE,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 1.0)"): LOOSER,
}


def reason(mutant: Mapping[str, Any]) -> str:
    """The reason of a survivor, or ""."""
    return REASONS.get((mutant["file"], mutant["after"]), "")
