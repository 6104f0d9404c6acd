"""The state of a small network forwards and backwards, for the report's first figure.

The reference keeps events only. Between them its flows give the state: forwards from the previous
event, backwards from the next.
"""

from typing import Any

from delayprop.reference.adjoint import Adjoint, _Sweep
from delayprop.reference.arithmetic import FLOAT64, Row, times, transposed
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron
from delayprop.reference.readouts import drive
from delayprop.reference.simulate import simulate
from delayprop.spec import Case
from tests.support.networks.documents import lif, read, wire

SAMPLES = 40  # per stretch between two events


def small() -> Case:
    """Two inputs, a hidden neuron, an output: some arrivals and three spikes."""
    populations = [lif(name, 1, tau_mem=10.0) for name in ("hidden", "out")]
    wires = [wire("in", "hidden", [[2.9], [2.7]], [[2.0], [6.5]]), wire("hidden", "out", [[4.4]], [[5.0]])]
    loss = {"kind": "spike_time_mse", "population": "out", "targets": [[18.0, 25.0, 27.5]]}
    return read(40.0, [[1.0, 12.0], [3.0]], populations, wires, loss)


def small_figure() -> dict[str, Any]:
    case = small()
    (targets,) = case.loss.targets  # type: ignore[union-attr]
    inputs = [list(train) for train in case.inputs["in"]]
    return {"duration": case.duration, "inputs": inputs, "targets": list(targets), "neurons": traced(case)}


class Traced(_Sweep):
    """The backward pass, with a record of its states from late to early: per neuron `backwards`,
    `(t, lambda_V, lambda_I)`, two per event, and `jumps`, one entry per event."""

    backwards: dict[Neuron, list[tuple[float, float, float]]]
    jumps: dict[Neuron, list[dict[str, Any]]]

    def flow_back(self, adjoint: Adjoint, event: Event) -> None:
        """Records the stretch from the next event of the neuron down to this one."""
        later = adjoint.t
        for n in range(SAMPLES + 1):
            h = (later - event.t) * n / SAMPLES
            p = times(transposed(event.neuron.equations.flow(h)), adjoint.p)
            self.backwards[event.neuron].append((later - h, *lambdas(event.neuron, p)))
        super().flow_back(adjoint, event)

    def arrivals(self, adjoint: Adjoint, event: Arrivals) -> None:
        super().arrivals(adjoint, event)
        lambda_V, lambda_I = lambdas(event.neuron, adjoint.p)
        for spike, synapse in event.parcels:
            self.jumps[event.neuron].append({
                "kind": "arrival", "t": event.t, "t_pre": spike.t, "d": synapse.d, "w": synapse.w,
                "source": spike.population, "index": spike.index,
                "dL_dw": -event.neuron.equations.values["tau_syn"] * lambda_I,
                "dL_dd": synapse.w * (lambda_V - lambda_I),
            })

    def crossing(self, adjoint: Adjoint, event: Crossing) -> None:
        plus, _ = lambdas(event.neuron, adjoint.p)
        super().crossing(adjoint, event)
        minus, _ = lambdas(event.neuron, adjoint.p)
        after = times(event.neuron.equations.A, event.x_plus)[0]
        self.jumps[event.neuron].append({
            "kind": "crossing", "t": event.t, "lambda_V_plus": plus, "lambda_V_minus": minus,
            "ratio": after / event.slope, "kappa": event.kappa,
        })


def lambdas(neuron: Neuron, p: Row) -> tuple[float, float]:
    """The paper's adjoint of a neuron of kind `lif`."""
    values = neuron.equations.values
    return -p[0] / values["tau_mem"], -p[1] / values["tau_syn"]


def traced(case: Case) -> list[dict[str, Any]]:
    """Per receiving neuron: curves forwards and backwards, spikes, events; of spike-time losses."""
    m = FLOAT64
    trial = simulate(m, case)
    sweep = Traced(m, case, trial, drive(m, case, trial))
    neurons = [neuron for population in trial.neurons.values() for neuron in population]
    sweep.backwards, sweep.jumps = {n: [] for n in neurons}, {n: [] for n in neurons}
    sweep.run()
    return [
        {
            "population": neuron.population, "index": neuron.index, "v_th": neuron.equations.v_th,
            "forwards": _forwards(neuron, trial.T), "backwards": sweep.backwards[neuron][::-1],
            "events": sweep.jumps[neuron][::-1], "spikes": [spike.t for spike in neuron.spikes],
        }
        for neuron in neurons
    ]


def _forwards(neuron: Neuron, T: float) -> list[tuple[float, float, float]]:
    """`(t, V, I)`; a spike has two entries, at the threshold and at the reset."""
    found: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)]
    ends = [*(event.t for event in neuron.events[1:]), T]
    for event, end in zip(neuron.events, ends, strict=True):
        found.append((event.t, *event.x_minus))
        for n in range(SAMPLES + 1):
            h = (end - event.t) * n / SAMPLES
            found.append((event.t + h, *times(neuron.equations.flow(h), event.x_plus)))
    return found
