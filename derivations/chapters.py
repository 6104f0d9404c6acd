"""The proofs in reading order."""

from types import ModuleType

from derivations import (
    adjoint,
    arrival,
    crossing,
    errata,
    example_explicit,
    example_network,
    flow,
    identities,
    maximum,
    parameters,
    readouts,
    spike_jump,
)
from derivations.proof import Theorem

CHAPTERS: tuple[ModuleType, ...] = (
    flow,
    crossing,
    adjoint,
    arrival,
    spike_jump,
    parameters,
    readouts,
    maximum,
    identities,
    example_network,
    example_explicit,
    errata,
)


def theorems() -> tuple[Theorem, ...]:
    """Every theorem of every chapter, in the order of the text."""
    return tuple(each for chapter in CHAPTERS for each in vars(chapter).values() if isinstance(each, Theorem))
