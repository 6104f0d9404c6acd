"""A case: a network, its input and its loss; and its file format `eventprop-case/1`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from spec import checks
from spec.errors import SpecError, Verbatim
from spec.losses import CrossEntropy, Loss, SpikeTimeMSE, check_loss
from spec.network import Connection, Network, Population
from spec.spikes import SpikeTrains

FORMAT = "eventprop-case/1"
_FILE_NAMES = {"v_th": "threshold", "v_reset": "reset", "w": "weights", "d": "delays"}
_CONSTANTS = {"input": (), "li": ("tau_mem", "tau_syn"), "lif": ("tau_mem", "tau_syn", "threshold", "reset")}
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Case:
    """All that defines a loss and its gradient.

    Args:
        network: populations and connections.
        duration: `T`, ms; the trial is `[0, T]`.
        inputs: spike trains of every input population, by name.
        loss: what is differentiated.
        expected: results to hold an implementation against, in the layout that the command lines print.

    Raises:
        SpecError: trains missing, for a population that is no input, or not one a neuron; a loss that does not fit.
    """

    network: Network
    duration: float
    inputs: Mapping[str, SpikeTrains]
    loss: Loss
    expected: Mapping | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "duration", checks.duration(self.duration, "duration"))
        input_names = [population.name for population in self.network.populations if population.kind == "input"]
        for name in self.inputs:
            if name not in input_names:
                expected = "absent: no population of kind `input` has this name"
                raise SpecError(f"inputs.{name}", expected, Verbatim("spike trains"), "remove or rename it")
        for name in input_names:
            if name not in self.inputs:
                expected = f"given: `{name}` is a population of kind `input`"
                raise SpecError(f"inputs.{name}", expected, Verbatim("nothing"), "give [] for a silent neuron")
            size, given = self.network.population(name).size, len(self.inputs[name])
            if given != size:
                expected = f"a list of {size} spike trains, one for each neuron"
                raise SpecError(f"inputs.{name}", expected, Verbatim(f"a list of {given}"), "add or remove trains")
        _within("loss", lambda: check_loss(self.loss, self.network))


def load_case(path: str | Path) -> Case:
    """Read a case file.

    Raises:
        SpecError: the file is missing, not UTF-8 JSON, or not a case.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path that no system takes
        got = Verbatim(getattr(error, "strerror", None) or error)
        raise SpecError(str(path), "a readable case file", got, "give the path of a JSON file") from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise SpecError(str(path), "a JSON file in UTF-8", Verbatim("binary data"), "give a text file") from None
    return case_from_text(text)


def case_from_text(text: str) -> Case:
    """The case that a JSON text describes; see `load_case`."""
    try:
        document = json.loads(text, object_pairs_hook=_object_without_duplicates)
    except json.JSONDecodeError as error:
        got = Verbatim(f"{error.msg} at line {error.lineno} column {error.colno}")
        raise SpecError("case", "one whole JSON object", got, "the file is damaged or cut short") from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        got = Verbatim("too deep a nesting" if isinstance(error, RecursionError) else error)
        raise SpecError("case", "one JSON object", got, "this is no case file") from None
    return _case(document)


def _case(document: object) -> Case:
    required = ("format", "duration", "populations", "connections", "inputs", "loss")
    keys = _object(document, "case", required, ("expected",))
    checks.one_of(keys["format"], "format", (FORMAT,))
    populations = checks.sequence(keys["populations"], "populations", None, "populations")
    connections = checks.sequence(keys["connections"], "connections", None, "connections")
    network = _network(
        tuple(_population(value, f"populations[{p}]") for p, value in enumerate(populations)),
        tuple(_connection(value, f"connections[{c}]") for c, value in enumerate(connections)),
    )
    duration = checks.duration(keys["duration"], "duration")
    if not isinstance(keys["inputs"], dict):
        raise SpecError("inputs", "an object", checks.described(keys["inputs"]), "give spike trains by population")
    inputs = {name: _trains(value, f"inputs.{name}") for name, value in keys["inputs"].items()}
    expected = keys.get("expected")
    if expected is not None and not isinstance(expected, dict):
        remedy = "give the object that the command line prints"
        raise SpecError("expected", "an object", checks.described(expected), remedy)
    return Case(network, duration, inputs, _loss(keys["loss"]), expected)


def _network(populations: tuple[Population, ...], connections: tuple[Connection, ...]) -> Network:
    try:
        return Network(populations, connections)
    except SpecError as error:
        if error.name.endswith("].w"):
            raise SpecError(error.name[:-1] + "weights", error.expected, error.got, error.remedy) from None
        raise


def _population(value: object, path: str) -> Population:
    if not isinstance(value, dict) or "kind" not in value:
        _object(value, path, ("name", "kind", "size"), ("tau_mem", "tau_syn", "threshold", "reset"))
    kind = checks.one_of(value["kind"], f"{path}.kind", tuple(_CONSTANTS))  # type: ignore[index]
    keys = _object(value, path, ("name", "kind", "size", *_CONSTANTS[kind]), ())
    constants = {"tau_mem": "tau_mem", "tau_syn": "tau_syn", "v_th": "threshold", "v_reset": "reset"}
    arguments = {name: keys[key] for name, key in constants.items() if key in keys}
    for name, number in arguments.items():
        if number is None:
            expected = "a number, or one number for each neuron"
            raise SpecError(f"{path}.{constants[name]}", expected, Verbatim("null"), f"kind `{kind}` needs it")
    return _within(path, lambda: Population(keys["name"], kind, keys["size"], **arguments))


def _connection(value: object, path: str) -> Connection:
    keys = _object(value, path, ("source", "target", "weights", "delays"), ())
    return _within(path, lambda: Connection(keys["source"], keys["target"], keys["weights"], keys["delays"]))


def _trains(value: object, path: str) -> SpikeTrains:
    trains = checks.sequence(value, path, None, "spike trains, one a neuron")
    try:
        return SpikeTrains(trains)  # type: ignore[arg-type]
    except SpecError as error:
        raise SpecError(path + error.name, error.expected, error.got, error.remedy) from None


def _loss(value: object) -> Loss:
    kinds = ("cross_entropy", "spike_time_mse")
    if not isinstance(value, dict):
        _object(value, "loss", (), ())
    elif "kind" not in value:
        raise SpecError("loss.kind", "given", Verbatim("nothing"), "the kinds are " + ", ".join(kinds))
    kind = checks.one_of(value["kind"], "loss.kind", kinds)  # type: ignore[index]
    if kind == "spike_time_mse":
        keys = _object(value, "loss", ("kind", "population", "targets"), ())
        return _within("loss", lambda: SpikeTimeMSE(keys["population"], keys["targets"]))
    optional = ("time_scale",)
    keys = _object(value, "loss", ("kind", "readout", "population", "label"), optional)
    if keys["readout"] == "first_spike_time":
        keys = _object(value, "loss", ("kind", "readout", "population", "label", "time_scale"), ())
    elif "time_scale" in keys:
        expected = "absent unless the readout is `first_spike_time`"
        raise SpecError("loss.time_scale", expected, keys["time_scale"], "remove it")
    arguments = (keys["readout"], keys["population"], keys["label"], keys.get("time_scale"))
    return _within("loss", lambda: CrossEntropy(*arguments))


def _within(path: str, build: Callable[[], _T]) -> _T:
    try:
        return build()
    except SpecError as error:
        raise error.within(path, _FILE_NAMES) from None


def _object(value: object, path: str, required: tuple[str, ...], optional: tuple[str, ...]) -> dict:
    """`value` as a JSON object with exactly these keys."""
    if not isinstance(value, dict):
        raise SpecError(path, "an object", checks.described(value), "give keys in braces")
    legal = required + optional
    prefix = "" if path == "case" else f"{path}."
    for key in value:
        if key not in legal:
            remedy = "the keys are " + ", ".join(legal)
            raise SpecError(f"{prefix}{key}", "absent: it is no key here", value[key], remedy)
    for key in required:
        if key not in value:
            raise SpecError(f"{prefix}{key}", "given", Verbatim("nothing"), "the keys are " + ", ".join(legal))
    return value


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SpecError(twice, "given once in its object", Verbatim("it twice"), "remove one")
    return document


def case_to_dict(case: Case) -> dict:
    """The case as the JSON object of its file."""
    populations = []
    for population in case.network.populations:
        entry: dict = {"name": population.name, "kind": population.kind, "size": population.size}
        constants = (population.tau_mem, population.tau_syn, population.v_th, population.v_reset)
        for key, values in zip(("tau_mem", "tau_syn", "threshold", "reset"), constants, strict=True):
            if values is not None:
                entry[key] = values.tolist()
        populations.append(entry)
    connections = [
        {
            "source": connection.source,
            "target": connection.target,
            "weights": _matrix_of_synapses(connection, connection.w),
            "delays": _matrix_of_synapses(connection, connection.d),
        }
        for connection in case.network.connections
    ]
    loss: dict = {"kind": "spike_time_mse", "population": case.loss.population}
    if isinstance(case.loss, SpikeTimeMSE):
        loss["targets"] = [train.tolist() for train in case.loss.targets]
    else:
        loss |= {"kind": "cross_entropy", "readout": case.loss.readout, "label": case.loss.label}
        if case.loss.time_scale is not None:
            loss["time_scale"] = case.loss.time_scale
    document = {
        "format": FORMAT,
        "duration": case.duration,
        "populations": populations,
        "connections": connections,
        "inputs": {name: [train.tolist() for train in trains] for name, trains in case.inputs.items()},
        "loss": loss,
    }
    return document if case.expected is None else {**document, "expected": dict(case.expected)}


def save_case(case: Case, path: str | Path) -> None:
    """Write a case file; `load_case` gives back the same numbers, bit for bit."""
    Path(path).write_text(json.dumps(case_to_dict(case), indent=1) + "\n", encoding="utf-8")


def _matrix_of_synapses(connection: Connection, values: np.ndarray) -> list[list[float | None]]:
    return [
        [float(v) if there else None for v, there in zip(row, mask, strict=True)]
        for row, mask in zip(values, connection.exists, strict=True)
    ]
