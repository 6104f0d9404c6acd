"""From a case to its result."""

from collections.abc import Callable

import numpy as np

from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import FLOAT64, multiprecision
from delayprop.reference.events import Crossing, Neuron
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case, Result


def run(case: Case, digits: int | None = None) -> Result:
    """Simulate the case and differentiate its loss exactly.

    Args:
        case: the problem.
        digits: decimal digits of the arithmetic (mpmath); None for float64.

    Returns:
        The result; its numbers and arrays are float64, or mpmath numbers.

    Raises:
        SpecError: `digits` out of range.
        ArithmeticError: a neuron spikes too fast or without end, the gradient of a spike is
            infinite, or a number overflows.
    """
    m = FLOAT64 if digits is None else multiprecision(digits)
    trial = simulate(m, case)
    driven = drive(m, case, trial)
    gradient = gradients(m, case, trial, driven)

    def per_neuron(quantity: Callable[[Neuron], list]) -> dict[str, list[np.ndarray]]:
        return {name: [np.array(quantity(n), m.dtype) for n in neurons] for name, neurons in trial.neurons.items()}

    return Result(
        driven.loss,
        per_neuron(lambda neuron: [spike.t for spike in neuron.spikes]),
        per_neuron(lambda neuron: [event.kappa for event in neuron.events if isinstance(event, Crossing)]),
        None if driven.y is None else np.array(driven.y, m.dtype),
        gradient,
        tuple(sorted(trial.ties | driven.ties)),
    )
