"""Faults that gradients have had, or might have, each as a replacement of one source text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`text` of `package/file` becomes `wrong`; `name` describes the effect. `blind`: the
    identities that cannot see it. `source`: a published system that had this fault, or one of its
    kind; "" if we know of none."""

    name: str
    package: str
    file: str
    text: str
    wrong: str
    blind: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.package}: {self.name}"


Place = tuple[str, str, str]


def both(name: str, reference: Place, fast: Place, blind: str = "", source: str = "") -> tuple[Fault, Fault]:
    """A fault as planted in either implementation: file, text, wrong text."""
    return Fault(name, "reference", *reference, blind, source), Fault(name, "fast", *fast, blind, source)


FAULTS = (
    *both("flipped sign of the delay gradient", blind="A", source="https://github.com/genn-team/ml_genn/commit/a804ea3",
          reference=("adjoint.py", "self.dL_dd[synapse.connection][entry] += dL_dt",
                     "self.dL_dd[synapse.connection][entry] -= dL_dt"),
          fast=("physics/synapse.py", "-pack.synapses.w[source, lane] * along",
                "pack.synapses.w[source, lane] * along")),
    *both("same slope before and after the reset", blind="A", source="https://github.com/norse/norse/issues/287",
          reference=("jumps.py", "times(R, times(A, x_minus)), times(A, x_plus)",
                     "times(A, x_plus), times(A, x_plus)"),
          fast=("physics/jump.py", "rates_of(V_plus, I_plus, O_plus,", "rates_of(V, I, O,")),
    *both("no jump at the first spike",
          source="https://github.com/genn-team/ml_genn: spikes beyond `max_spikes` are not kept",
          reference=("adjoint.py", "elif isinstance(event, Crossing):",
                     "elif isinstance(event, Crossing) and event.spike is not event.neuron.spikes[0]:"),
          fast=("physics/own_events.py", "    jump_at_spike(b.solved", "    event == 0 or jump_at_spike(b.solved")),
    *both("no tau_syn in the weight gradient", blind="BC",
          reference=("adjoint.py", "+= dL_dw_at_arrival(p, synapse.into)",
                     "-= dL_dw_at_arrival(p, synapse.into) * A[synapse.into][synapse.into]"),
          fast=("physics/synapse.py", "return p_I if", "return -constants[A_II, lane] * p_I if")),
    *both("delay cut to whole ms", blind="AC", source="https://github.com/genn-team/ml_genn/pull/137",
          reference=("simulate.py", "m.real(float(connection.d[i, j]))", "m.real(float(connection.d[i, j] // 1))"),
          fast=("physics/synapse.py", "float(d) * per_ms", "float(int(d)) * per_ms")),
    *both("adjoint looked up at t, not at t + d", blind="A",
          reference=("adjoint.py", "dL_dt_arr(synapse.w, A, p, synapse.into)",
                     "dL_dt_arr(synapse.w, A, times(transposed(event.neuron.equations.flow(synapse.d)), p), "
                     "synapse.into)"),
          fast=("cpu/lookup.py", "w_I[lane], w_V[lane])\n        dL_dt_pre",
                "w_I[lane], 0.0 * w_V[lane])\n        dL_dt_pre")),
    *both("1e-3 added to a denominator", blind="A",
          reference=("jumps.py", "(moved + dL_dt_post) / slope", "(moved + dL_dt_post) / (slope + 1e-3)"),
          fast=("physics/jump.py", "(1.0 / level_of(dV, dO, lane, constants, others))",
                "(1.0 / (level_of(dV, dO, lane, constants, others) + 1e-3))")),
    *both("0.1 % error", blind="A",
          reference=("jumps.py", "return -dot([w * row", "return -dot([1.001 * w * row"),
          fast=("cpu/lookup.py", "dL_dt_pre[n] += total", "dL_dt_pre[n] += 1.001 * total")),
    *both("no jump at the last spike", blind="A",
          source="https://github.com/genn-team/ml_genn: spikes beyond `max_spikes` are not kept",
          reference=("adjoint.py", "elif isinstance(event, Crossing):",
                     "elif isinstance(event, Crossing) and event.spike is not event.neuron.spikes[-1]:"),
          fast=("cpu/backward.py", "            take_spike(", "            e == e_last - 1 or take_spike(")),
    *both("lambda_V left out of the delay gradient", blind="A",
          reference=("adjoint.py", "self.dL_dd[synapse.connection][entry] += dL_dt",
                     "self.dL_dd[synapse.connection][entry] -= synapse.w * A[synapse.into][synapse.into] "
                     "* p[synapse.into]"),
          fast=("physics/synapse.py", "-pack.synapses.w[source, lane] * along",
                "-pack.synapses.w[source, lane] * constants[A_II, lane] * p_I")),
    *both("reset gradient from the wrong side of the spike", blind="BC",
          source="https://github.com/AMICI-dev/AMICI/issues/3257",
          reference=("jumps.py", "dot(p_plus, r) + q", "dot([p_plus[0] - q, *p_plus[1:]], r) + q"),
          fast=("physics/jump.py", "found[reset + i, lane] += p[i]", "found[reset + i, lane] += p[i] if i else -q")),
    *both("flipped sign of the threshold gradient", blind="BC",
          reference=("jumps.py", "q * (v_th - dot(c, x_minus))", "q * (dot(c, x_minus) - v_th)"),
          fast=("physics/jump.py", "found[threshold, lane] += q", "found[threshold, lane] -= q")),
    *both("flipped sign of the gradient by tau_syn", blind="AC",
          reference=("adjoint.py", "adjoint.dL_dtheta[name] += dot(adjoint.p,",
                     "adjoint.dL_dtheta[name] += (-1 if name == 'tau_syn' else 1) * dot(adjoint.p,"),
          fast=("cpu/solver.py", "dL_dconstants[piece.packs] += one.dL_dconstants",
                "dL_dconstants[piece.packs] += one.dL_dconstants\n"
                "            dL_dconstants[piece.packs, 1] -= 2.0 * one.dL_dconstants[..., 1, :]")),
)
"""Identity A scales voltages: it is blind to times, and to a jump scaled by any factor (also 0, if
the membrane does nothing later). B and C are blind to weights, C also to time constants."""

CORE = ("flipped sign of the delay gradient", "no jump at the last spike", "delay cut to whole ms", "0.1 % error")
"""Those of `FAULTS` that `make test` plants, in either implementation."""

CALLERS = (
    Fault("lambda_V lost in a bin without events", "fast", "cpu/vector_step.py",
          "adjoint_across_bin(p_V,", "adjoint_across_bin(0.9 * p_V,"),
    Fault("arrivals of own spikes left out", "fast", "cpu/recurrent_backward.py",
          "dL_dt += own.dL_dt[first + copy]", "dL_dt += 0.0 * own.dL_dt[first + copy]"),
    Fault("own spikes not marked", "fast", "cpu/recurrent_backward.py",
          "        mark(lane, bin_, slot, clock, given.want_tau, b)\n        if b", "        if b"),
    Fault("no arrival carries into the next bin", "fast", "cpu/arrivals.py",
          "return place, carries(instant, time, ticks)", "return place, carries(instant, 0 * time, ticks)"),
    Fault("ring too short for a batch", "fast", "layout/instants.py", "(longest + 1 + BATCH)", "(longest + 1)"),
    Fault("constants of the first neuron for all", "fast", "solving/packing.py",
          "alike = bool((neurons.A[:2, :2] == neurons.A[:2, :2, :1]).all())", "alike = True"),
    Fault("arrivals of a solved bin in no order", "fast", "cpu/gaps.py",
          "rest[place], weight[place] =", "rest[n], weight[n] ="),
    Fault("the gap before an arrival begins with its bin", "fast", "cpu/gaps.py",
          "gap[n] = float(rest[n]) - before", "gap[n] = float(rest[n])"),
    Fault("arrivals before and after an own event change places", "fast", "physics/own_events.py",
          "int(rest > events.rest[e])", "int(rest < events.rest[e])"),
    Fault("Newton ends after a step 1000 times too large", "fast", "physics/crossing.py",
          "        if abs(step) <= least:\n", "        if abs(step) <= 1000.0 * least:\n"),
)
"""Faults in the CPU callers of the shared physics, and on the way of an arrival."""

ON_CUDA = (
    Fault("lambda_V lost in a bin without events", "fast", "cuda/backward.py",
          "adjoint_across_bin(p_V,", "adjoint_across_bin(0.9 * p_V,"),
    Fault("0.1 % error of the plain look-up", "fast", "cuda/lookup.py",
          "add_terms(factors, source, lane, there[0], there[1], True, b)",
          "add_terms(factors, source, lane, there[0], 1.001 * there[1], True, b)"),
    Fault("arrivals of own spikes left out", "fast", "cuda/recurrent_backward.py",
          "given.dL_dt[e] + dL_dt, sweep.clock", "given.dL_dt[e], sweep.clock"),
)
"""Faults in the CUDA callers of the shared physics."""

AT_EDGES = (
    (Fault("a delay of whole bins is one bin longer", "fast", "cpu/arrivals.py",
           "return place, carries(instant, time, ticks)",
           "return place, carries(instant, time + 1, ticks)"), "edges/test_edges.py", "no_delay"),
    (Fault("absent synapses receive", "fast", "physics/synapse.py",
           "= delay if counts else ABSENT", "= delay"), "edges/test_edges.py", "beyond_the_trial"),
    (Fault("an arrival comes before a crossing at its instant", "fast", "physics/within_bin.py",
           "            x_cross = h  # an",
           "            x_cross = -1.0  # an"), "edges/test_edges_ties.py", "spike_at_the_end"),
    (Fault("an arrival just after a crossing is no tie", "fast", "physics/within_bin.py",
           "                flag(neuron_record, lane, ARRIVAL_AT_CROSSING)",
           "                pass"), "edges/test_edges_ties.py", "arrival_at_a_crossing"),
    (Fault("an own spike arrives after the end of the trial", "fast", "cpu/recurrent_steps.py",
           "if bin_ == clock.last and r > clock.end:",
           "if bin_ == clock.last and r > 2.0:"), "fast/test_recurrent.py", "after_the_end"),
)
"""Faults that show at an edge alone (of a bin, of the trial, a tie), and the tests of this edge."""
