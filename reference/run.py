"""From a case to its result."""

from collections.abc import Callable

import numpy as np

from delayprop.reference.adjoint import gradients
from delayprop.reference.arithmetic import FLOAT64, multiprecision
from delayprop.reference.events import Crossing, Neuron, Trial
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate, state_at
from delayprop.spec import Case, Result, SpecError, State, StateGradient
from delayprop.spec.checks import of_type
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
    """Refuse derivatives that are not those of the state at `T`."""
    remedy = "give the `gradients.state` of the trial that goes on"
    if state is None:
        raise SpecError("dL_dstate", "absent for a case without a state", Verbatim("one"), "give it `state=State()`")
    of_type(given, "dL_dstate", StateGradient, "a `StateGradient`", remedy)
    expected = {name: x.shape for name, x in state.x.items()}, [(len(one),) for one in state.under_way]
    try:
        x = {name: np.array(of, float) for name, of in given.x.items()}
        t_arr = [np.array(of, float) for of in given.t_arr]
    except (AttributeError, TypeError, ValueError):
        raise SpecError("dL_dstate", "numbers by population and connection", Verbatim("others"), remedy) from None
    found = {name: of.shape for name, of in x.items()}, [of.shape for of in t_arr]
    if found != expected:
        shapes = f"of the shapes {expected[0]} and {expected[1]}, as the state at `T`"
        raise SpecError("dL_dstate", shapes, Verbatim(f"{found[0]} and {found[1]}"), remedy)
    if not all(np.isfinite(of).all() for of in (*x.values(), *t_arr)):
        raise SpecError("dL_dstate", "finite", Verbatim("an infinity or NaN"), remedy)
