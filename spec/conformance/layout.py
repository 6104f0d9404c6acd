"""The blocks of a result: where each stands in the JSON object, and the shape it must have.

A block holds one kind of number of one connection or population. Simulators leave out whole blocks,
and each block is graded on its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delayprop.spec import checks
from delayprop.spec.errors import SpecError
from delayprop.spec.population import CONSTANTS, FILE_NAMES

GRADIENTS = ("w", "d", *CONSTANTS, "t_in")
QUANTITIES = ("spikes", "loss", "readout", "kappa", *GRADIENTS)
_OURS = {word: quantity for quantity, word in FILE_NAMES.items()}


@dataclass(frozen=True, eq=False)
class Place:
    quantity: str  # one of `QUANTITIES`
    steps: tuple[str | int, ...]  # keys and indices that lead to it
    lengths: tuple[int, ...]  # length of the list at each index among the steps, in order
    expected: object  # its value in the expected result

    @property
    def path(self) -> str:
        """The block's name: `gradients.connections[0].weights`."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)[1:]


def places(expected: dict) -> Iterator[Place]:
    """Every block of a result; a readout or a kappa that the result lacks is no block."""
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
        for key in ("weights", "delays"):
            lengths = (len(gradients["connections"]),)
            yield Place(_OURS[key], ("gradients", "connections", c, key), lengths, connection[key])
    for name, constants in gradients["populations"].items():
        for key, numbers in constants.items():
            yield Place(_OURS.get(key, key), ("gradients", "populations", name, key), (), numbers)
    for name, trains in gradients["inputs"].items():
        if any(trains):
            yield Place("t_in", ("gradients", "inputs", name), (), trains)


def found_at(document: object, place: Place) -> object:
    """The value at a place; None if it, or an object around it, was left out. `SpecError`: on the
    way stands a list instead of an object, or a list of another length."""
    lengths, path = iter(place.lengths), ""
    for step in place.steps:
        if document is None:
            return None
        if isinstance(step, int):
            document = checks.sequence(plain(document), path, next(lengths), "entry")[step]
            path += f"[{step}]"
            continue
        if not isinstance(document, Mapping):
            remedy = "see section 7 of the specification"
            raise SpecError(path or "the result", "an object", checks.described(document), remedy)
        document = document.get(step)
        path += f".{step}" if path else step
    return document


def numbers(
    value: object, expected: object, path: str, any_length: bool = False,
    read: Callable[[object, str], Any] = checks.finite_number,
) -> list[Any]:
    """The numbers of a block in order; entries where no synapse is are skipped unread.
    `any_length`: accept trains of other lengths than expected. `read`: of one number and its name.
    `SpecError`: lists of other lengths, or an entry that is no finite number."""
    if not isinstance(expected, list):
        return [read(plain(value), path)]
    train = any_length and not any(isinstance(entry, list) for entry in expected)
    entries = checks.sequence(plain(value), path, None if train else len(expected), "entry")
    fellows = [0.0] * len(entries) if train else expected
    return [
        number for k, (entry, fellow) in enumerate(zip(entries, fellows, strict=True)) if fellow is not None
        for number in numbers(entry, fellow, f"{path}[{k}]", any_length, read)
    ]


def plain(value: object) -> object:
    """Arrays of NumPy, torch or jax as lists; anything else unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value


def unknown_keys(document: object, expected: object, path: str = "") -> Iterator[str]:
    """Keys of a result that have no meaning there: a misspelt key would seem to be left out."""
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
