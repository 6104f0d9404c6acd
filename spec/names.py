"""Names of states and constants: identifiers of Python, and equal where Python reads one (NFKC)."""

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any, TypeVar
from unicodedata import normalize

from delayprop.spec.errors import SpecError

T = TypeVar("T")


def fault(word: str) -> str | None:
    """Why a word is no name; None: it is one."""
    if iskeyword(normalize("NFKC", word)):
        return "it is a keyword of Python: choose another name"
    if word.isidentifier():
        return None
    wrong = next((letter for letter in word if not f"_{letter}".isidentifier()), None)
    return f"`{wrong}` is no letter or digit of a name" if wrong else "a name begins with a letter"


def same(name: T) -> T:
    """The spelling of a name in which equal names are equal; anything else unchanged."""
    return normalize("NFKC", name) if isinstance(name, str) and name.isidentifier() else name  # type: ignore[return-value]


def by_name(given: Mapping[str, T], place: str) -> dict[str, T]:
    """The values by name in that spelling; `SpecError`: a name has two values."""
    found: dict[Any, T] = {}
    for name, value in given.items():
        if same(name) in found:
            raise SpecError(place, "", f"has {same(name)} twice, in two spellings of Unicode", "give it once")
        found[same(name)] = value
    return found
