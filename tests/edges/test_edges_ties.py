"""Ties: the rule of the specification, its flag, and the one-sided derivative of the rule. Grazing
spikes: the gradient obeys the root law and keeps its digits; differences fail.

The ground truth stands exactly on the tie, to 50 digits. It is differentiated by each parameter on
the side with the order of events that the rule names. If a crossing is part of the tie, the
crossing is earlier on this side; the derivative of the crossing time gives the side.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import mpmath
import numpy as np
import pytest

from delayprop.spec import Case, Result, SpikeTimeMSE, SpikeTrains, Tie
from tests.support.comparison import block_errors
from tests.support.implementations import RUNS, Run, assert_true, every_readout, every_run, name_of
from tests.support.networks.documents import (
    cross_entropy,
    crossing_at_the_end_of_a_bin,
    loss_of,
    read,
    spiking,
    two_neurons,
    wire,
)
from tests.support.networks.rewriting import with_connections
from tests.support.parameters import keyed
from tests.support.report_evidence import Measured
from tests.support.tolerances import (
    CANCELLATION,
    DIFFERENCE_OF_TIE,
    GROWTH,
    U64,
    VANISHES,
    WELL_CONDITIONED,
    relative,
    times,
)
from tests.support.truth import Key, OrderChanged, Problem, difference, gradient, simulate

DELAY = 0.5
DRIVE = (14.0, 2.25)  # weight and time of an arrival that makes a LIF neuron spike several times


def case_of(arrivals: list[tuple[float, float]], loss: dict, kind: str = "lif", T: float = 60.0) -> Case:
    """One neuron with these arrivals, each from its own input neuron, and one without any."""
    out = (spiking() if kind == "lif" else {"kind": kind}) | {"tau_syn": 6.0}
    weights, delays = [[w, None] for w, _ in arrivals], [[DELAY, None]] * len(arrivals)
    return two_neurons(out, weights, delays, [[t - DELAY] for _, t in arrivals], loss, T)


def chain_of(T: float, w: float | None = 3.0) -> Case:
    """Two hidden neurons, of which the second spikes later and reaches the first output with
    weight `w`."""
    neurons = {"size": 2, "tau_mem": 16.0, "tau_syn": 6.0}
    hidden, out = {"name": "hidden", **neurons, **spiking()}, {"name": "out", **neurons, "kind": "li"}
    wires = [
        wire("in", "hidden", [[14.0, None], [None, 8.0]], DELAY), wire("hidden", "out", [[2.0, None], [w, None]], 0.0)
    ]
    return read(T, [[1.75], [1.75]], [hidden, out], wires, cross_entropy("max_voltage", 1))


def spikes_near(*targets: float) -> dict:
    return {"kind": "spike_time_mse", "targets": [list(targets), []]}


def one_sided_errors(result: Result, tie: Problem, sides: Mapping[Key, int]) -> dict[Key, float]:
    """Errors relative to one-sided derivatives of the truth (0: both sides)."""
    true = {key: float(difference(tie, key, side=sides.get(key, 0))) for key in tie.values}
    found = keyed(tie.case, result.gradients)
    largest = max(map(abs, true.values()))
    assert largest > 0
    scales = {key: max(abs(value), CANCELLATION * largest) for key, value in true.items()}
    return {key: abs(found[key] - value) / scales[key] for key, value in true.items()}


def assert_one_sided(result: Result, tie: Problem, sides: Mapping[Key, int]) -> float:
    """Asserts the one-sided derivatives of the truth; the largest error."""
    errors = one_sided_errors(result, tie, sides)
    wrong = {key: error for key, error in errors.items() if not error <= DIFFERENCE_OF_TIE}
    assert not wrong, f"errors beyond {DIFFERENCE_OF_TIE}: {wrong}"
    return max(errors.values())


def first_crossing(case: Case, population: str = "out", neuron: int = 0) -> tuple[mpmath.mpf, dict[Key, int]]:
    """The first spike time to 50 digits, and the side of each parameter on which it is earlier."""
    t = simulate(Problem.from_case(case)).spikes[population][neuron][0]
    trains = tuple(np.zeros(int(j == neuron)) for j in range(2))
    at_0 = SpikeTimeMSE(population, SpikeTrains(trains))  # its derivative has the sign of that of t
    problem = Problem.from_case(replace(case, loss=at_0))
    slopes = {key: difference(problem, key) for key in problem.values}
    return t, {key: -int(mpmath.sign(slope)) for key, slope in slopes.items() if abs(slope) > VANISHES}


def tie_at(case: Case, t: mpmath.mpf, *keys: Key) -> Problem:
    """The case with these inputs arriving exactly at `t`; without keys, ending exactly at `t`."""
    problem = Problem.from_case(case)
    with mpmath.workdps(60):
        for key in keys:
            problem.values[key] = t - DELAY
    return problem if keys else replace(problem, duration=t)


def late(*inputs: int, side: int = 1) -> dict[Key, int]:
    """The arrivals of these inputs, moved to later (or earlier) times."""
    return {key: side for i in inputs for key in (("t_in", "in", i, 0), ("d", 0, i, 0))}


def at_a_crossing(w: float) -> tuple[Case, Problem, dict[Key, int]]:
    """An arrival at the first crossing; exactly so as a problem; the sides of the parameters."""
    t, sides = first_crossing(case_of([DRIVE], spikes_near(3.0, 5.0)))
    case = case_of([DRIVE, (w, float(t))], spikes_near(3.0, 5.0, 9.0))
    return case, tie_at(case, t, ("t_in", "in", 1, 0)), sides


@pytest.mark.check(25)
@every_run
@pytest.mark.parametrize("w", [3.0, -3.0, -40.0], ids=["excitatory", "inhibitory", "strongly inhibitory"])
def test_an_arrival_at_a_crossing(run: Run, w: float, measured: Measured) -> None:
    """The crossing comes first: inhibition erases no spike; the arrival counts as a later one."""
    case, tie, sides = at_a_crossing(w)
    result = run(case)
    expected = [len(train) for train in simulate(tie).spikes["out"]]
    assert [len(train) for train in result.spikes["out"]] == expected and expected[0] >= 1
    assert result.ties == (Tie("out", 0, "arrival_at_crossing"),)
    measured(assert_one_sided(result, tie, sides | late(1)), DIFFERENCE_OF_TIE, 1)
    if expected[0] > 1:  # the arrival moves later spikes, and does so differently where it comes before the crossing
        earlier = difference(tie, ("t_in", "in", 1, 0), side=-1)
        assert abs(earlier - result.gradients.inputs["in"][1][0]) > DIFFERENCE_OF_TIE


@pytest.mark.check(25, control=True)
@every_run
@pytest.mark.parametrize("w", [3.0, -3.0], ids=["excitatory", "inhibitory"])
def test_control_the_other_side_of_a_tie(run: Run, w: float, measured: Measured) -> None:
    case, tie, sides = at_a_crossing(w)
    errors = one_sided_errors(run(case), tie, sides | late(1, side=-1))
    measured(max(errors.values()), DIFFERENCE_OF_TIE, 1)
    assert max(errors.values()) > DIFFERENCE_OF_TIE


@every_run
def test_an_arrival_that_begins_a_bin_at_a_crossing(run: Run) -> None:
    result = run(crossing_at_the_end_of_a_bin())
    assert result.ties[0] == Tie("out", 0, "arrival_at_crossing")
    assert 0 < 4.0 - result.spikes["out"][0][0] < 1e-14


@pytest.mark.check(27)
@every_run
@every_readout
def test_a_spike_at_the_end(run: Run, read: str, measured: Measured) -> None:
    """A spike exactly at `T` counts, with the derivatives of an earlier one."""
    of = spikes_near(3.0) if read == "spikes" else loss_of(read) | {"label": 1}
    longer = case_of([DRIVE], spikes_near(3.0))
    t, sides = first_crossing(longer)
    case = case_of([DRIVE], of, T=float(run(longer).spikes["out"][0][0]))
    result = run(case)
    assert [len(train) for train in result.spikes["out"]] == [1, 0]
    assert result.ties == (Tie("out", 0, "spike_at_end"),)
    measured(assert_one_sided(result, tie_at(case, t), sides), DIFFERENCE_OF_TIE, 1)


@pytest.mark.check(27)
@every_run
def test_a_hidden_spike_at_the_end(run: Run, measured: Measured) -> None:
    """It arrives at `T`, without delay, at an output whose voltage rises until then: the arrival
    adds nothing to it, but would if it were earlier."""
    case = chain_of(60.0)
    t, sides = first_crossing(case, "hidden", 1)
    for _ in range(3):  # in a shorter trial the spike may round to another number
        case = chain_of(float(run(case).spikes["hidden"][1][0]))
    result, sides = run(case), sides | {("d", 1, 1, 0): -1}
    assert [len(train) for train in result.spikes["hidden"]] == [1, 1]
    assert result.ties == (Tie("hidden", 1, "spike_at_end"), Tie("out", 0, "arrival_at_end"))
    without = run(chain_of(case.duration, None))
    assert result.loss == without.loss and keyed(case, result.gradients)["t_in", "in", 1, 0] != 0
    measured(assert_one_sided(result, tie_at(case, t), sides), DIFFERENCE_OF_TIE, 1)


@pytest.mark.check(27, control=True)
@every_run
def test_control_a_spike_just_after_the_end_is_none(run: Run) -> None:
    """A trial that ends a moment earlier has no spike, and derivatives of 0."""
    longer = case_of([DRIVE], spikes_near(3.0))
    t, sides = first_crossing(longer)
    case = case_of([DRIVE], spikes_near(3.0), T=float(run(longer).spikes["out"][0][0]))
    earlier = tie_at(case, t - mpmath.mpf("1e-9"))
    result = run(case)
    assert not any(difference(earlier, key, side=sides.get(key, 0)) for key in earlier.values)
    assert any(keyed(case, result.gradients).values())


@pytest.mark.check(27)
@every_run
@pytest.mark.parametrize("w", [2.0, -30.0], ids=["excitatory", "inhibitory"])
@pytest.mark.parametrize("readout", ["max_voltage", "mean_voltage"])
def test_an_arrival_at_the_end(run: Run, readout: str, w: float, measured: Measured) -> None:
    """An arrival exactly at `T` counts, with the derivatives of an earlier one."""
    T = 4.5
    case = case_of([DRIVE, (w, T)], cross_entropy(readout, 1), "li", T)
    result = run(case)
    assert result.ties == (Tie("out", 0, "arrival_at_end"),)
    measured(assert_one_sided(result, Problem.from_case(case), late(1, side=-1)), DIFFERENCE_OF_TIE, 1)
    assert (result.gradients.inputs["in"][1][0] == 0) == (readout == "mean_voltage")


@pytest.mark.check(25)
@every_run
def test_equal_maxima(run: Run) -> None:
    """Of two equal maxima the earlier counts, so later events have gradient 0."""
    apart = 2000.0  # ms: the first has decayed to less than u
    twice = case_of([DRIVE, (DRIVE[0], DRIVE[1] + apart)], cross_entropy("max_voltage", 1), "li", 2 * apart)
    once = case_of([DRIVE], cross_entropy("max_voltage", 1), "li", 2 * apart)
    result, first = run(twice), run(once)
    assert result.ties == (Tie("out", 0, "equal_maxima"),) and first.ties == ()
    assert result.loss == first.loss
    by, by_first = keyed(twice, result.gradients), keyed(once, first.gradients)
    for kind in ("w", "d"):
        assert by[kind, 0, 1, 0] == 0.0 and by[kind, 0, 0, 0] == by_first[kind, 0, 0, 0]


@pytest.mark.check(25)
@every_run
@pytest.mark.parametrize(("first", "second"), [(-30.0, -20.0), (-4.0, -5.0), (-30.0, -2.0)],
                         ids=["each", "both", "one"])
def test_a_maximum_pinned_to_two_arrivals(run: Run, first: float, second: float) -> None:
    """Each derivative is that of a later arrival, the other held: 0 if that ends the rise alone."""
    case = case_of([DRIVE, (first, 5.5), (second, 5.5)], cross_entropy("max_voltage", 1), "li")
    result = run(case)
    assert result.ties == (Tie("out", 0, "simultaneous_arrivals_at_maximum"),)
    assert_one_sided(result, Problem.from_case(case), late(1, 2))


@pytest.mark.check(25)
@pytest.mark.parametrize("loss", ["spikes", "mean_voltage"])
@pytest.mark.parametrize("run", RUNS)
def test_simultaneous_arrivals_commute(run: str, loss: str) -> None:
    """In the reference every bit is equal."""
    of = spikes_near(3.0, 5.0) if loss == "spikes" else cross_entropy(loss, 1)
    case, swapped = (case_of([DRIVE, *two], of) for two in ([(5.0, 4.0), (-2.0, 4.0)], [(-2.0, 4.0), (5.0, 4.0)]))
    a, b = RUNS[run](case), RUNS[run](swapped)
    assert a.ties == b.ties == ()
    by_a, by_b = keyed(case, a.gradients), keyed(swapped, b.gradients)
    pairs = [(by_a[kind, 0, i, 0], by_b[kind, 0, -i % 3, 0]) for kind in "wd" for i in (0, 1, 2)]
    for x, y in [(a.loss, b.loss), *pairs]:
        assert x != 0 and abs(x - y) <= (0.0 if run == "reference" else WELL_CONDITIONED) * abs(y)


@every_run
def test_weights_that_cancel_at_one_instant_move_nothing(run: Run) -> None:
    """The weights are those given, to the bit: a rest of 1e-17 would make a maximum, and a gradient
    of its own size."""
    w, delays = 0.6125947561513535, [[1.6875, 2.6875], [1.265625, 2.765625]]
    neuron = {"kind": "li", "tau_mem": 8.0, "tau_syn": 5.0}
    case = two_neurons(neuron, [[w, w], [-w, -w]], delays, [[2.3125], [2.734375]], loss_of("max_voltage"), 16.0)
    of_w = run(case).gradients.connections[0].dL_dw
    assert (of_w[:, 0] == 0.0).all() and of_w[0, 1] > 0


LOSS = {"kind": "spike_time_mse", "targets": [[5.0], []]}


def grazing(height: float) -> Case:
    """One spike of a voltage with peak `1 + height`, a quarter of the weight at tau ratio 2."""
    return two_neurons(spiking(reset=-8.0), [[4 * (1 + height), None]], [[1.75, None]], [[0.5]], LOSS, 60.0)


HEIGHTS = [10.0**-k for k in range(1, 13)]


@pytest.mark.check(23)
@every_run
@pytest.mark.parametrize("height", HEIGHTS)
def test_grazing(run: Run, height: float, measured: Measured) -> None:
    """However low the peak above threshold, the relative error is at most 100 u / kappa."""
    case = grazing(height)
    result = run(case)
    measured(assert_true(case, result).used, 1.0, 1)
    errors = block_errors(case, result.gradients, gradient(case))
    measured.keep("grazing", {
        "height": height, "kappa": result.kappa_min, "implementation": name_of(run),
        "error": errors["connections[0].weights"], "differences": error_of_differences(run, case),
    })


def error_of_differences(run: Run, case: Case) -> float:
    """The relative error of central float64 differences by the weight, across a vanishing spike."""
    (only,) = case.network.connections
    step = 1e-6 * only.w[0, 0]
    above, below = (run(with_connections(case, [replace(only, w=only.w + move)])).loss for move in (step, -step))
    return abs(float(above - below) / (2 * step) / float(gradient(case).connections[0].dL_dw[0, 0]) - 1)


@pytest.mark.check(23, control=True)
@every_run
@pytest.mark.parametrize("height", HEIGHTS[7:])
def test_control_differences_in_float64_fail_here(run: Run, height: float, measured: Measured) -> None:
    """A step of 1e-6 makes the spike vanish: no digit of the gradient is right."""
    case = grazing(height)
    off = error_of_differences(run, case)
    measured(off, relative(U64, run(case).kappa_min), 1)
    assert off > 0.5


@pytest.mark.check(23)
@every_run
def test_a_grazing_gradient_grows_with_the_root(run: Run, measured: Measured) -> None:
    """`dt/dw` grows as `(peak - v_th)^(-1/2)`, and nothing clips it."""
    slopes = [abs(run(grazing(h)).gradients.connections[0].dL_dw[0, 0]) for h in HEIGHTS[4:10]]
    exponent = np.polyfit(np.log(HEIGHTS[4:10]), np.log(slopes), 1)[0]
    measured(abs(exponent + 0.5), GROWTH, 6)
    assert abs(exponent + 0.5) <= GROWTH


@pytest.mark.check(24)
@pytest.mark.parametrize("height", HEIGHTS)
def test_differences_across_a_vanishing_spike_are_refused(height: float, measured: Measured) -> None:
    """The order of events differs on the two sides: the loss jumps, and has no derivative."""
    problem = Problem.from_case(grazing(height))
    threshold = ("v_th", "out", 0)
    with pytest.raises(OrderChanged):
        difference(problem, threshold, h=f"{2 * height:.3e}")
    losses = []
    for side in (0.5, 1.5):
        moved = Problem.from_case(grazing(height))
        moved.values[threshold] += side * height
        losses.append(simulate(moved).loss)
    jump = float(abs(losses[1] - losses[0]))
    measured(0, 0, 1)
    assert jump > 1000


@pytest.mark.check(24, control=True)
@pytest.mark.parametrize("height", HEIGHTS[:8])
def test_control_differences_that_cross_nothing_are_not_refused(height: float) -> None:
    difference(Problem.from_case(grazing(height)), ("v_th", "out", 0), h=f"{1e-3 * height:.3e}")


@every_run
def test_a_peak_that_touches(run: Run) -> None:
    assert [len(train) for train in run(grazing(0.0)).spikes["out"]] == [0, 0]
    assert [len(train) for train in run(grazing(1e-14)).spikes["out"]] == [1, 0]


@every_run
def test_an_arrival_at_a_peak_that_touches(run: Run) -> None:
    """The arrival makes a flat voltage rise: rounding moves the spike by tau_mem u^(1/2)."""
    peak = 0.5 + 16 * math.log(2)
    weights, delays = [[4.0, None], [3.0, None]], [[0.0, None], [0.0, None]]
    (t,), _ = run(two_neurons(spiking(reset=-8.0), weights, delays, [[0.5], [peak]], LOSS, 60.0)).spikes["out"]
    assert abs(t - peak) <= times(U64, U64, 60.0)
