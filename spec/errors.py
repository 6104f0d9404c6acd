"""The one error that bad input raises, and its one sentence."""

from __future__ import annotations

from collections.abc import Mapping


class SpecError(ValueError):
    """Input that the specification refuses: "`name` must be <expected>, got <got>; <remedy>".

    The name is relative to the object that found the fault; `within` adds where that object stands, so the
    message that reaches the user names the entry of the case: `connections[0].delays[1][2]`.
    """

    def __init__(self, name: str, expected: str, got: object, remedy: str) -> None:
        self.name, self.expected, self.got, self.remedy = name, expected, got, remedy
        super().__init__(" ".join(f"`{name}` must be {expected}, got {shown(got)}; {remedy}".split()))

    def within(self, path: str, rename: Mapping[str, str] | None = None) -> SpecError:
        """The same fault, named from further out: `tau_mem[2]` within `populations[1]`."""
        stem, bracket, rest = self.name.partition("[")
        stem = (rename or {}).get(stem, stem)
        return type(self)(f"{path}.{stem}{bracket}{rest}" if stem else path, self.expected, self.got, self.remedy)


class UnsupportedError(SpecError):
    """Legal by the specification, but not offered by the implementation asked; the remedy names one that does."""


def shown(value: object) -> str:
    """A value as a message shows it: one line, never longer than a line."""
    text = value if isinstance(value, Verbatim) else repr(value)
    text = " ".join(str(text).split())
    return text if len(text) <= 60 else text[:57] + "..."


class Verbatim(str):
    """Text that a message shows as it is, without quotes: "nothing", "a list of 3"."""
