"""A case in, a result out."""

from __future__ import annotations

import numpy as np

from reference.adjoint import gradients
from reference.arithmetic import FLOAT64, multiprecision
from reference.readouts import drive
from reference.simulate import Crossing, Neuron, simulate
from spec import Case, Result


def run(case: Case, digits: int | None = None) -> Result:
    """Simulate the case and differentiate its loss exactly.

    Args:
        case: the problem.
        digits: decimal digits of the arithmetic (mpmath); None for float64.

    Returns:
        The result; its arrays are float64, or hold mpmath numbers.
    """
    m = FLOAT64 if digits is None else multiprecision(digits)
    dtype = np.float64 if digits is None else object
    trial = simulate(m, case)
    loss = drive(m, case, trial)
    gradient = gradients(m, case, trial, loss)

    def per_spike(quantity: str) -> dict[str, list[np.ndarray]]:
        def of(neuron: Neuron) -> np.ndarray:
            return np.array([getattr(e, quantity) for e in neuron.events if isinstance(e, Crossing)], dtype)

        return {name: [of(neuron) for neuron in neurons] for name, neurons in trial.neurons.items()}

    readout = None if loss.y is None else np.array(loss.y, dtype)
    return Result(loss.loss, per_spike("t"), per_spike("kappa"), readout, gradient, tuple(sorted(trial.ties)))
