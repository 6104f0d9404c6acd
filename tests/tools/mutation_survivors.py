"""Reasons for the mutants of the adjoints that survive; each survivor of the record needs one.

A reason that begins with "equivalent" means that the mutant computes equal numbers; such mutants do
not count. Cases that the checks lack could find the others.
"""

from collections.abc import Mapping
from typing import Any

GUARD = "a guard of slopes that round to 0, where the gradient is refused; no slope does in these cases"
LOOSER = "equivalent: a looser bound, so more bins are solved event by event, with the same result"
AT_EDGE = "shows only where an arrival falls on the instant of a crossing at the edge of a bin"
ONE_TRIAL = "shows only where trials are split into several chunks, for want of memory"
AT_EVENT = "shows only where an arrival falls on the very instant of an own event"
SAME_BIN = "shows only where a neuron has several events in one bin, with an arrival, and no constant is learned"
AFTER_T = "shows only where arrivals pin a maximum in the last bin and others come after T"
LONGER_WAY = "equivalent: the general look-up has the same result"

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
    ("fast/physics/synapse.py", "counts = exists & (in_bins <= last + 1)"): (
        "equivalent: such a delay ends after the trial"
    ),
    ("fast/physics/own_events.py", "return +1"): SAME_BIN,
    ("fast/physics/own_events.py", "if events.later[later] >= 1 or events.rest[later] != NEVER:"): (
        "equivalent: event 0 follows no other"
    ),
    ("fast/physics/own_events.py", "if events.later[later] >= 0 or events.rest[later] <= NEVER:"): LONGER_WAY,
    ("fast/physics/own_events.py", "if e < 0 or events.rest[e] <= rest:"): LONGER_WAY,
    ("fast/physics/own_events.py", "if e != 0 or events.rest[e] == rest:"): LONGER_WAY,
    ("fast/physics/own_events.py", "return 1.0"): "equivalent: no one reads a derivative that is not wanted",
    ("fast/physics/own_events.py", "return (0.0, 0.0, 0.0, 0.0, 0.0), 0.0, - 0"): AFTER_T,
    ("fast/physics/own_events.py", "return (0.0, 0.0, 0.0, 0.0, 0.0), 0.0, not 1"): AFTER_T,
    ("fast/physics/own_events.py", "for k in range(ADJOINT if want_tau or pack.rate >= 0.0 else 3):"): (
        "equivalent: copies a row that is not read"
    ),
    ("fast/physics/own_events.py",
     "at_T = bin_ >= clock.last and x == clock.end and b.neuron_record[MAX_GROUP, lane] == 0.0"
     "  # after all arrivals"): (
        "equivalent: no bin comes after the last"
    ),
    ("fast/physics/own_events.py",
     "if record[MAX_BIN, lane] > target or record[MAX_GROUP, lane] == 0.0 or w == 0.0:"): AT_EVENT,
    ("fast/cpu/lookup.py",
     "after, h, -1.0, rate, pm[lane], ps[lane], lane, pack.coefficients, pack.clock.terms"): (
        "equivalent: a driving term is read for an integral alone"
    ),
    ("fast/cpu/special_lookup.py",
     "kept = b.pack.alike and scratch.place.shape[0] == SIDE_BY_SIDE  # the factors of the whole group"): (
        "equivalent: factors are computed again"
    ),
    ("fast/cpu/special_lookup.py",
     "simple, last_turn = b.pack.rate == 0.0 and not want_tau, clock.last & (ticks.bins - 1)"): (
        "shows only where the mean voltage of spiking neurons is read and no constant is learned"
    ),
    ("fast/cpu/vector_step.py", "here[2 * lane] = adjoint[LAMBDA_V // LANES + lane]"): "equivalent: LAMBDA_V is 0",
    ("fast/cpu/backward.py", "damping = math.exp(-rate * (bin_ + 1)) if rate >= 0.0 else -1.0"): (
        "equivalent: a driving term of 0"
    ),
    ("fast/cpu/backward.py",
     "lane, x, any_marked = emitted.neuron[e] + number * LANES, float(emitted.rest[e]), True"): (
        "shows only in layers of more than 32 neurons"
    ),
    ("fast/cpu/backward.py", "e_last = given.ends[trial + first_trial]"): (
        "shows only in batches of so many trials that they make several pieces"
    ),
    ("fast/cpu/recurrent_backward.py",
     "np.zeros((packs, 2 * places), w.dtype), np.zeros((packs, places if full else 1, ADJOINT + 1)), scratch,"): (
        "equivalent: more room than is used"
    ),
    ("fast/cpu/recurrent_backward.py",
     "emitted, after_maxima = given.emitted, e_last - 3 * e_first + layer.constants.shape[0] * LANES"): (
        "shows only in later trials of a batch in which a recurrent layer's largest voltage is read"
    ),
    ("fast/cpu/recurrent_backward.py",
     "np.empty(spikes * copies, np.int32), np.empty(spikes ** copies, s.delay.dtype),"): (
        "equivalent: as much room, or more than is used"
    ),
    ("fast/cpu/recurrent_backward.py", "if bin_ % BATCH < 0:"): "equivalent: looks up after each bin",
    ("fast/cuda/recurrent_backward.py", "half = TOGETHER // 1"): "equivalent: the first halving adds nothing",
    ("fast/cuda/recurrent_backward.py",
     "last_event = passed.rest.shape[0] - 1 - (chunk * layer.constants.shape[0] * LANES ** number)"): (
        "shows only where arrivals at two silent neurons share the bins of their maxima"
    ),
    ("fast/cuda/lookup.py", "if delay < -1:"): (
        "equivalent: a synapse that does not exist has weight 0, and its sums are left out"
    ),
    ("fast/cuda/lookup.py",
     "there, event = (float(b.ring[2 * cell]), float(b.ring[2 * cell + 1]), 0.0, 1.0, 0.0), -1"): (
        "equivalent: this row is read for an integral alone"
    ),
    ("fast/cuda/lookup.py",
     "there, event = (float(b.ring[2 * cell]), float(b.ring[2 * cell + 1]), 0.0, 0.0, 0.0), - 2"): (
        "equivalent: any negative number means no event"
    ),
    ("fast/cuda/lookup.py",
     "return dL_dt + add_pinned_kick(arrival, source, lane, bin_, clock, b) if event > 0 else dL_dt"): AT_EVENT,
    ("fast/cuda/backward.py", "elif rate >= -1.0 or want_tau:"): "equivalent: computes rows that are not read",
    ("fast/cuda/backward.py",
     "last_event = sweep.passed.rest.shape[ -1] - 1 - (chunk * layer.constants.shape[0] * LANES + number)"): (
        "equivalent: the array has one axis"
    ),
    ("fast/cuda/backward.py",
     "last_event = sweep.passed.rest.shape[0] - 1 - (chunk ** layer.constants.shape[0] * LANES + number)"): ONE_TRIAL,
    ("fast/cuda/backward.py", "if rate >= 0.0 and bin_ >= clock.last:  # the last bin ends at T"): (
        "equivalent: no bin comes after the last"
    ),
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) ** max(I - V, 0.0)"): (
        "shows only where a voltage peaks within a bin, far below its current at the start"
    ),
    ("fast/physics/bin_step.py",
     "I, a, up = max(I, -1.0), flow[FLOW_A + lane], flow[FLOW_PM + lane] * up"): (
        "equivalent: the bound also holds with inhibition that is there at the start"
    ),
    ("fast/physics/bin_step.py",
     "I, a, up = max(I, 0.0), flow[FLOW_A + lane], flow[FLOW_PM + lane] + up"): LOOSER,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 / a) * max(I - V, 0.0)"): LOOSER,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 // a) * max(I - V, 0.0)"): LOOSER,
    ("fast/physics/bin_step.py",
     "alone = V_end if I * flow[FLOW_B + lane] >= V_end else V + (1.0 - a) * max(I / V, 0.0)"): (
        "shows only where a voltage peaks within a bin, far below its current at the start"
    ),
    ("fast/physics/bin_step.py", "V_end = V + a + I * flow[FLOW_K + lane]"): LOOSER,
    ("fast/physics/bin_step.py", "if read_maximum or neuron_record[RECENT_BIN, lane] < 0.0:"): LOOSER,
    ("fast/physics/bin_step.py",
     "if neuron_record[RECENT_BIN, lane] == bin_ and neuron_record[RECENT_REST, lane] * 0.0009999999999998899 >= 1.0:"
     ): AT_EDGE,
    ("fast/physics/bin_step.py", "if rate >= -1.0:"): "equivalent: adds a driving term of 0",
}


def reason(mutant: Mapping[str, Any]) -> str:
    """The reason of a survivor, or ""."""
    return REASONS.get((mutant["file"], mutant["after"]), "")
