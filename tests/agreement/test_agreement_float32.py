"""`fast` in float32 against `reference`: its errors are distributed no worse than plain code's.

Spikes are those of the reference, since the sweep forward is float64.
"""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import of_context
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate as simulate_plainly
from delayprop.spec import Case
from tests.support.comparison import compared, largest_block
from tests.support.effort import many
from tests.support.float32 import MEDIAN_32, P99_32, Float32, counts
from tests.support.networks.documents import one_neuron
from tests.support.networks.failures import stored_on_failure
from tests.support.networks.strategies import cases, families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tolerances import VANISHES

SEEDS = many(25)  # of each family: 400 in all


@pytest.mark.full
@pytest.mark.check(18)
def test_float32_on_seeded_networks(measured: Measured) -> None:
    seen = Float32()
    for family in families():
        for seed in range(SEEDS):
            seen.add(seeded_case(seed, family), f"{family} {seed}")
    assert len(seen.errors) >= 8 * SEEDS
    median, p99 = seen.judge()
    measured(median, MEDIAN_32, len(seen.errors), f"0 to {SEEDS - 1} of each family")
    measured(p99, P99_32, 0)
    measured.keep("float32", {"errors": seen.errors})


def errors_in_float32(bits: int, seeds: int) -> tuple[list[float], list[float]]:
    """Largest block errors, given the right spikes: of `fast`, and of a reference whose numbers are
    rounded to so many bits after each operation (float32: 24)."""
    fast: list[float] = []
    plain: list[float] = []
    context = mpmath.mp.clone()
    context.prec = bits
    m = of_context(context)
    for case in (seeded_case(seed, family) for family in families() for seed in range(seeds)):
        found, true, trial = run_case(case, "float32"), reference.run(case), simulate_plainly(m, case)
        spikes = {name: [len(neuron.spikes) for neuron in neurons] for name, neurons in trial.neurons.items()}
        if counts(found) == counts(true) == spikes and largest_block(case, true.gradients) > VANISHES:
            own = gradients(m, case, trial, drive(m, case, trial))
            for errors, gradient in ((fast, found.gradients), (plain, own)):
                errors.append(max(block.error for block in compared(case, gradient, true.gradients)))
    return fast, plain


NO_WORSE, BESIDES = 2.0, 1e-6  # allowed ratio of quantiles to those of plain code: on a single network chance decides


def no_worse(fast: list[float], plain: list[float]) -> list[tuple[float, float]]:
    """Median and 99th percentile of the errors of `fast`, each with its limit from plain code."""
    quantiles = (0.5, 0.99)
    return [(float(np.quantile(fast, q)), NO_WORSE * float(np.quantile(plain, q)) + BESIDES) for q in quantiles]


@pytest.mark.full
@pytest.mark.check(18)
def test_float32_is_no_worse_than_plain_code(measured: Measured) -> None:
    fast, plain = errors_in_float32(24, many(10))
    for own, allowed in no_worse(fast, plain):
        measured(own, allowed, len(fast), f"0 to {many(10) - 1} of each family")
        assert own <= allowed
    measured.keep("three ways", {"fast": fast, "plain": plain})


@pytest.mark.full
@pytest.mark.check(18, control=True)
def test_control_code_of_three_bits_more_is_better(measured: Measured) -> None:
    fast, plain = errors_in_float32(27, min(3, many(3)))
    most = max(own / allowed for own, allowed in no_worse(fast, plain))
    measured(most, 1.0, len(fast))
    assert most > 1


def test_float32_on_networks_that_hypothesis_draws() -> None:
    seen = Float32()

    @settings(max_examples=4 * settings().max_examples)
    @given(cases())
    def draw(case: Case) -> None:
        with stored_on_failure(case, "agreement-float32"):
            seen.add(case, f"drawn {len(seen.errors)}")

    draw()
    seen.judge()


@pytest.mark.parametrize("exponent", range(2, 10))
@pytest.mark.parametrize("sign", [1, -1], ids=["above", "below"])
def test_float32_near_grazing(sign: int, exponent: int) -> None:
    """Peaks 1e-2 to 1e-9 off the threshold: float64 always counts right, float32 to its margin."""
    peak = max(reference.run(one_neuron("li", [(1.0, 1.0)], 60.0)).readout)
    case = one_neuron("lif", [(1.0, (1 + sign * 10.0**-exponent) / peak)], 60.0)
    assert counts(run_case(case)) == counts(reference.run(case)) == {"out": [int(sign > 0), 0]}
    Float32().add(case, "near grazing")
