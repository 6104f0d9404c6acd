"""The numbers of a result, block by block: where each stands in the JSON object, and what it must look like.

A block is one kind of number of one connection or population: the unit in which a simulator may leave something out,
and in which it is graded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spec import checks
from spec.errors import SpecError

FORWARD = ("spikes", "loss", "readout", "kappa")
GRADIENTS = ("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset", "t_in")
QUANTITIES = (*FORWARD, *GRADIENTS)
_MATRICES = {"weights": "w", "delays": "d"}
_CONSTANTS = {"tau_mem": "tau_mem", "tau_syn": "tau_syn", "threshold": "v_th", "reset": "v_reset"}


@dataclass(frozen=True, eq=False)
class Place:
    """Where a block stands.

    Attributes:
        quantity: one of `QUANTITIES`.
        steps: the keys and indices that lead to it.
        lengths: of the list at each index among the steps, in order.
        expected: what stands there in the expected result.
    """

    quantity: str
    steps: tuple[str | int, ...]
    lengths: tuple[int, ...]
    expected: object

    @property
    def path(self) -> str:
        """The block's name: `gradients.connections[0].weights`."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)[1:]


def places(expected: dict) -> Iterator[Place]:
    """Every block of a result. What the expected result has not, a readout or a kappa, is no block."""
    for name, trains in expected["spikes"].items():
        yield Place("spikes", ("spikes", name), (), trains)
    yield Place("loss", ("loss",), (), expected["loss"])
    if expected["readout"] is not None:
        yield Place("readout", ("readout",), (), expected["readout"])
    for name, trains in expected["kappa"].items():
        if any(trains):
            yield Place("kappa", ("kappa", name), (), trains)
    gradients = expected["gradients"]
    for c, connection in enumerate(gradients["connections"]):
        for key, quantity in _MATRICES.items():
            lengths = (len(gradients["connections"]),)
            yield Place(quantity, ("gradients", "connections", c, key), lengths, connection[key])
    for name, constants in gradients["populations"].items():
        for key, numbers in constants.items():
            yield Place(_CONSTANTS[key], ("gradients", "populations", name, key), (), numbers)
    for name, trains in gradients["inputs"].items():
        if any(trains):
            yield Place("t_in", ("gradients", "inputs", name), (), trains)


def found_at(document: object, place: Place) -> object:
    """What stands at a place; None if it, or what it is in, was left out.

    Raises:
        SpecError: the way there is barred: a list where an object should be, or of another length.
    """
    lengths, way = iter(place.lengths), ""
    for step in place.steps:
        if document is None:
            return None
        if isinstance(step, int):
            document = checks.sequence(plain(document), way, next(lengths), "entry")[step]
            way += f"[{step}]"
            continue
        if not isinstance(document, Mapping):
            remedy = "see section 7 of the specification"
            raise SpecError(way or "the result", "an object", checks.described(document), remedy)
        document = document.get(step)
        way += f".{step}" if way else step
    return document


def numbers(value: object, expected: object, path: str, any_length: bool = False) -> list[float]:
    """The numbers of a block in their order; entries where no synapse is are passed over, whatever they hold.

    Args:
        any_length: trains may have other lengths than expected.

    Raises:
        SpecError: lists of other lengths, or what is no finite number.
    """
    if not isinstance(expected, list):
        return [checks.finite_number(plain(value), path)]
    train = any_length and not any(isinstance(entry, list) for entry in expected)
    entries = checks.sequence(plain(value), path, None if train else len(expected), "entry")
    fellows = [0.0] * len(entries) if train else expected
    return [
        number
        for k, (entry, fellow) in enumerate(zip(entries, fellows, strict=True))
        if fellow is not None
        for number in numbers(entry, fellow, f"{path}[{k}]", any_length)
    ]


def counts(trains: object) -> list[int]:
    """The number of spikes of each neuron."""
    assert isinstance(trains, list | tuple)
    return [len(train) for train in trains]


def plain(value: object) -> object:
    """Arrays of NumPy, torch or jax as lists; all else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def unknown_keys(document: object, expected: object, path: str = "") -> Iterator[str]:
    """Keys of a result that mean nothing there: a misspelt one would seem to be left out."""
    if isinstance(expected, list):
        if isinstance(document, list | tuple):
            for k, (a, b) in enumerate(zip(document, expected, strict=False)):
                yield from unknown_keys(a, b, f"{path}[{k}]")
    elif isinstance(expected, dict) and isinstance(document, Mapping):
        for key, value in document.items():
            name = f"{path}.{key}" if path else str(key)
            if key in expected:
                yield from unknown_keys(value, expected[key], name)
            else:
                yield name
