"""The content of a trial: neurons and their spikes, synapses, and the recorded events.

Each event happens to one neuron. `simulate` lists them, `adjoint` walks the list backwards.
"""

from dataclasses import dataclass, field

from delayprop.reference.arithmetic import Real, Row, dot
from delayprop.reference.equations import Equations
from delayprop.spec import Tie

# eq=False: neurons, spikes and events are compared, and looked up, by identity.


@dataclass(eq=False)
class Spike:
    """A spike, given or emitted; `under_way`: since before the trial, with one arrival left, whose
    time is given."""

    population: str
    index: int
    t: Real
    under_way: bool = False


@dataclass(eq=False)
class Neuron:
    """A neuron: number `index` of its population; `t, x`: its state just after its last event."""

    population: str
    index: int
    equations: Equations
    t: Real
    x: Row
    events: "list[Event]" = field(default_factory=list)
    spikes: list[Spike] = field(default_factory=list)


@dataclass(eq=False)
class Synapse:
    """A synapse: its connection, index of its source neuron, target neuron, the state of the target
    that it raises, weight, delay."""

    connection: int
    pre: int
    post: Neuron
    into: int
    w: Real
    d: Real


@dataclass(eq=False)
class Event:
    """An event of one neuron at `t`; its state just before and just after."""

    neuron: Neuron
    t: Real
    x_minus: Row
    x_plus: Row


@dataclass(eq=False)
class Start(Event):
    """The state that is given at 0."""


@dataclass(eq=False)
class Crossing(Event):
    """The level of the neuron reaches the threshold, and the neuron is reset."""

    spike: Spike

    @property
    def slope(self) -> Real:
        """The rate of the level just before the spike."""
        e = self.neuron.equations
        return e.rate_of_level * e.drive(self.x_minus)

    def spikes_left(self, T: Real) -> Real:
        """About how often the state that is kept would reset the neuron again until `T`."""
        e = self.neuron.equations
        drives, lasts = (e.slope, T - self.t) if e.push is None else (e.push, 1)
        push = sum(max(drive * x, 0) for drive, x in zip(drives, self.x_plus, strict=True)) * lasts
        return push / (e.v_th - dot(e.c, self.x_plus))

    @property
    def kappa(self) -> Real:
        """Conditioning of the spike: 0 is a grazing crossing."""
        e = self.neuron.equations
        return (e.drive(self.x_minus) / e.v_th) ** 2


@dataclass(eq=False)
class Arrivals(Event):
    """All spikes that reach the neuron at one instant."""

    parcels: list[tuple[Spike, Synapse]]


@dataclass
class Trial:
    """One trial: neurons and given spikes by population name, events in order.

    `before`: the spikes under way at 0, by connection. `after`: the spikes under way at `T`, by
    connection, with the synapse and the time of arrival of each.
    """

    T: Real
    neurons: dict[str, list[Neuron]]
    inputs: dict[str, list[list[Spike]]]
    events: list[Event]
    ties: set[Tie]
    before: list[list[Spike]]
    after: list[list[tuple[Spike, Synapse, Real]]]
