"""The cases of the conformance set, package data in the folder `cases`, and what each needs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from delayprop.spec.case import Case, case_from_text
from delayprop.spec.checks import one_of
from delayprop.spec.losses import SpikeTimeMSE
from delayprop.spec.readouts import FIRST_SPIKE_TIME, READOUT_BY_NAME, Readout


@dataclass(frozen=True, eq=False)
class Stored:
    name: str  # of the file, without `.json`
    text: str  # content of the file
    case: Case  # the problem without its results, as a simulator gets it
    expected: dict  # the results, in the layout of the command lines

    @property
    def question(self) -> str:
        document = json.loads(self.text)
        del document["expected"]
        return json.dumps(document) + "\n"


def stored(names: Sequence[str] | None = None) -> tuple[Stored, ...]:
    """All cases, or the cases of these names; the smallest network first."""
    everything = _everything()
    legal = sorted(one.name for one in everything)
    wanted = legal if names is None else [one_of(name, "case", legal) for name in names]
    return tuple(one for one in everything if one.name in wanted)


@cache
def _everything() -> tuple[Stored, ...]:
    read = []
    for entry in (files("delayprop.spec.conformance") / "cases").iterdir():
        if entry.name.endswith(".json"):
            text = entry.read_text(encoding="utf-8")
            whole = case_from_text(text)
            assert whole.expected is not None
            asked = Case(whole.network, whole.duration, whole.inputs, whole.loss)
            read.append(Stored(entry.name.removesuffix(".json"), text, asked, dict(whole.expected)))
    return tuple(sorted(read, key=_size))


def _size(one: Stored) -> tuple[int, int, str]:
    connections = one.case.network.connections
    return len(connections), sum(int(connection.exists.sum()) for connection in connections), one.name


class Facts:
    """Properties of a case that decide which capabilities it needs.

    The gradient of a silent network is 0 and tests neither constants nor delays. For such a network
    `taus`, `v_th`, `v_reset`, `delays` and `times` are therefore empty.
    """

    def __init__(self, one: Stored) -> None:
        network, spikes = one.case.network, one.expected["spikes"]
        neurons = [population for population in network.populations if population.kind != "input"]
        lif = [population for population in neurons if population.kind == "lif"]
        self.loss, self.duration = one.case.loss, one.case.duration
        self.reads_lif = any(population.name == self.loss.population for population in lif)
        self.pairs = [(connection.source, connection.target) for connection in network.connections]
        self.reached = {source: _reached(source, self.pairs) for source, _ in self.pairs}
        longer = {(a, c) for a, b in self.pairs for c in self.reached.get(b, ()) if len({a, b, c}) == 3}
        self.skips = any(pair in longer for pair in self.pairs)
        self.hidden = any(a not in one.case.inputs and a != b for a, b in self.pairs)
        self.recurrent = any(name in targets for name, targets in self.reached.items())
        self.absent = not all(connection.exists.all() for connection in network.connections)
        self.trains = [train for population in lif for train in spikes[population.name]]
        self.silent = bool(self.trains) and not any(self.trains)
        targets = self.loss.targets if isinstance(self.loss, SpikeTimeMSE) else ()
        self.surplus = [len(train) - len(own) for train, own in zip(spikes[self.loss.population], targets)]
        self.first_missing = self.loss.reads == FIRST_SPIKE_TIME and not all(spikes[self.loss.population])
        if self.silent:
            neurons = lif = []
        self.taus = {pair for p in neurons for pair in zip(p.tau_mem.tolist(), p.tau_syn.tolist())}
        self.v_th = {v for population in lif for v in population.v_th.tolist()}
        self.v_reset = {v for population in lif for v in population.v_reset.tolist()}
        self.by_connection = [set() if self.silent else set(c.d[c.exists].tolist()) for c in network.connections]
        self.delays: set[float] = set().union(*self.by_connection)
        inputs = () if self.silent else one.case.inputs.values()
        self.times = [float(t) for trains in inputs for train in trains for t in train]
        self.whole_ms = not any(t % 1 for t in (*self.delays, *self.times))


def _reached(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    """The populations that one or more connections lead to from `start`."""
    found: set[str] = set()
    border = {start}
    while border:
        border = {target for source, target in pairs if source in border} - found
        found |= border
    return found


def _reads(readout: Readout, facts: Facts) -> bool:
    return facts.loss.reads == readout


CAPABILITIES: dict[str, Callable[[Facts], bool]] = {  # by name, with the test of whether a case needs one
    "one layer": lambda f: not f.hidden,
    "hidden layers": lambda f: f.hidden,
    "feed-forward": lambda f: not f.recurrent,
    "recurrent": lambda f: f.recurrent,
    "skip connections": lambda f: f.skips,
    "parallel connections": lambda f: len(set(f.pairs)) < len(f.pairs),
    "absent synapses": lambda f: f.absent,
    "one pair of time constants": lambda f: len(f.taus) == 1,
    "several time constants": lambda f: len(f.taus) > 1,
    "tau_mem = tau_syn": lambda f: any(a == b for a, b in f.taus),
    "tau_mem near tau_syn": lambda f: any(0 < abs(a - b) < 1e-3 * a for a, b in f.taus),
    "threshold other than 1": lambda f: bool(f.v_th - {1.0}),
    "reset other than 0": lambda f: bool(f.v_reset - {0.0}),
    "no delays": lambda f: f.delays == {0.0},
    "delays in whole ms": lambda f: any(f.delays) and f.whole_ms,
    "delays off the grid": lambda f: any(f.delays) and not f.whole_ms,
    "delays per synapse": lambda f: any(len(own) > 1 for own in f.by_connection),
    "delays of 0 beside others": lambda f: 0.0 in f.delays and any(f.delays),
    **{name: partial(_reads, one) for name, one in READOUT_BY_NAME.items()},
    "spike_time_mse": lambda f: isinstance(f.loss, SpikeTimeMSE),
    "voltage of spiking neurons": lambda f: f.reads_lif and f.loss.reads is not None and f.loss.reads.of_voltage,
    "missing spikes": lambda f: f.first_missing or any(n < 0 for n in f.surplus),
    "spikes beyond the targets": lambda f: any(n > 0 for n in f.surplus),
    "silent neurons": lambda f: not all(f.trains),
    "silent network": lambda f: f.silent,
    "events after the end": lambda f: any(t > f.duration for t in (*f.delays, *f.times)),
}


def needs(one: Stored) -> tuple[str, ...]:
    """The capabilities that a case needs, in the order of `CAPABILITIES`."""
    facts = Facts(one)
    return tuple(name for name, needed in CAPABILITIES.items() if needed(facts))
