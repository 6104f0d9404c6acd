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
SEVERAL = "shows only where two neurons have several connections to each other; no case of the mutants has that"
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
    ("fast/physics/own_events.py", "if want_tau or block.rate > 0.0:"): (
        "shows only where the mean voltage is read and no constant is learned; the cases ask for all gradients"
    ),
    ("fast/physics/own_events.py", "return 0.0, 0.0, 1"): (
        "shows only where an arrival after `T` has the synapse and the bin of one that pins a maximum; no case has that"
    ),
    ("fast/cpu/lookup.py", "TERMS, OF_V, OF_I, OF_G = 4, 0, LANES, 2 * LANES  # of a spike: columns, a lane each"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/special_lookup.py", "if e < -1 or events.later[e] >= 0 or events.rest[e] == rest:"): (
        "shows only where the adjoint itself is NaN; the cases have finite losses"
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
     "enter_bin(bin_, slot, damping, e_last - e_first * number * LANES, clock, given.want_tau, b)"): MAXIMA,
    ("fast/cpu/recurrent_backward.py",
     "own.source[n] = layer.external + (n - e * copies) ** layer.post + emitted.neuron[e]"): SEVERAL,
    ("fast/cpu/recurrent_backward.py",
     "np.empty(spikes ** copies, np.int32), np.empty(spikes * copies, s.delay.dtype),"): SEVERAL,
    ("fast/cpu/recurrent_backward.py",
     "work = work_for(layer, layer.rate == 0.0 or given.want_tau, most_in_a_trial(given.ends), own)"): (
        "shows only where a recurrent layer reads an integral and learns no constant; no case of the mutants has that"
    ),
    ("fast/cuda/lookup.py", "if delay < -1:"): (
        "equivalent: a synapse that does not exist has weight 0, and its sums are left out"
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
