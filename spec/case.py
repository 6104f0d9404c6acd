"""A case: a network, its input and its loss; and its file format `eventprop-case/1`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from delayprop.spec import checks, documents
from delayprop.spec.documents import json_object
from delayprop.spec.errors import SpecError, Verbatim, placed
from delayprop.spec.losses import LOSSES, Loss, check_loss
from delayprop.spec.network import Connection, Network
from delayprop.spec.neuron import NEURONS
from delayprop.spec.population import FILE_NAMES, KINDS, Population
from delayprop.spec.readouts import FIRST_SPIKE_TIME
from delayprop.spec.spikes import SpikeTrains
from delayprop.spec.state import State, check_state, state_of

FORMAT = "eventprop-case/1"


@dataclass(frozen=True, eq=False)
class Case:
    """All that defines a loss and its gradient.

    Args:
        network: populations and connections.
        duration: `T`, ms; the trial is `[0, T]`.
        inputs: spike trains of every input population, by name.
        loss: the loss that is differentiated.
        expected: results to compare an implementation with, in the JSON layout of `Result`.
        state: the state at 0; None: at rest, and the result has no state either.

    Raises:
        SpecError: missing trains, trains of a population that is no input, not one train per
            neuron, or a loss or a state that does not fit the network.
    """

    network: Network
    duration: float
    inputs: Mapping[str, SpikeTrains]
    loss: Loss
    expected: Mapping | None = None
    state: State | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "duration", checks.duration(self.duration, "duration"))
        sizes = {p.name: p.size for p in self.network.populations if p.kind == "input"}
        for name in self.inputs:
            if name not in sizes:
                expected = "absent: no population of kind `input` has this name"
                raise SpecError(f"inputs.{name}", expected, Verbatim("spike trains"), "remove or rename it")
        for name, size in sizes.items():
            if name not in self.inputs:
                expected = f"given: `{name}` is a population of kind `input`"
                raise SpecError(f"inputs.{name}", expected, Verbatim("nothing"), "give [] for a silent neuron")
            if len(self.inputs[name]) != size:
                expected = f"a list of {size} spike trains, one for each neuron"
                got = Verbatim(f"a list of {len(self.inputs[name])}")
                raise SpecError(f"inputs.{name}", expected, got, "add or remove trains")
        with placed("loss", FILE_NAMES):
            check_loss(self.loss, self.network, self.duration)
        if self.state is not None:
            object.__setattr__(self, "state", check_state(self.state, self.network))


def load_case(path: str | Path) -> Case:
    """Read a case file; `SpecError`: it is missing, not UTF-8 JSON, or not a case."""
    return case_from_text(documents.read(path, "case"))


def case_from_text(text: str) -> Case:
    """The case that a JSON text describes; `SpecError`: the text is not JSON, or not a case."""
    return _case(documents.parsed(text, "case"))


def _case(document: object) -> Case:
    keys = ("format", "duration", "populations", "connections", "inputs", "loss")
    case = json_object(document, "", keys, ("expected", "state"))
    checks.one_of(case["format"], "format", (FORMAT,))
    populations = checks.sequence(case["populations"], "populations", None, "populations")
    connections = checks.sequence(case["connections"], "connections", None, "connections")
    checked = tuple(_population(value, f"populations[{p}]") for p, value in enumerate(populations))
    between = tuple(_connection(value, f"connections[{c}]") for c, value in enumerate(connections))
    with placed("", FILE_NAMES):
        network = Network(checked, between)
    duration = checks.duration(case["duration"], "duration")
    if not isinstance(case["inputs"], dict):
        raise SpecError("inputs", "an object", checks.described(case["inputs"]), "give spike trains by population")
    inputs = {}
    for name, trains in case["inputs"].items():
        with placed(f"inputs.{name}", {"trains": ""}):
            inputs[name] = SpikeTrains(trains)
    expected = case.get("expected")
    if expected is not None and not isinstance(expected, dict):
        remedy = "give the object that the command line prints"
        raise SpecError("expected", "an object", checks.described(expected), remedy)
    state = state_of(case["state"]) if "state" in case else None
    return Case(network, duration, inputs, _loss(case["loss"]), expected, state)


def _population(value: object, path: str) -> Population:
    of_kind = {kind: tuple(FILE_NAMES.get(field, field) for field in names) for kind, names in KINDS.items()}
    kind, given = _of_kind(value, path, {kind: ("name", "size", *names) for kind, names in of_kind.items()})
    own = {field: given[FILE_NAMES.get(field, field)] for field in KINDS[kind]}
    with placed(path, {} if kind == "neuron" else FILE_NAMES):
        return Population(given["name"], kind, given["size"], **own)


def _connection(value: object, path: str) -> Connection:
    given = json_object(value, path, ("source", "target", "weights", "delays"), ("into",))
    with placed(path, FILE_NAMES):
        into = None if "into" not in given else checks.text(given["into"], "into")
        return Connection(given["source"], given["target"], given["weights"], given["delays"], into=into)


def _loss(value: object) -> Loss:
    of_kind = {kind: tuple(one.name for one in fields(loss)) for kind, loss in LOSSES.items()}
    if not isinstance(value, dict) or value.get("readout") != FIRST_SPIKE_TIME.name:
        of_kind["cross_entropy"] = tuple(name for name in of_kind["cross_entropy"] if name != "time_scale")
    kind, given = _of_kind(value, "loss", of_kind)
    with placed("loss"):
        found: Loss = LOSSES[kind](**{key: given[key] for key in of_kind[kind]})
        return found


def _of_kind(value: object, path: str, keys: Mapping[str, tuple[str, ...]]) -> tuple[str, dict]:
    """The kind of a JSON object, and the object, which has exactly the keys of its kind."""
    if isinstance(value, dict) and "kind" not in value:
        raise SpecError(f"{path}.kind", "given", Verbatim("nothing"), "the kinds are " + ", ".join(keys))
    kind = checks.one_of(json_object(value, path)["kind"], f"{path}.kind", tuple(keys))
    return kind, json_object(value, path, ("kind", *keys[kind]))


def case_to_dict(case: Case) -> dict:
    """The case as the JSON object of its file."""
    populations = [
        {"name": population.name, "kind": population.kind, "size": population.size} | _fields(population)
        for population in case.network.populations
    ]
    connections = [
        {"source": c.source, "target": c.target, "weights": c.rows(c.w), "delays": c.rows(c.d)}
        | ({} if c.into is None else {"into": c.into})
        for c in case.network.connections
    ]
    of_loss = {one.name: getattr(case.loss, one.name) for one in fields(case.loss)}
    loss = {"kind": case.loss.kind} | {
        name: _plain(value)
        for name, value in of_loss.items() if value is not None
    }
    inputs = {name: [train.tolist() for train in trains] for name, trains in case.inputs.items()}
    document = {
        "format": FORMAT, "duration": case.duration, "populations": populations, "connections": connections,
        "inputs": inputs, "loss": loss,
    }
    if case.state is not None:
        document["state"] = case.state.to_dict()
    return document if case.expected is None else {**document, "expected": dict(case.expected)}


def _plain(value: object) -> object:
    """A field of a loss as JSON has it."""
    if isinstance(value, SpikeTrains):
        return [train.tolist() for train in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _fields(population: Population) -> dict:
    values = {name: constant.tolist() for name, constant in population.values.items()}
    if population.kind != "neuron":
        return {FILE_NAMES.get(name, name): numbers for name, numbers in values.items()}
    known = next((name for name, neuron in NEURONS.items() if neuron == population.neuron), None)
    return {"neuron": known or asdict(population.neuron), "constants": values}


def save_case(case: Case, path: str | Path) -> None:
    """Write a case file; `load_case` reads equal numbers from it, bit for bit."""
    Path(path).write_text(json.dumps(case_to_dict(case), indent=1) + "\n", encoding="utf-8")
