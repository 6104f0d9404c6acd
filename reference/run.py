"""From a case to its result."""

from collections.abc import Callable

import numpy as np

from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import FLOAT64, multiprecision
from delayprop.reference.events import Crossing, Neuron, Trial
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate, state_at
from delayprop.spec import Case, Result, SpecError, State, StateGradient
from delayprop.spec.errors import Verbatim
from delayprop.spec.state import UnderWay


def run(case: Case, digits: int | None = None, dL_dstate: StateGradient | None = None) -> Result:
    """Simulate the case and differentiate its loss exactly.

    Args:
        case: the problem.
        digits: decimal digits of the arithmetic (mpmath); None for float64.
        dL_dstate: of a case with a state: the derivatives of what happens after `T` by the state at
            `T`, which the gradient includes. That of the trial which goes on from there, its
            `gradients.state`, gives the gradient of both together.

    Returns:
        The result; its numbers and arrays are float64, or mpmath numbers.

    Raises:
        SpecError: `digits` out of range; `dL_dstate` does not fit the state at `T`.
        ArithmeticError: a neuron spikes too fast or without end, the gradient of a spike is
            infinite, or a number overflows.
    """
    m = FLOAT64 if digits is None else multiprecision(digits)
    trial = simulate(m, case)
    driven = drive(m, case, trial)
    state = None if case.state is None else _state(trial, m.dtype)
    if dL_dstate is not None:
        _check(dL_dstate, state)
    gradient = gradients(m, case, trial, driven, dL_dstate)

    def per_neuron(quantity: Callable[[Neuron], list]) -> dict[str, list[np.ndarray]]:
        return {name: [np.array(quantity(n), m.dtype) for n in neurons] for name, neurons in trial.neurons.items()}

    return Result(
        driven.loss,
        per_neuron(lambda neuron: [spike.t for spike in neuron.spikes]),
        per_neuron(lambda neuron: [event.kappa for event in neuron.events if isinstance(event, Crossing)]),
        None if driven.y is None else np.array(driven.y, m.dtype),
        gradient,
        tuple(sorted(trial.ties | driven.ties)),
        state=state,
    )


def _state(trial: Trial, dtype: type) -> State:
    """The state at `T`."""
    x: dict[str, np.ndarray] = {
        name: np.array([state_at(neuron, trial.T)[: neuron.equations.states] for neuron in neurons], dtype)
        for name, neurons in trial.neurons.items()
    }
    under_way = [
        UnderWay(
            np.array([synapse.pre for _, synapse, _ in after], int),
            np.array([synapse.post.index for _, synapse, _ in after], int),
            np.array([t_arr - trial.T for _, _, t_arr in after], dtype),
        )
        for after in trial.after
    ]
    return State(x, tuple(under_way))


def _check(given: StateGradient, state: State | None) -> None:
    if state is None:
        raise SpecError("dL_dstate", "absent for a case without a state", Verbatim("one"), "give it `state=State()`")
    shapes = [{name: np.shape(x) for name, x in one.x.items()} for one in (given, state)]
    counts = [[*map(len, given.t_arr)], [*map(len, state.under_way)]]
    if shapes[0] != shapes[1] or counts[0] != counts[1]:
        got = Verbatim(f"{shapes[0]}, {counts[0]} under way")
        expected = f"of the state at `T`: {shapes[1]}, {counts[1]} under way"
        raise SpecError("dL_dstate", expected, got, "give the `gradients.state` of the trial that goes on")
