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
from itertools import chain

from delayprop.reference.arithmetic import Arithmetic, Real, Row, dot, times
from delayprop.reference.crossing import Turns, first_rise
from delayprop.reference.equations import Equations
from delayprop.reference.events import Arrivals, Crossing, Event, Neuron, Spike, Start, Synapse, Trial
from delayprop.spec import Case, Population, State, Tie

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
        neurons = {p.name: _neurons(m, case, p) for p in case.network.populations if p.kind != "input"}
        self.turns = {  # one per set of constants
            e: Turns(e, e.c) for e in {n.equations for n in chain(*neurons.values())} if e.can_spike
        }
        inputs = {
            name: [[Spike(name, i, m.real(t)) for t in train] for i, train in enumerate(trains)]
            for name, trains in case.inputs.items()
        }
        connections = case.network.connections
        self.trial = Trial(
            m.real(case.duration), neurons, inputs, [], set(), [[] for _ in connections], [[] for _ in connections]
        )
        self.state = case.state
        self.synapses: dict[tuple[str, int], list[Synapse]] = {}
        for number, connection in enumerate(connections):
            target = case.network.population(connection.target).equations
            into = target.states.index(connection.into or target.arrivals[0])
            for i, row in enumerate(connection.exists):
                fan_out = self.synapses.setdefault((connection.source, i), [])
                for j in row.nonzero()[0]:
                    w, d = m.real(float(connection.w[i, j])), m.real(float(connection.d[i, j]))
                    fan_out.append(Synapse(number, i, neurons[connection.target][j], into, w, d))

    def run(self) -> Trial:
        if self.state is not None:
            self.start(self.state)
        for trains in self.trial.inputs.values():
            for train in trains:
                for spike in train:
                    if spike.t <= self.trial.T:
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

    def start(self, state: State) -> None:
        """Each neuron's state at 0, and the spikes under way, which have one arrival left each."""
        for name, neurons in self.trial.neurons.items():
            for neuron in neurons:
                given = state.x[name][neuron.index].tolist() if name in state.x else []
                x = [*map(self.m.real, given), *neuron.x[len(given):]]
                self.happen(Start(neuron, neuron.t, x, x))
        onto = {
            (synapse.connection, i, synapse.post.index): (source, synapse)
            for (source, i), fan_out in self.synapses.items() for synapse in fan_out
        }
        for c, under_way in enumerate(state.under_way):
            for i, j, t_arr in zip(under_way.pre, under_way.post, under_way.t_arr.tolist(), strict=True):
                source, synapse = onto[c, i, j]
                spike = Spike(source, int(i), self.m.real(t_arr) - synapse.d, True)
                self.trial.before[c].append(spike)
                self.deliver(spike, synapse, self.m.real(t_arr))

    def push(self, t: Real, kind: int, neuron: Neuron, content: object) -> None:
        self.pushed += 1
        heapq.heappush(self.heap, (t, kind, neuron.population, neuron.index, self.pushed, content))

    def send(self, spike: Spike) -> None:
        for synapse in self.synapses.get((spike.population, spike.index), ()):
            self.deliver(spike, synapse, spike.t + synapse.d)

    def deliver(self, spike: Spike, synapse: Synapse, t_arr: Real) -> None:
        if t_arr <= self.trial.T:
            self.push(t_arr, CHECK, synapse.post, synapse.post)
            self.push(t_arr, ARRIVAL, synapse.post, (spike, synapse))
        else:
            self.trial.after[synapse.connection].append((spike, synapse, t_arr))

    def all_arrivals_now(self, t: Real, first: tuple[Spike, Synapse]) -> list[tuple[Spike, Synapse]]:
        """`first` and all other arrivals at its neuron now; the heap keeps them together.

        One exception comes later: if these arrivals make a level rise that stood at the
        threshold, and the spike returns without delay.
        """
        parcels, neuron = [first], first[1].post
        while self.heap and self.heap[0][:4] == (t, ARRIVAL, neuron.population, neuron.index):
            parcels.append(heapq.heappop(self.heap)[-1])
        return parcels

    def arrive(self, t: Real, parcels: list[tuple[Spike, Synapse]]) -> None:
        neuron = parcels[0][1].post
        x_minus = state_at(neuron, t)
        weights: dict[int, list[Real]] = {}
        for _, synapse in parcels:
            weights.setdefault(synapse.into, []).append(synapse.w)
        x_plus = [self.m.fsum([x, *weights[k]]) if k in weights else x for k, x in enumerate(x_minus)]
        self.flag_arrival(neuron, t)
        self.happen(Arrivals(neuron, t, x_minus, x_plus, parcels))

    def is_at_threshold(self, neuron: Neuron, t: Real) -> bool:
        """Whether the level stands at the threshold to within rounding, and rises (section 4)."""
        e = neuron.equations
        if not e.can_spike:
            return False
        x = state_at(neuron, t)
        return e.v_th - dot(e.c, x) <= e.touch < e.drive(at_threshold(e, x))

    def cross(self, neuron: Neuron, t: Real) -> None:
        e, spike = neuron.equations, Spike(neuron.population, neuron.index, t)
        neuron.spikes.append(spike)
        x_minus = at_threshold(e, state_at(neuron, t))
        x_plus = [moved + new for moved, new in zip(times(e.R, x_minus), e.r, strict=True)]
        crossing = Crossing(neuron, t, x_minus, x_plus, spike)
        if dot(e.c, x_plus) >= e.v_th:
            raise ArithmeticError(f"{_where(neuron, t)} is at its threshold again after its spike; lower its reset")
        if (self.trial.T - t) * crossing.slope <= e.touch:
            self.flag(neuron, "spike_at_end")
        if crossing.spikes_left(self.trial.T) > MOST_SPIKES:
            raise ArithmeticError(f"{_where(neuron, t)} spikes too fast, or without end; lower its weights")
        self.happen(crossing)
        self.send(spike)

    def happen(self, event: Event) -> None:
        """Record the event, adopt its state and predict the neuron's next crossing."""
        neuron = event.neuron
        self.trial.events.append(event)
        neuron.events.append(event)
        neuron.t, neuron.x = event.t, event.x_plus
        if neuron.equations.can_spike:
            rest = self.trial.T - event.t
            h = first_rise(self.turns[neuron.equations], event.x_plus, rest)
            if h is not None:
                t = self.trial.T if h == rest else event.t + h  # event.t + rest may round away from T
                if isinstance(event, Crossing) and t == event.t:
                    raise ArithmeticError(f"{_where(neuron, t)} spikes too fast, or without end; lower its weights")
                self.push(t, CROSSING, neuron, (neuron, len(neuron.events)))

    def flag_arrival(self, neuron: Neuron, t: Real) -> None:
        """Flag an arrival that is a tie: the level would have risen by `(t - t_post) slope`."""
        last = neuron.events[-1] if neuron.events else None
        if t == self.trial.T:
            self.flag(neuron, "arrival_at_end")
        if isinstance(last, Crossing) and (t - last.t) * last.slope <= neuron.equations.touch:
            self.flag(neuron, "arrival_at_crossing")

    def flag(self, neuron: Neuron, kind: str) -> None:
        self.trial.ties.add(Tie(neuron.population, neuron.index, kind))


def state_at(neuron: Neuron, t: Real) -> Row:
    """The state at `t`, if nothing happens after its last event."""
    return times(neuron.equations.flow(t - neuron.t), neuron.x)


def at_threshold(e: Equations, x: Row) -> Row:
    """The state with its level moved to the threshold, from which rounding has kept it."""
    off = (e.v_th - dot(e.c, x)) / dot(e.c, e.c)
    return [entry + off * weight for entry, weight in zip(x, e.c, strict=True)]


def _neurons(m: Arithmetic, case: Case, population: Population) -> list[Neuron]:
    """At rest; neurons of equal constants share their equations."""
    rate = integral_rate(m, case) if population.name == case.loss.population else None
    shared: dict[tuple, Equations] = {}
    neurons = []
    for j in range(population.size):
        constants = tuple(float(values[j]) for values in population.values.values())
        if constants not in shared:
            by_name = dict(zip(population.values, map(m.real, constants), strict=True))
            shared[constants] = Equations(m, population.equations, by_name, rate)
        e = shared[constants]
        neurons.append(Neuron(population.name, j, e, m.real(0.0), [m.real(0.0)] * len(e.A)))
    return neurons


def integral_rate(m: Arithmetic, case: Case) -> Real | None:
    """[readout] The readout is `(1/T) int exp(-rate t) V dt`; None if it is no integral."""
    reads = case.loss.reads
    return None if reads is None or reads.rate is None else m.real(reads.rate) / m.real(case.duration)


def _where(neuron: Neuron, t: Real) -> str:
    return f"`{neuron.population}[{neuron.index}]` at {float(t)} ms"
