"""The content of a trial: neurons and their spikes, synapses, and the recorded events.

Each event happens to one neuron. `simulate` lists them, `adjoint` walks the list backwards.
"""

from dataclasses import dataclass, field

from delayprop.reference.arithmetic import Real
from delayprop.reference.flow import Constants
from delayprop.spec import Tie

# eq=False: neurons, spikes and events are compared, and looked up, by identity.


@dataclass(eq=False)
class Spike:
    """A spike, given or emitted."""

    population: str
    index: int
    t: Real


@dataclass(eq=False)
class Neuron:
    """A neuron: number `index` of its population.

    `t, V, I`: its state just after its last event.
    """

    population: str
    index: int
    constants: Constants
    t: Real
    V: Real
    I: Real
    events: "list[Event]" = field(default_factory=list)
    spikes: list[Spike] = field(default_factory=list)


@dataclass(eq=False)
class Synapse:
    """A synapse: its connection, index of its source neuron, target neuron, weight, delay."""

    connection: int
    pre: int
    post: Neuron
    w: Real
    d: Real


@dataclass(eq=False)
class Event:
    """An event of one neuron at `t`; `V, I` is its state just after."""

    neuron: Neuron
    t: Real
    V: Real
    I: Real


@dataclass(eq=False)
class Crossing(Event):
    """The neuron reaches its threshold, with current `I`, and is reset."""

    spike: Spike

    @property
    def Vdot_minus(self) -> Real:
        c = self.neuron.constants
        return (self.I - c.v_th) / c.tau_mem

    @property
    def Vdot_plus(self) -> Real:
        c = self.neuron.constants
        return (self.I - c.v_reset) / c.tau_mem

    @property
    def spikes_left(self) -> Real:
        """About how often the remaining current would reset the neuron again."""
        c = self.neuron.constants
        assert c.v_th is not None and c.v_reset is not None
        return self.I * c.tau_syn / (c.tau_mem * (c.v_th - c.v_reset))

    @property
    def kappa(self) -> Real:
        """Conditioning of the spike: 0 is a grazing crossing."""
        return ((self.I - self.neuron.constants.v_th) / self.neuron.constants.v_th) ** 2


@dataclass(eq=False)
class Arrivals(Event):
    """All spikes that reach the neuron at one instant; `I_minus` is the current just before."""

    parcels: list[tuple[Spike, Synapse]]
    I_minus: Real


@dataclass
class Trial:
    """One trial: neurons and given spikes by population name, events in order."""

    T: Real
    neurons: dict[str, list[Neuron]]
    inputs: dict[str, list[list[Spike]]]
    events: "list[Event]"
    ties: set[Tie]
