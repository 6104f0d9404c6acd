"""Kinds of networks for the tests, and cases that tests draw of them, by Hypothesis or by a seed.

A builder takes all its choices, numbers included, as small integers from a `Source`: Hypothesis
(integers shrink well, and a network shrinks with them) or a seeded generator. Integers from a small
range repeat, and equal numbers would make ties. So every number is moved within its step of the
grid, by an amount that depends only on the count of numbers before it.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st

from delayprop.spec import (
    Case,
    Connection,
    CrossEntropy,
    Loss,
    Network,
    Population,
    RelativeSpikeTimeMSE,
    SpikeTimeMSE,
    SpikeTrains,
)

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


def families(feed_forward: bool | None = None) -> list[str]:
    """Names of families: all, or only those without (or with) loops."""
    return [name for name, family in FAMILIES.items() if feed_forward in (None, family.feed_forward)]


@st.composite
def cases(draw: st.DrawFn, feed_forward: bool | None = None, family: str | None = None) -> Case:
    """A case of a family by name, or of any family with or without loops."""
    name = draw(st.sampled_from(families(feed_forward))) if family is None else family
    return _Builder(Picker(lambda low, high: draw(st.integers(low, high))), FAMILIES[name]).case()


def seeded_case(
    seed: int, family: str | None = None, feed_forward: bool | None = None, size: tuple[int, int] = (1, 3)
) -> Case:
    """The case of a seed, equal on every machine; seeds cycle through families if none is given."""
    names = families(feed_forward)
    name = names[seed % len(names)] if family is None else family
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    pick = Picker(lambda low, high: int(rng.integers(low, high + 1)))
    return _Builder(pick, replace(FAMILIES[name], size=size)).case()


@dataclass
class _Builder:
    pick: Picker
    family: Family

    def case(self) -> Case:
        """The case: structure first, so that numbers shrink last."""
        pick, family = self.pick, self.family
        read = pick.one(family.losses)
        layers = [f"hidden{n}" for n in range(1, pick.one(family.hidden) + 1)] + ["out"]
        sizes = {"in": pick.whole(1, 4)}
        sizes |= {name: pick.whole(*family.size) for name in layers} | {"out": pick.whole(2, 3)}
        kinds = dict.fromkeys(layers, "lif") | {"out": "li" if read.endswith(":li") else "lif"}
        plan = self._plan(layers, kinds)
        features = (family.constants, family.taus, family.reset, family.threshold)
        constants, taus, reset, threshold = (pick.one(options) for options in features)
        populations, slowest = [Population("in", "input", sizes["in"])], 0.0
        for name in layers:
            numbers = self._constants(sizes[name], constants, taus, reset, threshold)
            populations.append(Population(name, kinds[name], sizes[name], *numbers[: 2 if kinds[name] == "li" else 4]))
            slowest = max(slowest, float(np.mean(numbers[0])))
        T = 3.0 * slowest + pick.number(4.0, 12.0)
        trains = self._trains(sizes["in"], T)
        delays, sparse = pick.one(family.delays), pick.one(family.sparse)
        spikes = {name: np.full(sizes[name], 5.0) for name in layers}
        spikes["in"] = np.array([float(np.sum(train <= T)) for train in trains])
        by_name = {population.name: population for population in populations}
        connections = []
        for source, target, loop in plan:
            shape = (sizes[source], sizes[target])
            share = 1 / sum(t == target for _, t, in_loop in plan if not in_loop)
            pattern = self._pattern(shape, 4 if loop else pick.one(family.inhibitory), sparse)
            if loop:
                w = _loop_weights(pattern, by_name[target], 0.35 if source == target else 0.15)
            else:
                gain = pick.one(family.gain) * (0.3 if read == "max_voltage:lif" and target == "out" else 1.0)
                w = _driving_weights(pattern, by_name[target], spikes[source], gain * share * T)
            d = self._delays(shape, "short" if loop else delays, T)
            connections.append(Connection(source, target, w, d))
        network = Network(tuple(populations), tuple(connections))
        return Case(network, T, {"in": SpikeTrains(tuple(trains))}, self._loss(read, sizes["out"], T))

    def _plan(self, layers: list[str], kinds: dict[str, str]) -> list[tuple[str, str, bool]]:
        """Sources and targets; True if the connection may be part of a loop."""
        pick, family = self.pick, self.family
        chain = ["in", *layers]
        plan = [(a, b, False) for a, b in pairwise(chain)]
        if pick.one(family.skip) and len(layers) > 1:
            plan.append((pick.one(chain[:-2]), layers[-1], False))
        if pick.one(family.parallel):
            plan.append(plan[pick.whole(0, len(plan) - 1)])
        spiking = [name for name in layers if kinds[name] == "lif"]
        if pick.one(family.recurrent) and spiking:
            plan.append((spiking[0], spiking[0], True))
        if pick.one(family.feedback) and len(spiking) > 1:
            plan.append((spiking[-1], spiking[0], True))
        return plan

    def _constants(self, size: int, constants: str, taus: str, reset: str, threshold: str) -> list[np.ndarray]:
        """`tau_mem`, `tau_syn`, `v_th`, `v_reset`, each `[size]`."""
        pick = self.pick
        rows = []
        for _ in range(size if constants == "own" else 1):
            tau_mem = pick.number(8.0, 20.0)
            if taus == "apart":
                tau_syn = tau_mem * pick.one((0.25, 0.4, 0.7, 1.5))
            elif taus == "near":
                tau_syn = tau_mem * (1 + pick.one((1, -1)) * 10.0 ** -pick.whole(1, 15))
            else:
                tau_syn = tau_mem
            v_th = 1.0 if threshold == "one" else pick.number(0.4, 2.5)
            v_reset = {"zero": 0.0, "negative": -v_th, "positive": 0.4 * v_th}[reset]
            if reset != "zero":
                v_reset *= pick.number(0.3, 1.0)
            rows.append((tau_mem, tau_syn, v_th, v_reset))
        return [np.resize(column, size) for column in np.array(rows).T]

    def _trains(self, size: int, T: float) -> list[np.ndarray]:
        kind = self.pick.one(self.family.inputs)
        if kind == "together":
            return [self._train("spread", T)] * size
        return [self._train(kind, T) for _ in range(size)]

    def _train(self, kind: str, T: float) -> np.ndarray:
        pick = self.pick
        if kind == "burst":
            start = pick.number(0.0, 0.5 * T)
            times = [start + pick.number(0.0, 5.0) for _ in range(pick.whole(2, 8))]
        else:
            share, least, most = {"late": (1.3, 1, 5), "sparse": (0.4, 0, 1)}.get(kind, (0.8, 1, 5))
            times = [pick.number(0.0, share * T) for _ in range(pick.whole(least, most))]
        return np.sort(np.array(times))

    def _pattern(self, shape: tuple[int, int], inhibitory: int, sparse: bool) -> np.ndarray:
        """Weights up to a scale; None for no synapse."""
        pick = self.pick
        pattern = np.empty(shape, dtype=object)
        for index in np.ndindex(shape):
            sign = -self.family.inhibition if pick.whole(1, 8) > 8 - inhibitory else 1.0
            pattern[index] = sign * pick.number(0.4, 1.6)
            if sparse:
                pattern[index] = pick.one((pattern[index],) * 4 + (None, 0.0))
        return pattern

    def _delays(self, shape: tuple[int, int], kind: str, T: float) -> np.ndarray:
        pick = self.pick
        if kind == "same":
            return np.full(shape, pick.number(0.3, 6.0))
        delays = np.empty(shape)
        for index in np.ndindex(shape):
            if kind == "zero" and pick.whole(0, 1):
                delays[index] = 0.0
            elif kind == "long":
                delays[index] = pick.number(0.1 * T, 0.5 * T)
            elif kind == "beyond" and not pick.whole(0, 3):
                delays[index] = pick.number(1.0, 1.5) * T
            else:
                delays[index] = pick.number(0.3, 6.0)
        return delays

    def _loss(self, read: str, size: int, T: float) -> Loss:
        pick = self.pick
        if read == "spike_time_mse":
            targets = [np.sort([pick.number(0.1 * T, T) for _ in range(pick.whole(1, 3))]) for _ in range(size)]
            return SpikeTimeMSE("out", SpikeTrains(tuple(targets)))
        label = pick.whole(0, size - 1)
        if read == "first_spike_time":
            scale = pick.number(2.0, 12.0)
            if scale > 8.0:  # no draw of its own, which would change all networks
                return RelativeSpikeTimeMSE("out", label, scale / 4)
            return CrossEntropy(read, "out", label, scale)
        return CrossEntropy(read.split(":")[0], "out", label)


def _numbers(target: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`tau_mem`, `tau_syn`, `v_th`, `v_reset`; an `li` population counts as one of threshold 1."""
    assert target.tau_mem is not None and target.tau_syn is not None
    v_th = np.ones(target.size) if target.v_th is None else target.v_th
    return target.tau_mem, target.tau_syn, v_th, np.zeros(target.size) if target.v_reset is None else target.v_reset


def _driving_weights(pattern: np.ndarray, target: Population, spikes: np.ndarray, drive: float) -> np.ndarray:
    """Weights of these signs and proportions with which the spikes per source neuron, known or
    guessed, give a mean current of `drive / T` thresholds; `drive`: ms."""
    weights = pattern.copy()
    tau_mem, tau_syn, v_ths, _ = _numbers(target)
    count = np.maximum(spikes, 0.0 if spikes.any() else 1.0)
    for j in range(target.size):
        v_th, ratio = v_ths[j], tau_syn[j] / tau_mem[j]
        charge = drive * v_th * (1 + 0.5 * ratio) / tau_syn[j]  # a slow current arrives late in the trial
        strongest = 3.0 * v_th / ratio  # one arrival: at most some 3 spikes
        column = [0.0 if u is None else u for u in pattern[:, j]]
        inhibition = sum(-n * u for n, u in zip(count, column, strict=True) if u < 0) * charge / count.sum()
        excitation = sum(n * u for n, u in zip(count, column, strict=True) if u > 0) or 1.0
        for i, u in enumerate(column):
            scaled = u * charge / count.sum() if u < 0 else u * (charge + inhibition) / excitation
            weights[i, j] = None if pattern[i, j] is None else min(scaled, strongest)
    return weights


def _loop_weights(pattern: np.ndarray, target: Population, strength: float) -> np.ndarray:
    """Weights too weak for self-sustained activity: one spike of every source neuron brings
    `strength` of the charge `tau_mem (v_th - v_reset)` that a spike costs."""
    tau_mem, tau_syn, v_th, v_reset = _numbers(target)
    cost = strength * tau_mem * (v_th - v_reset) / (tau_syn * pattern.shape[0])
    weights = pattern.copy()
    for (i, j), u in np.ndenumerate(pattern):
        weights[i, j] = None if u is None else u * cost[j]
    return weights
