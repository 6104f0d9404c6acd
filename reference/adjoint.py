"""The backward pass: the events of a trial in reverse, with their jumps and the exact adjoint flow.

The sweep needs only the recorded events. For each neuron it holds `lambda_V, lambda_I` just before
the event that it handled last (which is later in time), and flows them back to just after the event
that it handles next. Each arrival passes its `dL_dt_arr` to the spike that caused it. This spike is
earlier in the list, so the `dL/dt_post` of a spike is complete when its crossing is reached. Before
its first event a neuron's state is 0 and has no gradient.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from delayprop.reference.arithmetic import Arithmetic, Real
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron, Spike, Trial
from delayprop.reference.flow import adjoint_flow, flow_derivatives, weighted_integral_derivatives
from delayprop.reference.jumps import (
    dL_dt_arr,
    dL_dt_arr_at_pinned_maximum,
    dL_dv_reset_at_crossing,
    dL_dv_th_at_crossing,
    dL_dw_at_arrival,
    lambda_V_at_crossing,
    lambda_V_at_maximum,
    running_loss_drop,
)
from delayprop.reference.readouts import Drive, Maximum
from delayprop.spec import Case, ConnectionGradient, Gradients


@dataclass
class Adjoint:
    """Adjoint state of one neuron just before time `t`, and the gradients of its constants so far.

    Between `flow_back` and the jump the state is the one just after `t`.
    """

    t: Real
    lambda_V: Real
    lambda_I: Real
    dL_dtau_mem: Real
    dL_dtau_syn: Real
    dL_dv_th: Real
    dL_dv_reset: Real


def gradients(m: Arithmetic, case: Case, trial: Trial, drive: Drive) -> Gradients:
    """The exact gradient of the loss that `drive` describes.

    Raises:
        ArithmeticError: `Vdot_minus` of a spike has rounded to 0, so its gradient is infinite.
    """
    return _Sweep(m, case, trial, drive).run()


class _Sweep:
    def __init__(self, m: Arithmetic, case: Case, trial: Trial, drive: Drive) -> None:
        self.m, self.case, self.trial, self.drive = m, case, trial, drive
        zero = m.real(0.0)
        self.adjoints = {  # dL_dv_th starts with the loss's direct derivative
            neuron: Adjoint(trial.T, zero, zero, zero, zero, drive.dL_dv_th.get(neuron, zero), zero)
            for neurons in trial.neurons.values()
            for neuron in neurons
        }
        # Terms of dL/dt of every spike, summed once, so their order does not matter.
        self.dL_dt_post: dict[Spike, list[Real]] = {spike: [dL_dt] for spike, dL_dt in drive.dL_dt_post.items()}
        shapes = [connection.w.shape for connection in case.network.connections]
        # Entries where no synapse is stay 0.
        self.dL_dw: list[np.ndarray] = [np.full(shape, zero, m.dtype) for shape in shapes]
        self.dL_dd: list[np.ndarray] = [np.full(shape, zero, m.dtype) for shape in shapes]

    def run(self) -> Gradients:
        for event in reversed(_with_maxima(self.trial.events, self.drive.maxima)):
            adjoint = self.adjoints[event.neuron]
            self.flow_back(adjoint, event)
            if isinstance(event, Arrivals):
                self.arrivals(adjoint, event)
            elif isinstance(event, Crossing):
                self.crossing(adjoint, event)
            elif isinstance(event, Maximum):
                dL_dy = self.drive.dL_dy[event.neuron]
                adjoint.lambda_V = lambda_V_at_maximum(adjoint.lambda_V, dL_dy, event.neuron.constants.tau_mem)
        return self.collected()

    def flow_back(self, adjoint: Adjoint, event: Event) -> None:
        """From just before the neuron's next event to just after this one.

        The gradients of the time constants grow by the sensitivity to the state at the end of the
        interval times the derivative of this state at a fixed start (derivations: tau-integrals).
        """
        m, c, h = self.m, event.neuron.constants, adjoint.t - event.t
        dV_dtau_mem, dV_dtau_syn, dI_dtau_syn = flow_derivatives(m, event.V, event.I, h, c)
        dL_dV, dL_dI = -c.tau_mem * adjoint.lambda_V, -c.tau_syn * adjoint.lambda_I  # at the end of the interval
        adjoint.dL_dtau_mem += dL_dV * dV_dtau_mem
        adjoint.dL_dtau_syn += dL_dV * dV_dtau_syn + dL_dI * dI_dtau_syn
        adjoint.lambda_V, adjoint.lambda_I = adjoint_flow(m, adjoint.lambda_V, adjoint.lambda_I, h, c)
        adjoint.t = event.t
        weight = self.running_weight(event)
        if weight is not None:
            dL_dintegral = self.drive.dL_dy[event.neuron] * weight
            by_V, by_I, by_tau_mem, by_tau_syn = weighted_integral_derivatives(
                m, event.V, event.I, h, self.drive.rate, c
            )
            adjoint.lambda_V -= dL_dintegral * by_V / c.tau_mem
            adjoint.lambda_I -= dL_dintegral * by_I / c.tau_syn
            adjoint.dL_dtau_mem += dL_dintegral * by_tau_mem
            adjoint.dL_dtau_syn += dL_dintegral * by_tau_syn

    def running_weight(self, event: Event) -> Real | None:
        """Weight `exp(-rate t)/T` of the voltage in its readout; None if no integral is read."""
        if self.drive.rate is None or event.neuron not in self.drive.dL_dy:
            return None
        return self.m.exp(-self.drive.rate * event.t) / self.trial.T

    def arrivals(self, adjoint: Adjoint, event: Arrivals) -> None:
        c = event.neuron.constants
        maximum = self.drive.maxima.get(event.neuron)
        for spike, synapse in event.parcels:
            dL_dt = dL_dt_arr(synapse.w, adjoint.lambda_V, adjoint.lambda_I)
            if maximum and maximum.pinned is event:
                Vdot_plus = (event.I - event.V) / c.tau_mem
                dL_dt += dL_dt_arr_at_pinned_maximum(self.drive.dL_dy[event.neuron], synapse.w, c.tau_mem, Vdot_plus)
            entry = (synapse.pre, synapse.post.index)
            self.dL_dw[synapse.connection][entry] += dL_dw_at_arrival(c.tau_syn, adjoint.lambda_I)
            self.dL_dd[synapse.connection][entry] += dL_dt
            self.dL_dt_post.setdefault(spike, []).append(dL_dt)

    def crossing(self, adjoint: Adjoint, event: Crossing) -> None:
        c = event.neuron.constants
        if event.Vdot_minus <= 0:
            where = f"`{event.neuron.population}[{event.neuron.index}]` at {float(event.t)} ms"
            raise ArithmeticError(f"{where} grazes its threshold, so its gradient is infinite; use more digits")
        terms = self.dL_dt_post.get(event.spike, [])
        weight = self.running_weight(event)
        if weight is not None:
            terms = [*terms, running_loss_drop(self.drive.dL_dy[event.neuron], weight, c.v_th, c.v_reset)]
        lambda_V_plus = adjoint.lambda_V
        adjoint.lambda_V = lambda_V_at_crossing(
            lambda_V_plus, self.m.fsum(terms), c.tau_mem, event.Vdot_minus, event.Vdot_plus
        )
        adjoint.dL_dv_th += dL_dv_th_at_crossing(c.tau_mem, adjoint.lambda_V)
        adjoint.dL_dv_reset += dL_dv_reset_at_crossing(c.tau_mem, lambda_V_plus)

    def collected(self) -> Gradients:
        populations = {}
        for name, neurons in self.trial.neurons.items():
            adjoints = [self.adjoints[neuron] for neuron in neurons]
            constants = self.case.network.population(name).values
            populations[name] = {one: self.array(getattr(a, f"dL_d{one}") for a in adjoints) for one in constants}
        inputs = {
            name: [self.array(self.m.fsum(self.dL_dt_post.get(spike, [])) for spike in train) for train in trains]
            for name, trains in self.trial.inputs.items()
        }
        connections = tuple(ConnectionGradient(w, d) for w, d in zip(self.dL_dw, self.dL_dd, strict=True))
        return Gradients(connections, populations, inputs)

    def array(self, values: Iterable[Real]) -> np.ndarray:
        return np.array(list(values), dtype=self.m.dtype)


def _with_maxima(events: list[Event], maxima: dict[Neuron, Maximum]) -> list[Event]:
    """The events, with each maximum directly behind the event that it follows.

    A maximum acts on its own neuron only, so its place among the events of other neurons does not
    matter. A maximum pinned to arrivals comes before them, so in reverse they read the adjoint
    without its kick.
    """
    after = {maximum.follows: maximum for maximum in maxima.values()}
    everything = []
    for event in events:
        everything.append(event)
        if event in after:
            everything.append(after[event])
    return everything
