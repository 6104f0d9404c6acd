"""The proofs in reading order."""

from importlib import import_module
from itertools import chain

from delayprop.derivations.proof import Theorem

NAMES = "flow", "isolation", "neuron", "readouts", "identities", "example", "paper"
CHAPTERS = tuple(import_module(f"delayprop.derivations.{name}") for name in NAMES)


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of every chapter, in reading order; a chapter may hold some as a tuple."""
    found = (each for chapter in CHAPTERS for each in vars(chapter).values())
    held = chain.from_iterable(each if isinstance(each, tuple) else (each,) for each in found)
    return tuple(each for each in held if isinstance(each, Theorem))
