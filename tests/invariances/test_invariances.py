"""One network written in two ways has the same spikes, loss and gradient, in another place."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.spec import (
    Case,
    Connection,
    ConnectionGradient,
    CrossEntropy,
    Network,
    Population,
    Result,
    SpikeTimeMSE,
    SpikeTrains,
)
from tests.support.comparison import assert_bitwise, assert_equal, assert_same, largest_block, share
from tests.support.effort import many
from tests.support.implementations import RUNS
from tests.support.networks.families import FAMILIES, SPIKE_LOSSES
from tests.support.networks.rewriting import SPARE, in_units, later, permuted, with_connections, with_gradients_of
from tests.support.networks.strategies import families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tolerances import SAME_NETWORK, SAME_SUM, U64, VANISHES, relative
from tests.support.truth import Problem, difference

pytestmark = pytest.mark.full
CASES = many(4)  # per family
SEEDS = 200  # tried for them, however few: of one family every thirtieth network has a loss that a test needs
PAIRS = [(run, family) for run in RUNS for family in families()]
IDLE = Population("idle", "input", 1)
every_family = pytest.mark.parametrize(("run", "family"), PAIRS)


def cases(family: str, suits: Callable[[Case], bool] = lambda case: True) -> Iterator[Case]:
    found = 0
    for seed in range(SEEDS):
        case = drawn(family, seed)
        if suits(case) and largest_block(case, result("reference", case).gradients) > VANISHES:
            found += 1
            yield case
        if found == CASES:
            break
    assert found == CASES


drawn = cache(lambda family, seed: seeded_case(seed, family))


@cache
def result(run: str, case: Case) -> Result:
    return RUNS[run](case)


def judge(measured: Measured, used: Iterable[float]) -> None:
    """Reports the shares of the allowed errors that comparisons of the cases of a family used."""
    shares = list(used)
    measured(max(shares), 1.0, len(shares), f"from 0, {CASES} of each family")


def assert_seen(measured: Measured, case: Case, found: Result, true: Result, limit: float = SAME_NETWORK) -> None:
    """A control: asserts that the comparison refuses these results."""
    measured(share(case, found, true, limit), 1.0, 1)
    with pytest.raises(AssertionError):
        assert_same(case, found, true, limit)


@pytest.mark.check(11)
@every_family
def test_a_shift_of_time(run: str, family: str, measured: Measured) -> None:
    """With inputs and `T` 3.7 ms later, spikes are later and gradients equal (not of averages)."""

    def suits(case: Case) -> bool:
        return not isinstance(case.loss, CrossEntropy) or case.loss.readout in ("max_voltage", "first_spike_time")

    rewritten = ((case, *later(case, 3.7)) for case in cases(family, suits))
    judge(measured, (assert_same(new, RUNS[run](new), move(result(run, case))) for case, new, move in rewritten))


@pytest.mark.check(11, control=True)
@pytest.mark.parametrize("run", RUNS)
def test_control_a_shift_that_leaves_the_targets_is_seen(run: str, measured: Measured) -> None:
    case = next(cases("layers", lambda case: isinstance(case.loss, SpikeTimeMSE) and reference.run(case).loss > 0))
    shifted, move = later(case, 3.7)
    assert_seen(measured, shifted, RUNS[run](replace(shifted, loss=case.loss)), move(result(run, case)))


@every_family
@pytest.mark.parametrize("ms", [4.0, pytest.param(1e-3, marks=pytest.mark.full)], ids=["quarter_ms", "s"])
def test_the_unit_of_time(run: str, family: str, ms: float) -> None:
    """All times in another unit; a power of 2 as the factor leaves even the rounding unchanged."""
    for case in cases(family):
        rewritten, move = in_units(case, ms, 1.0)
        check = assert_bitwise if run == "reference" and ms == 4.0 else assert_same
        check(rewritten, RUNS[run](rewritten), move(result(run, case)))


@pytest.mark.parametrize(("run", "family"),
                         [pair for pair in PAIRS if set(FAMILIES[pair[1]].losses) & set(SPIKE_LOSSES)])
def test_the_unit_of_voltage(run: str, family: str) -> None:
    for case in cases(family, lambda case: not isinstance(case.loss, CrossEntropy) or case.loss.time_scale is not None):
        rewritten, move = in_units(case, 1.0, 0.5)
        assert_equal(run, rewritten, RUNS[run](rewritten), move(result(run, case)))


@pytest.mark.check(12)
@every_family
def test_the_order_of_everything(run: str, family: str, measured: Measured) -> None:
    rewritten = ((case, *permuted(case, seed)) for seed, case in enumerate(cases(family)))
    judge(measured, (assert_equal(run, new, RUNS[run](new), move(result(run, case))) for case, new, move in rewritten))


@pytest.mark.check(12, control=True)
@pytest.mark.parametrize("run", RUNS)
def test_control_another_order_is_seen(run: str, measured: Measured) -> None:
    case = next(cases("layers", lambda case: all(len(c.w) > 1 for c in case.network.connections)))
    rewritten, move = permuted(case, 0)
    moved = with_gradients_of(
        move(result(run, case)),
        lambda of: [ConnectionGradient(np.roll(g.dL_dw, 1, axis=0), np.roll(g.dL_dd, 1, axis=0)) for g in of],
    )
    assert_seen(measured, rewritten, RUNS[run](rewritten), moved, SAME_SUM)


@pytest.mark.check(13)
@every_family
def test_a_delay_is_a_later_input(run: str, family: str, measured: Measured) -> None:
    ways = two_ways(family, 1.0)
    judge(measured, (assert_same(case, RUNS[run](shifted), RUNS[run](delayed)) for case, shifted, delayed in ways))


@pytest.mark.check(13, control=True)
@pytest.mark.parametrize("run", RUNS)
def test_control_a_delay_a_millionth_longer_is_seen(run: str, measured: Measured) -> None:
    case, shifted, delayed = next(two_ways("layers", 1 + 1e-6))
    assert_seen(measured, case, RUNS[run](shifted), RUNS[run](delayed))


def two_ways(family: str, factor: float) -> Iterator[tuple[Case, Case, Case]]:
    """Cases; each with later inputs; and with delays longer by this shift times the factor."""
    for seed, case in enumerate(cases(family)):
        ((name, trains),) = case.inputs.items()
        extra = np.random.default_rng(seed).uniform(0.0, 4.0, len(trains))
        inputs = {name: SpikeTrains(tuple(train + e for train, e in zip(trains, extra, strict=True)))}
        connections = [replace(c, d=c.d + factor * extra[:, None]) if c.source == name else c
                       for c in case.network.connections]
        yield case, replace(case, inputs=inputs), with_connections(case, connections)


@every_family
def test_two_synapses_of_half_the_weight(run: str, family: str) -> None:
    """Each half has the gradient of the whole; maxima pinned to both halves are left out."""

    def suits(case: Case) -> bool:
        return "simultaneous_arrivals_at_maximum" not in {tie.kind for tie in reference.run(halved(case)).ties}

    for case in cases(family, suits):
        expected = with_gradients_of(
            result(run, case), lambda of: [ConnectionGradient(g.dL_dw, g.dL_dd / 2) for g in of for _ in range(2)]
        )
        assert_equal(run, halved(case), RUNS[run](halved(case)), expected)


def halved(case: Case) -> Case:
    return with_connections(case, [replace(c, w=c.w / 2) for c in case.network.connections for _ in range(2)])


@pytest.mark.check(15)
@every_family
def test_neurons_that_nobody_reads(run: str, family: str, measured: Measured) -> None:
    """A population that sends nothing and an unconnected input change nothing; gradients are 0."""
    used = []
    for case in cases(family):
        first, names = case.network.connections[0].source, [p.name for p in case.network.populations]
        listening = Connection(first, "spare", np.full((case.network.population(first).size, 2), 3.0), 0.7)
        network = Network((*case.network.populations, SPARE, IDLE), (*case.network.connections, listening))
        inputs = {**case.inputs, "idle": SpikeTrains((np.array([1.0]),))}
        found = RUNS[run](replace(case, network=network, inputs=inputs))
        by = found.gradients
        nothing = [*vars(by.connections[-1]).values(), *by.populations["spare"].values(), by.inputs["idle"][0]]
        assert not any(values.any() for values in nothing)
        rest = replace(
            by, connections=by.connections[:-1],
            populations={name: g for name, g in by.populations.items() if name in names},
            inputs={name: g for name, g in by.inputs.items() if name in names},
        )
        used.append(assert_equal(run, case, replace(found, gradients=rest), result(run, case)))
    judge(measured, used)


@pytest.mark.check(15, control=True)
@pytest.mark.parametrize("run", RUNS)
def test_control_a_synapse_of_a_billionth_is_seen(run: str, measured: Measured) -> None:
    case = seeded_case(2, "layers")
    first = case.network.connections[0]
    faint = Connection(first.source, first.target, np.full(first.w.shape, 1e-9), first.d + 0.1)
    found = with_gradients_of(RUNS[run](with_connections(case, [*case.network.connections, faint])), lambda of: of[:-1])
    assert_seen(measured, case, found, result(run, case))


@pytest.mark.check(15)
@every_family
def test_synapses_of_weight_0(run: str, family: str, measured: Measured) -> None:
    """They change nothing; their delays have gradient 0, their weights the true gradient."""
    used = []
    for seed, case in enumerate(cases(family)):
        rng = np.random.default_rng(seed)
        silent = [
            Connection(c.source, c.target, np.zeros(c.w.shape), rng.uniform(0.5, 8.0, c.w.shape))
            for c in case.network.connections
        ]
        more, n = with_connections(case, [*case.network.connections, *silent]), len(silent)
        found, true = RUNS[run](more), result(run, case)
        used.append(assert_same(case, with_gradients_of(found, lambda of, n=n: of[:n]), true))  # type: ignore[misc]
        assert not any(g.dL_dd.any() for g in found.gradients.connections[n:])
        if seed == 0:
            slopes = {(c, *at): g for c in range(n, 2 * n)
                      for at, g in np.ndenumerate(found.gradients.connections[c].dL_dw)}
            largest = max(slopes, key=lambda at: abs(slopes[at]))
            w = difference(Problem.from_case(more), ("w", *largest))
            assert slopes[largest] != 0 and abs(slopes[largest] - w) <= relative(U64, true.kappa_min) * abs(w)
    judge(measured, used)
