"""Faults in the callers of the physics that all kernels of `fast` share."""

from __future__ import annotations

from tests.support.faults.catalogue import Fault

CALLERS = (
    Fault(
        "lambda_V lost in a bin without events",
        "fast",
        "cpu/vector_step.py",
        "adjoint_across_bin(adjoint[lane],",
        "adjoint_across_bin(0.9 * adjoint[lane],",
    ),
    Fault(
        "arrivals of own spikes left out",
        "fast",
        "cpu/recurrent_backward.py",
        "dL_dt += own.dL_dt[first + copy]",
        "dL_dt += 0.0 * own.dL_dt[first + copy]",
    ),
    Fault(
        "own spikes not marked",
        "fast",
        "cpu/recurrent_backward.py",
        "        mark(lane, bin_, slot, clock, b)\n        if b",
        "        if b",
    ),
    Fault(
        "no arrival carries into the next bin",
        "fast",
        "cpu/arrivals.py",
        "return place, carries(instant, time, ticks)",
        "return place, carries(instant, 0 * time, ticks)",
    ),
    Fault(
        "ring too short for a batch",
        "fast",
        "layout/instants.py",
        "(longest + 1 + BATCH)",
        "(longest + 1)",
    ),
    Fault(
        "constants of the first neuron for all",
        "fast",
        "solving/packing.py",
        "alike = bool((problem.host_constants[:2] == problem.host_constants[:2, :1]).all())",
        "alike = True",
    ),
    Fault(
        "arrivals of a solved bin in no order",
        "fast",
        "cpu/gaps.py",
        "rest[place], weight[place] =",
        "rest[n], weight[n] =",
    ),
    Fault(
        "the gap before an arrival begins with its bin",
        "fast",
        "cpu/gaps.py",
        "gap[n] = float(rest[n]) - before",
        "gap[n] = float(rest[n])",
    ),
    Fault(
        "arrivals before and after an own event change places",
        "fast",
        "physics/own_events.py",
        "int(rest > events.rest[e])",
        "int(rest < events.rest[e])",
    ),
    Fault(
        "Newton ends after a step 1000 times too large",
        "fast",
        "physics/crossing.py",
        "while abs(step) > least:",
        "while abs(step) > 1000.0 * least:",
    ),
)
"""Faults in the CPU callers of the shared physics, and on the way of an arrival."""

ON_CUDA = (
    Fault(
        "lambda_V lost in a bin without events",
        "fast",
        "cuda/backward.py",
        "            adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], lane,",
        "            0.9 * adjoint[LAMBDA_V, lane], adjoint[LAMBDA_I, lane], lane,",
    ),
    Fault(
        "0.1 % error of the plain look-up",
        "fast",
        "cuda/lookup.py",
        "add_terms(factors, source, lane, there[0], there[1], True, b)",
        "add_terms(factors, source, lane, there[0], 1.001 * there[1], True, b)",
    ),
    Fault(
        "arrivals of own spikes left out",
        "fast",
        "cuda/recurrent_backward.py",
        "given.dL_dt[e] + dL_dt, sweep.clock",
        "given.dL_dt[e], sweep.clock",
    ),
)
"""Faults in the CUDA callers of the shared physics."""

AT_EDGES = (
    (
        Fault(
            "a delay of whole bins is one bin longer",
            "fast",
            "cpu/arrivals.py",
            "return place, carries(instant, time, ticks)",
            "return place, carries(instant, time + 1, ticks)",
        ),
        "edges/test_edges_networks.py",
        "no_delay",
    ),
    (
        Fault(
            "absent synapses receive",
            "fast",
            "physics/synapse.py",
            "= delay if counts else ABSENT",
            "= delay",
        ),
        "edges/test_edges_networks.py",
        "beyond_the_trial",
    ),
    (
        Fault(
            "an arrival comes before a crossing at its instant",
            "fast",
            "physics/within_bin.py",
            "            x_cross = h  # an",
            "            x_cross = -1.0  # an",
        ),
        "edges/test_edges_ties.py",
        "spike_at_the_end",
    ),
    (
        Fault(
            "an arrival just after a crossing is no tie",
            "fast",
            "physics/within_bin.py",
            "                flag(neuron_record, lane, ARRIVAL_AT_CROSSING)",
            "                pass",
        ),
        "edges/test_edges_ties.py",
        "arrival_at_a_crossing",
    ),
    (
        Fault(
            "an own spike arrives after the end of the trial",
            "fast",
            "cpu/recurrent_steps.py",
            "if bin_ == clock.last and r > clock.end:",
            "if bin_ == clock.last and r > 2.0:",
        ),
        "fast/test_recurrent_end.py",
        "after_the_end",
    ),
)
"""Faults that show at an edge alone (of a bin, of the trial, a tie), and the tests of this edge."""
