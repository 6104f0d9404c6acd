"""Kinds of networks for the tests, and the choices that build one.

A builder takes all its choices, numbers included, as small integers from a `Source`: Hypothesis
(integers shrink well, and a network shrinks with them) or a seeded generator. Integers from a small
range repeat, and equal numbers would make ties. So every number is moved within its step of the
grid, by an amount that depends only on the count of numbers before it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

T_ = TypeVar("T_")
GRID = 64
_GOLDEN = (5**0.5 - 1) / 2

Source = Callable[[int, int], int]
"""A source of choices: an integer from the first to the second, both included."""


@dataclass
class Picker:
    """Choices and numbers from the integers of a source."""

    whole: Source
    taken: int = 0

    def one(self, options: Sequence[T_]) -> T_:
        """One of the options; the first is the simplest."""
        return options[self.whole(0, len(options) - 1)] if len(options) > 1 else options[0]

    def number(self, low: float, high: float) -> float:
        """A number between `low` and `high`: a grid of 64 steps, moved within its step."""
        self.taken += 1
        return low + (high - low) * (self.whole(0, GRID - 1) + self.taken * _GOLDEN % 1) / GRID


ANY = (False, True)
VOLTAGE_LOSSES = tuple(f"{readout}:{kind}" for readout in ("mean_voltage", "max_voltage", "exp_weighted_voltage")
                       for kind in ("li", "lif"))
SPIKE_LOSSES = ("spike_time_mse", "first_spike_time")


@dataclass(frozen=True)
class Family:
    """The options of each feature; a network has one of each. `taus`: the two time constants of a
    neuron. `reset`: its sign. `gain`: mean input current, in units of the threshold. `inhibitory`:
    inhibitory synapses in 8, of strength `inhibition`. `losses`: readout, and kind of the
    population read. `size`: least and most neurons of a hidden layer."""

    hidden: tuple[int, ...] = (0, 1, 2)
    recurrent: tuple[bool, ...] = (False,)
    feedback: tuple[bool, ...] = (False,)
    skip: tuple[bool, ...] = (False,)
    parallel: tuple[bool, ...] = (False,)
    sparse: tuple[bool, ...] = (False,)
    constants: tuple[str, ...] = ("shared",)
    taus: tuple[str, ...] = ("apart",)
    reset: tuple[str, ...] = ("zero",)
    threshold: tuple[str, ...] = ("one",)
    delays: tuple[str, ...] = ("short",)
    inputs: tuple[str, ...] = ("spread",)
    gain: tuple[float, ...] = (1.2, 1.6, 2.0)
    inhibitory: tuple[int, ...] = (1, 2)
    inhibition: float = 0.4
    losses: tuple[str, ...] = field(default=(*SPIKE_LOSSES, *VOLTAGE_LOSSES))
    size: tuple[int, int] = (1, 3)

    @property
    def feed_forward(self) -> bool:
        return not (any(self.recurrent) or any(self.feedback))


_RESETS = ("zero", "negative", "positive")
_MIXED = Family(
    skip=ANY, parallel=ANY, sparse=(False, False, True), constants=("shared", "own"), taus=("apart", "equal", "near"),
    reset=_RESETS, threshold=("one", "other"), delays=("short", "zero", "same", "long", "beyond"),
    inputs=("spread", "burst", "together", "late", "sparse"), inhibitory=(0, 1, 2),
)

FAMILIES: dict[str, Family] = {
    "layers": Family(),
    "graph": Family(hidden=(1, 2), skip=ANY, parallel=ANY, sparse=(True,), reset=_RESETS),
    "heterogeneous": Family(constants=("own",), threshold=("other",), reset=_RESETS, sparse=ANY),
    "equal_taus": Family(taus=("equal",), constants=("shared", "own"), threshold=("one", "other")),
    "near_taus": Family(taus=("near",), constants=("shared", "own"), reset=_RESETS),
    "delays": Family(delays=("long", "beyond"), inputs=("spread", "burst", "late"), reset=_RESETS),
    "zero_delays": Family(delays=("zero", "same"), inputs=("spread", "together", "together")),
    "bursts": Family(inputs=("burst", "burst", "late", "sparse"), hidden=(0, 1), threshold=("one", "other")),
    "inhibited": Family(
        inhibitory=(3, 4), inhibition=1.2, inputs=("spread", "sparse"), gain=(1.8, 2.4), hidden=(0,),
        losses=("max_voltage:li",),
    ),
    "quiet": Family(gain=(0.3, 1.0), hidden=(0, 1)),
    "mixed": _MIXED,
    "recurrent": Family(hidden=(1,), recurrent=(True,), constants=("shared", "own"), reset=_RESETS),
    "recurrent_output": Family(hidden=(0,), recurrent=(True,), taus=_MIXED.taus,
                               losses=(*SPIKE_LOSSES, "max_voltage:lif")),
    "feedback": Family(hidden=(2,), recurrent=ANY, feedback=(True,), skip=ANY, sparse=ANY, delays=_MIXED.delays),
    "recurrent_inhibited": Family(
        hidden=(1,), recurrent=(True,), inhibition=1.2, inhibitory=(3,), inputs=("spread", "burst"),
        losses=("max_voltage:li",),
    ),
    "recurrent_mixed": replace(_MIXED, hidden=(1, 2), recurrent=(True,), feedback=ANY),
}
"""By name; "mixed" and "recurrent_mixed" have every feature, each of the others has one."""
