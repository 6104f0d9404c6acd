"""The cases of the conformance set, package data in the folder `cases`, and what each needs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from delayprop.spec.case import Case, case_from_text
from delayprop.spec.checks import one_of
from delayprop.spec.losses import SpikeTimeMSE
from delayprop.spec.readouts import FIRST_SPIKE_TIME, READOUT_BY_NAME


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


def needs(one: Stored) -> tuple[str, ...]:
    """The capabilities that a case needs, in the order of `capabilities`."""
    return tuple(name for name, needed in _needed(one).items() if needed)


def capabilities() -> tuple[str, ...]:
    """All capabilities, in the order of a report."""
    return tuple(_needed(_everything()[0]))


def _needed(one: Stored) -> dict[str, bool]:
    """Whether a case needs each capability.

    The gradient of a silent network is 0 and tests neither constants nor delays. Such a network
    therefore needs none of theirs.
    """
    network, loss, spikes = one.case.network, one.case.loss, one.expected["spikes"]
    pairs = [(connection.source, connection.target) for connection in network.connections]
    reached = {source: _reached(source, pairs) for source, _ in pairs}
    longer = {(a, c) for a, b in pairs for c in reached.get(b, ()) if len({a, b, c}) == 3}
    hidden = any(a not in one.case.inputs and a != b for a, b in pairs)
    recurrent = any(name in targets for name, targets in reached.items())
    neurons = [population for population in network.populations if population.kind != "input"]
    lif = [population for population in neurons if population.kind == "lif"]
    trains = [train for population in lif for train in spikes[population.name]]
    silent = bool(trains) and not any(trains)

    reads_lif = any(population.name == loss.population for population in lif)
    targets = loss.targets if isinstance(loss, SpikeTimeMSE) else ()
    surplus = [len(train) - len(own) for train, own in zip(spikes[loss.population], targets)]
    first_missing = loss.reads == FIRST_SPIKE_TIME and not all(spikes[loss.population])

    if silent:
        neurons = lif = []
    taus = {pair for p in neurons for pair in zip(p.tau_mem.tolist(), p.tau_syn.tolist())}
    v_th = {v for population in lif for v in population.v_th.tolist()}
    v_reset = {v for population in lif for v in population.v_reset.tolist()}
    by_connection = [set() if silent else set(c.d[c.exists].tolist()) for c in network.connections]
    delays: set[float] = set().union(*by_connection)
    inputs = () if silent else one.case.inputs.values()
    times = [*delays, *(float(t) for trains in inputs for train in trains for t in train)]
    whole_ms = not any(t % 1 for t in times)
    return {
        "one layer": not hidden,
        "hidden layers": hidden,
        "feed-forward": not recurrent,
        "recurrent": recurrent,
        "skip connections": any(pair in longer for pair in pairs),
        "parallel connections": len(set(pairs)) < len(pairs),
        "absent synapses": not all(connection.exists.all() for connection in network.connections),
        "one pair of time constants": len(taus) == 1,
        "several time constants": len(taus) > 1,
        "tau_mem = tau_syn": any(a == b for a, b in taus),
        "tau_mem near tau_syn": any(0 < abs(a - b) < 1e-3 * a for a, b in taus),
        "threshold other than 1": bool(v_th - {1.0}),
        "reset other than 0": bool(v_reset - {0.0}),
        "no delays": delays == {0.0},
        "delays in whole ms": any(delays) and whole_ms,
        "delays off the grid": any(delays) and not whole_ms,
        "delays per synapse": any(len(own) > 1 for own in by_connection),
        "delays of 0 beside others": 0.0 in delays and any(delays),
        **{name: loss.reads == readout for name, readout in READOUT_BY_NAME.items()},
        "spike_time_mse": isinstance(loss, SpikeTimeMSE),
        "voltage of spiking neurons": reads_lif and loss.reads is not None and loss.reads.of_voltage,
        "missing spikes": first_missing or any(n < 0 for n in surplus),
        "spikes beyond the targets": any(n > 0 for n in surplus),
        "silent neurons": not all(trains),
        "silent network": silent,
        "events after the end": any(t > one.case.duration for t in times),
    }


def _reached(start: str, pairs: list[tuple[str, str]]) -> set[str]:
    """The populations that one or more connections lead to from `start`."""
    found: set[str] = set()
    border = {start}
    while border:
        border = {target for source, target in pairs if source in border} - found
        found |= border
    return found
