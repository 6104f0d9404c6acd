"""`fast` equals `reference` in float64, block by block; both share the specification alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import delayprop.reference as reference
from delayprop.fast.layout.arrays import LANES
from delayprop.fast.run import run_case
from delayprop.spec import Case, CrossEntropy, Result, Tie, load_case
from delayprop.spec.readouts import EXP_WEIGHTED_VOLTAGE, READOUT_BY_NAME
from delayprop.spec.results import TIE_KINDS
from tests.support.comparison import assert_same_results, block_errors, scaled, share
from tests.support.conditioning import condition
from tests.support.effort import many
from tests.support.float32 import P99_32, Float32
from tests.support.implementations import DIGITS, agreement
from tests.support.networks.documents import cross_entropy, li, lif, one_neuron, read, ties, wire
from tests.support.networks.failures import stored_on_failure
from tests.support.networks.rewriting import with_connections
from tests.support.networks.strategies import cases, families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tangent import directional_derivative, dot_product, random_direction
from tests.support.tolerances import DOT_PRODUCT, U64, relative

SEEDS = many(25)  # of each family: 400 in all
WIDE = {"layers": (65, 200), "mixed": (33, 70), "recurrent": (33, 50), "recurrent_mixed": (33, 45)}
"""Families, with sizes of hidden layers: several packs of 32 neurons, the last one not full."""


@pytest.mark.check(17)
def test_float64_on_networks_that_hypothesis_draws(measured: Measured) -> None:
    used: list[float] = []

    @settings(max_examples=4 * settings().max_examples)
    @given(cases())
    def draw(case: Case) -> None:
        with stored_on_failure(case, "agreement-float64"):
            used.append(agreement(case).used)

    draw()
    measured(max(used), 1.0, len(used), "Hypothesis, derandomized")


@pytest.mark.check(17)
@pytest.mark.parametrize("family", families())
def test_float64_on_seeded_networks(family: str, measured: Measured) -> None:
    found = [agreement(seeded_case(seed, family), chains=False) for seed in range(SEEDS)]
    blocks, zero = sum(one.blocks for one in found), sum(one.zero for one in found)
    assert zero < blocks
    measured(max(one.used for one in found), 1.0, SEEDS, f"0 to {SEEDS - 1} of each family")


@pytest.mark.full
@pytest.mark.check(17)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("family", WIDE)
def test_float64_on_wide_layers(
    family: str, threads: int, use_threads: Callable[[int], None], measured: Measured
) -> None:
    use_threads(threads)
    networks = [seeded_case(seed, family, size=WIDE[family]) for seed in range(1, 1 + many(4))]
    assert max(p.size for case in networks for p in case.network.populations) > LANES
    found, in_float32 = [agreement(case) for case in networks], Float32()
    for seed, case in enumerate(networks, 1):
        in_float32.add(case, f"{family} {seed}")
    assert max(in_float32.errors) < P99_32
    measured(max(one.used for one in found), 1.0, len(found), f"1 to {len(found)} of each wide family")


def with_moved_weights(case: Case, share: float, seed: int) -> Case:
    """The case with each weight moved by this share of it, up or down."""
    signs = np.random.default_rng(seed)
    moved = [replace(c, w=c.w * (1 + signs.choice([-1, 1], c.w.shape) * share)) for c in case.network.connections]
    return with_connections(case, moved)


def test_30_digits_decide_where_float64_rounds_apart() -> None:
    """A gradient that cancels to 1e-11, so that weights moved by 2^-52 move it by three tolerances:
    an exact result is accepted all the same, and `fast` is where its condition number allows it."""
    case = load_case(Path(__file__).parent / "hard" / "two-outputs-almost-alike.json")
    exact, rounded = reference.run(case, DIGITS), reference.run(with_moved_weights(case, 2.0**-52, 3))
    with pytest.raises(AssertionError, match="beyond the tolerance"):
        assert_same_results(case, exact, rounded)
    assert 2.5 < share(case, exact, rounded) < 3.5
    assert agreement(case, lambda _: exact).used < 1
    assert assert_same_results(case, run_case(case), exact, kappa=1 / condition(case, exact)).used < 0.02


def chained() -> tuple[Case, Result, float]:
    """A network of spikes that hardly graze and enlarge each other's errors, its result at 30
    digits, and its condition number."""
    case = seeded_case(668, "recurrent_inhibited")
    exact = reference.run(case, DIGITS)
    return case, exact, condition(case, exact)


@pytest.mark.full
def test_the_condition_number_bounds_the_cost_of_a_chain_of_spikes() -> None:
    """Of 20,000 seeded networks, 1250 of each family, this one alone has needed the condition
    number (the search was not kept): weights moved by 2^-50, with these signs, move its gradients
    by three tolerances."""
    case, exact, number = chained()
    assert exact.kappa_min is not None and number > 1e4 / exact.kappa_min
    rounded = reference.run(with_moved_weights(case, 2.0**-50, 2), DIGITS)
    with pytest.raises(AssertionError, match="beyond the tolerance"):
        assert_same_results(case, rounded, exact)
    assert 2.5 < share(case, rounded, exact) < 3.5
    assert assert_same_results(case, rounded, exact, kappa=1 / number).used < 1
    assert agreement(case).used < 1


@pytest.mark.full
@pytest.mark.check(17, control=True)
def test_control_a_fault_of_a_billionth_exceeds_what_a_chain_may_cost(measured: Measured) -> None:
    """In the weights: all other blocks of this network cancel."""
    case, exact, number = chained()
    wrong = replace(exact, gradients=scaled(exact.gradients, "w", 1 + 1e-9))
    measured(max(block_errors(case, wrong.gradients, exact.gradients).values()), relative(U64, 1 / number), 1)
    with pytest.raises(AssertionError, match="beyond the tolerance"):
        assert_same_results(case, wrong, exact, kappa=1 / number)


@pytest.mark.check(17, control=True)
def test_control_a_delay_changed_by_a_millionth_does_not_agree(measured: Measured) -> None:
    case = seeded_case(2, "layers")
    first, *others = case.network.connections
    other = with_connections(case, [replace(first, d=first.d * (1 + 1e-6)), *others])
    measured(share(case, run_case(other), reference.run(case)), 1.0, 1)
    with pytest.raises(AssertionError):
        agreement(case, lambda _: run_case(other))


@pytest.mark.parametrize("kind", TIE_KINDS)
def test_float64_at_ties(kind: str) -> None:
    case = ties()[kind]
    assert reference.run(case).ties == (Tie("out", 0, kind),)
    agreement(case)


@pytest.mark.parametrize("before", [1e-2, 1e-4])
@pytest.mark.parametrize("readout", ["mean_voltage", "exp_weighted_voltage"])
def test_float64_with_an_arrival_just_before_the_end(readout: str, before: float) -> None:
    """A voltage that has no time to grow keeps all its digits, and so does its gradient."""
    agreement(replace(one_neuron("li", [(20.0 - before, 2.0)], 20.0), loss=CrossEntropy(readout, "out", 1)))


def test_an_integral_with_another_weight_needs_its_rate_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`exp(-3 t / T)`: both implementations take it from the specification."""
    name = EXP_WEIGHTED_VOLTAGE.name
    cases = [replace(seeded_case(seed, "layers"), loss=CrossEntropy(name, "out", 0)) for seed in range(many(8))]
    usual = [reference.run(case).loss for case in cases]
    monkeypatch.setitem(READOUT_BY_NAME, name, replace(EXP_WEIGHTED_VOLTAGE, rate=3.0))
    assert max(agreement(case).used for case in cases) < 1
    others = [reference.run(case).loss for case in cases]
    assert sum(a != b for a, b in zip(others, usual, strict=True)) > len(cases) / 2, "the weight counts"


INPUTS, NEURONS = 20, 200


def dense() -> Case:
    """200 neurons that all reach each other, by delays of 0.5 to 10 ms; some spikes each. A spike
    changes place within any useful step, so the tangent decides, not differences."""
    rng = np.random.default_rng(0)

    def drawn(source: str, target: str, mean: float, sd: float, longest: float, pre: int, post: int) -> dict:
        weights = rng.normal(mean, sd, (pre, post)).tolist()
        return wire(source, target, weights, rng.uniform(0.5, longest, (pre, post)).tolist())

    wires = [
        drawn("in", "hid", 1.0, 1.0, 5.0, INPUTS, NEURONS), drawn("hid", "hid", 0.0, 0.15, 10.0, NEURONS, NEURONS),
        drawn("hid", "out", 0.02, 0.05, 5.0, NEURONS, 2),
    ]
    inputs = [[float(t)] for t in rng.uniform(0.0, 10.0, INPUTS)]
    return read(20.0, inputs, [lif("hid", NEURONS), li("out", 2)], wires, cross_entropy("max_voltage"))


@pytest.mark.full
def test_a_dense_recurrent_network_has_the_gradient_of_the_tangent() -> None:
    case = dense()
    found = run_case(case)
    assert sum(map(len, found.spikes["hid"])) > NEURONS
    direction = random_direction(found.gradients, 0)
    tangent = directional_derivative(case, direction)
    off, size = dot_product(case, found.gradients, direction, tangent)
    off_by_a_billionth, _ = dot_product(case, scaled(found.gradients, "w", 1 + 1e-9), direction, tangent)
    assert off <= DOT_PRODUCT * size < off_by_a_billionth
