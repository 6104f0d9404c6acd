"""Reasons for the mutants of the adjoints that survive; each survivor of the record needs one.

A reason that begins with "equivalent" means that the mutant computes equal numbers; such mutants do
not count. Cases that the checks lack could find the others.
"""

from collections.abc import Mapping
from typing import Any

GUARD = "a guard of slopes that round to 0, where the gradient is refused; no slope does in these cases"
LOOSER = "equivalent: a looser bound, so more bins are solved event by event, with the same result"
AT_EDGE = "shows only where an arrival falls on the instant of a crossing at the edge of a bin"
ONE_TRIAL = "shows only in batches of several trials; a case is one trial"
NAN = "shows only where the adjoint itself is NaN; the cases have finite losses"
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
    ("fast/physics/synapse.py",
     "in_bins, weight = in_bins if counts else 1.0, float(w) if counts else 0.0"): (
        "equivalent: the delay of a synapse that is absent is not used"
    ),
    ("fast/physics/own_events.py", "if e <= 0 or events.rest[e] == rest:"): (
        "equivalent: arrivals around the first event of a trial take the longer way"
    ),
    ("fast/physics/own_events.py", "e, last, here = events.first[slot + lane], not 1, -1"): NAN,
    ("fast/cpu/special_lookup.py",
     "want_dt, factors, ticks = dL_dt_pre.size >= 0, pointer(scratch.factors), b.pack.ticks"): (
        "shows only where no input time is learned; the cases ask for all gradients"
    ),
    ("fast/cpu/special_lookup.py",
     "want_dt, factors, ticks = dL_dt_pre.size != 0, pointer(scratch.factors), b.pack.ticks"): (
        "equivalent: a size is not negative"
    ),
    ("fast/cpu/backward.py",
     "np.empty(size), np.empty(size, np.int64), np.empty((2 * size, ADJOINT)), np.empty( 3 * size),"): (
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
     "own.source[n] = layer.external + (n - e * copies) ** layer.post + emitted.neuron[e]"): (
        "shows only where two neurons have several connections to each other; no case of the mutants has that"
    ),
    ("fast/cpu/recurrent_backward.py",
     "work.drive[number, lane] = given.dL_dy[trial, number, lane] / T if rate > 0.0 else 0.0"): (
        "shows only where the mean voltage of a recurrent layer is read; no case of the mutants has that"
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
    ("fast/cuda/recurrent_backward.py", "while n_here >= n_first and sweep.given.bin[n_here - 1] == bin_:"): ONE_TRIAL,
    ("fast/cuda/recurrent_backward.py", "half = TOGETHER ** 2"): "equivalent: the first halvings add nothing",
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] - 1.001 >= 1.0:"): AT_EDGE,
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] // 1.001 >= 1.0:"): AT_EDGE,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I - V, 1.0)"): LOOSER,
}


def reason(mutant: Mapping[str, Any]) -> str:
    """The reason of a survivor, or ""."""
    return REASONS.get((mutant["file"], mutant["after"]), "")
