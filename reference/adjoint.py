"""The backward pass: the events of a trial in reverse, with their jumps and the exact adjoint flow.

The sweep needs only the recorded events. For each neuron it holds `p = dL/dx` just before the event
that it handled last (which is later in time), and flows it back to just after the event that it
handles next. Each arrival passes its `dL_dt_arr` to the spike that caused it. This spike is earlier
in the list, so the `dL/dt_post` of a spike is complete when its crossing is reached. Before its
first event a neuron's state is 0 and has no gradient; if a state is given at 0, that is an event,
and the sweep ends there with its gradient.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from delayprop.reference.arithmetic import Arithmetic, Real, Row, dot, times, transposed
from delayprop.reference.equations import READ
from delayprop.reference.events import Arrivals, Crossing, Event, Spike, Synapse, Trial
from delayprop.reference.jumps import (
    dL_dt_arr,
    dL_dt_arr_at_pinned_maximum,
    dL_dtheta_at_spike,
    dL_dw_at_arrival,
    p_before_spike,
    shift_by_maximum,
    spike_shift,
)
from delayprop.reference.readouts import Drive, Reading
from delayprop.spec import Case, ConnectionGradient, Gradients, StateGradient


@dataclass
class Adjoint:
    """`p = dL/dx` of one neuron just before time `t`, and the gradients of its constants so far.

    Between `flow_back` and the jump `p` is the one just after `t`.
    """

    t: Real
    p: Row
    dL_dtheta: dict[str, Real]


def gradients(
    m: Arithmetic, case: Case, trial: Trial, drive: Drive, dL_dstate: StateGradient | None = None
) -> Gradients:
    """The exact gradient of the loss that `drive` describes; `dL_dstate`: by the state at `T`.

    Raises:
        ArithmeticError: the slope at a spike has rounded to 0, so its gradient is infinite.
    """
    return _Sweep(m, case, trial, drive, dL_dstate).run()


class _Sweep:
    def __init__(
        self, m: Arithmetic, case: Case, trial: Trial, drive: Drive, dL_dstate: StateGradient | None = None
    ) -> None:
        self.m, self.case, self.trial, self.drive = m, case, trial, drive
        self.carried = {one.pinned: one for one in drive.readings if one.pinned}
        zero = m.real(0.0)
        self.adjoints = {}
        for neuron in (neuron for neurons in trial.neurons.values() for neuron in neurons):
            p = [zero] * len(neuron.x)
            p[-1] = drive.dL_dintegral.get(neuron, zero)
            self.adjoints[neuron] = Adjoint(trial.T, p, dict.fromkeys(neuron.equations.values, zero))
        # Terms of dL/dt of every spike, summed once, so their order does not matter.
        self.dL_dt_post: dict[Spike, list[Real]] = {spike: [dL_dt] for spike, dL_dt in drive.dL_dt_post.items()}
        shapes = [connection.w.shape for connection in case.network.connections]
        # Entries where no synapse is stay 0.
        self.dL_dw: list[np.ndarray] = [np.full(shape, zero, m.dtype) for shape in shapes]
        self.dL_dd: list[np.ndarray] = [np.full(shape, zero, m.dtype) for shape in shapes]
        if dL_dstate is not None:
            self.end_with(dL_dstate)

    def run(self) -> Gradients:
        for event in reversed(_with_readings(self.trial.events, self.drive.readings)):
            adjoint = self.adjoints[event.neuron]
            self.flow_back(adjoint, event)
            if isinstance(event, Arrivals):
                self.arrivals(adjoint, event)
            elif isinstance(event, Crossing):
                self.crossing(adjoint, event)
            elif isinstance(event, Reading):  # [sample, max-interior]
                adjoint.p[READ] += event.dL_dV
        return self.collected()

    def end_with(self, dL_dstate: StateGradient) -> None:
        """[flow-cut, arrival] Sensitivities at `T`: to states, and to arrivals under way."""
        for name, rows in dL_dstate.x.items():
            for neuron, row in zip(self.trial.neurons[name], rows, strict=True):
                p = self.adjoints[neuron].p
                p[: len(row)] = [self.m.real(dL_dx) for dL_dx in row]
        for after, by_time in zip(self.trial.after, dL_dstate.t_arr, strict=True):
            for (spike, synapse, _), dL_dt in zip(after, by_time, strict=True):
                self.move(spike, synapse, self.m.real(dL_dt))

    def move(self, spike: Spike, synapse: Synapse, dL_dt_arr: Real) -> None:
        """An arrival moves with its delay and with its spike; one under way at 0, by itself."""
        if not spike.under_way:
            self.dL_dd[synapse.connection][synapse.pre, synapse.post.index] += dL_dt_arr
        self.dL_dt_post.setdefault(spike, []).append(dL_dt_arr)

    def flow_back(self, adjoint: Adjoint, event: Event) -> None:
        """[flow-adjoint, adjoint] From just before the neuron's next event to just after this one.

        The gradient of a constant grows by the sensitivity to the state at the end of the interval
        times the derivative of this state at a fixed start (flow-theta).
        """
        e, h = event.neuron.equations, adjoint.t - event.t
        if not any(adjoint.p):
            adjoint.t = event.t
            return
        for name, by_theta in e.derivatives.items():
            if by_theta.flow is not None:
                adjoint.dL_dtheta[name] += dot(adjoint.p, times(by_theta.flow(h), event.x_plus))
        adjoint.p = times(transposed(e.flow(h)), adjoint.p)
        adjoint.t = event.t

    def arrivals(self, adjoint: Adjoint, event: Arrivals) -> None:
        A, p = event.neuron.equations.A, adjoint.p
        carried = self.carried.get(event)
        for spike, synapse in event.parcels:
            dL_dt = dL_dt_arr(synapse.w, A, p, synapse.into)
            if carried:
                Vdot_plus, A_read = dot(A[READ], event.x_plus), A[READ][synapse.into]
                dL_dt += dL_dt_arr_at_pinned_maximum(carried.dL_dV, synapse.w, A_read, Vdot_plus)
            self.dL_dw[synapse.connection][synapse.pre, synapse.post.index] += dL_dw_at_arrival(p, synapse.into)
            self.move(spike, synapse, dL_dt)

    def crossing(self, adjoint: Adjoint, event: Crossing) -> None:
        e, p_plus, slope = event.neuron.equations, adjoint.p, event.slope
        if slope <= 0:
            where = f"`{event.neuron.population}[{event.neuron.index}]` at {float(event.t)} ms"
            raise ArithmeticError(f"{where} grazes its threshold, so its gradient is infinite; use more digits")
        dL_dt = self.m.fsum(self.dL_dt_post.get(event.spike, []))
        q = spike_shift(p_plus, dL_dt, e.A, e.R, event.x_minus, event.x_plus, slope)
        if carried := self.carried.get(event):
            q += shift_by_maximum(carried.dL_dV, e.c[READ])
        adjoint.p = p_before_spike(p_plus, q, e.R, e.c)
        for name, by in e.derivatives.items():
            adjoint.dL_dtheta[name] += dL_dtheta_at_spike(p_plus, q, event.x_minus, (by.c, by.v_th, by.R, by.r))

    def collected(self) -> Gradients:
        populations = {}
        for name, neurons in self.trial.neurons.items():
            found = [self.adjoints[neuron].dL_dtheta for neuron in neurons]
            constants = self.case.network.population(name).values
            populations[name] = {constant: self.array(by[constant] for by in found) for constant in constants}
        inputs = {name: [*map(self.by_time, trains)] for name, trains in self.trial.inputs.items()}
        connections = tuple(ConnectionGradient(w, d) for w, d in zip(self.dL_dw, self.dL_dd, strict=True))
        return Gradients(connections, populations, inputs, self.by_state())

    def by_state(self) -> StateGradient | None:
        if self.case.state is None:
            return None
        x: dict[str, np.ndarray] = {
            name: np.array([self.adjoints[neuron].p[: neuron.equations.states] for neuron in neurons], self.m.dtype)
            for name, neurons in self.trial.neurons.items()
        }
        return StateGradient(x, tuple(map(self.by_time, self.trial.before)))

    def by_time(self, spikes: Iterable[Spike]) -> np.ndarray:
        """The derivative of the loss by the time of each spike."""
        return self.array(self.m.fsum(self.dL_dt_post.get(spike, [])) for spike in spikes)

    def array(self, values: Iterable[Real]) -> np.ndarray:
        return np.array(list(values), dtype=self.m.dtype)


def _with_readings(events: list[Event], readings: list[Reading]) -> list[Event]:
    """The events, with each reading directly behind the event that it follows.

    A reading acts on its own neuron only, so its place among the events of other neurons does not
    matter. A maximum pinned to an event comes before it, so in reverse the event reads the adjoint
    without its kick.
    """
    after: dict[Event, list[Reading]] = {}
    for reading in readings:
        after.setdefault(reading.follows, []).append(reading)
    return [each for event in events for each in (event, *after.get(event, ()))]
