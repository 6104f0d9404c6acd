"""The forward pass: one heap, one event at a time, no grid.

A neuron changes only when an arrival reaches it or it crosses its threshold. In between, its state
is the state of its last event and the time since then. Entries leave the heap in order of time; at
one instant in this order:

- the predicted next crossing of each neuron, void if the neuron has had another event since;
- a check, at each arrival and at `T`, whether the neuron stands at its threshold to within
  rounding: if so, the crossing comes first (specification, section 4);
- the arrivals, which one neuron takes all together.

The result is the list of events in their order. The adjoint walks it backwards.
"""

import heapq

from delayprop.reference.arithmetic import Arithmetic, Real
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron, Spike, Synapse, Trial
from delayprop.reference.flow import TOUCH, Constants, flow, time_to_threshold
from delayprop.spec import Case, Population, Tie

CROSSING, CHECK, ARRIVAL = 0, 1, 2  # the order at one instant
MOST_SPIKES = 2**26  # maximum of one current (specification, section 1)


def simulate(m: Arithmetic, case: Case) -> Trial:
    """Run the network of the case over its trial.

    Raises:
        ArithmeticError: a neuron spikes too fast, or without end.
    """
    return _Simulation(m, case).run()


class _Simulation:
    def __init__(self, m: Arithmetic, case: Case) -> None:
        self.m = m
        # (t, kind, population, index, number, content). Content of a CROSSING: the neuron and its
        # number of events when predicted; of a CHECK: the neuron; of an ARRIVAL: spike and synapse.
        self.heap: list[tuple] = []
        self.pushed = 0  # the number, so that contents are never compared
        neurons = {p.name: _neurons(m, p) for p in case.network.populations if p.kind != "input"}
        inputs = {
            name: [[Spike(name, i, m.real(t)) for t in train] for i, train in enumerate(trains)]
            for name, trains in case.inputs.items()
        }
        self.trial = Trial(m.real(case.duration), neurons, inputs, [], set())
        self.synapses: dict[tuple[str, int], list[Synapse]] = {}
        for number, connection in enumerate(case.network.connections):
            for i, row in enumerate(connection.exists):
                fan_out = self.synapses.setdefault((connection.source, i), [])
                for j in row.nonzero()[0]:
                    w, d = m.real(float(connection.w[i, j])), m.real(float(connection.d[i, j]))
                    fan_out.append(Synapse(number, i, neurons[connection.target][j], w, d))

    def run(self) -> Trial:
        for trains in self.trial.inputs.values():
            for train in trains:
                for spike in train:
                    self.send(spike)
        for population in self.trial.neurons.values():
            for neuron in population:
                self.push(self.trial.T, CHECK, neuron, neuron)
        while self.heap:
            t, kind, *_, content = heapq.heappop(self.heap)
            if kind == CROSSING:
                neuron, events = content
                if events == len(neuron.events):
                    self.cross(neuron, t)
            elif kind == CHECK:
                if self.is_at_threshold(content, t):
                    self.cross(content, t)
            else:
                self.arrive(t, self.all_arrivals_now(t, content))
        return self.trial

    def push(self, t: Real, kind: int, neuron: Neuron, content: object) -> None:
        self.pushed += 1
        heapq.heappush(self.heap, (t, kind, neuron.population, neuron.index, self.pushed, content))

    def send(self, spike: Spike) -> None:
        for synapse in self.synapses.get((spike.population, spike.index), ()):
            t_arr = spike.t + synapse.d
            if t_arr <= self.trial.T:
                self.push(t_arr, CHECK, synapse.post, synapse.post)
                self.push(t_arr, ARRIVAL, synapse.post, (spike, synapse))

    def all_arrivals_now(self, t: Real, first: tuple[Spike, Synapse]) -> list[tuple[Spike, Synapse]]:
        """`first` and all other arrivals at its neuron now; the heap keeps them together.

        One exception comes later: if these arrivals make a voltage rise that stood at the
        threshold, and the spike returns without delay.
        """
        parcels, neuron = [first], first[1].post
        while self.heap and self.heap[0][:4] == (t, ARRIVAL, neuron.population, neuron.index):
            parcels.append(heapq.heappop(self.heap)[-1])
        return parcels

    def arrive(self, t: Real, parcels: list[tuple[Spike, Synapse]]) -> None:
        neuron = parcels[0][1].post
        V, I_minus = flow(self.m, neuron.V, neuron.I, t - neuron.t, neuron.constants)
        I = self.m.fsum([I_minus, *(synapse.w for _, synapse in parcels)])
        self.flag_arrival(neuron, t)
        self.happen(Arrivals(neuron, t, V, I, parcels, I_minus))

    def is_at_threshold(self, neuron: Neuron, t: Real) -> bool:
        """Whether `V` stands at the threshold to within rounding, and rises (section 4)."""
        c = neuron.constants
        if c.v_th is None:
            return False
        V, I = flow(self.m, neuron.V, neuron.I, t - neuron.t, c)
        touch = TOUCH * self.m.u * c.v_th
        return c.v_th - V <= touch and I > c.v_th + touch

    def cross(self, neuron: Neuron, t: Real) -> None:
        _, I = flow(self.m, neuron.V, neuron.I, t - neuron.t, neuron.constants)
        spike = Spike(neuron.population, neuron.index, t)
        neuron.spikes.append(spike)
        crossing = Crossing(neuron, t, neuron.constants.v_reset, I, spike)
        if (self.trial.T - t) * crossing.Vdot_minus <= TOUCH * self.m.u * neuron.constants.v_th:
            self.flag(neuron, "spike_at_end")
        if crossing.spikes_left > MOST_SPIKES:
            where = f"`{neuron.population}[{neuron.index}]` at {float(t)} ms"
            raise ArithmeticError(f"{where} spikes too fast, or without end; lower its weights")
        self.happen(crossing)
        self.send(spike)

    def happen(self, event: Event) -> None:
        """Record the event, adopt its state and predict the neuron's next crossing."""
        neuron = event.neuron
        self.trial.events.append(event)
        neuron.events.append(event)
        neuron.t, neuron.V, neuron.I = event.t, event.V, event.I
        if neuron.constants.v_th is not None:
            rest = self.trial.T - event.t
            h = time_to_threshold(self.m, event.V, event.I, rest, neuron.constants)
            if h is not None:
                t = self.trial.T if h == rest else event.t + h  # event.t + rest may round away from T
                if isinstance(event, Crossing) and t == event.t:
                    where = f"`{neuron.population}[{neuron.index}]` at {float(t)} ms"
                    raise ArithmeticError(f"{where} spikes too fast, or without end; lower its weights")
                self.push(t, CROSSING, neuron, (neuron, len(neuron.events)))

    def flag_arrival(self, neuron: Neuron, t: Real) -> None:
        """Flag an arrival that is a tie: `V` would have risen by `(t - t_post) Vdot_minus`."""
        last = neuron.events[-1] if neuron.events else None
        if t == self.trial.T:
            self.flag(neuron, "arrival_at_end")
        if isinstance(last, Crossing) and (t - last.t) * last.Vdot_minus <= TOUCH * self.m.u * neuron.constants.v_th:
            self.flag(neuron, "arrival_at_crossing")

    def flag(self, neuron: Neuron, kind: str) -> None:
        self.trial.ties.add(Tie(neuron.population, neuron.index, kind))


def _neurons(m: Arithmetic, population: Population) -> list[Neuron]:
    def constant(values: object, j: int) -> Real | None:
        return None if values is None else m.real(float(values[j]))  # type: ignore[index]

    columns = (population.tau_mem, population.tau_syn, population.v_th, population.v_reset)
    rest = (m.real(0.0),) * 3
    return [
        Neuron(population.name, j, Constants(*(constant(values, j) for values in columns)), *rest)
        for j in range(population.size)
    ]
