"""The proofs in reading order."""

from importlib import import_module

from delayprop.derivations.proof import Theorem

NAMES = "flow", "isolation", "neuron", "readouts", "identities", "rounding", "example", "paper"
CHAPTERS = tuple(import_module(f"delayprop.derivations.{name}") for name in NAMES)


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of every chapter, in reading order."""
    return tuple(each for chapter in CHAPTERS for each in vars(chapter).values() if isinstance(each, Theorem))
