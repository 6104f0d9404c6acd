"""The one error that bad input raises, and its one sentence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class SpecError(ValueError):
    """Input that the specification refuses: "`name` must be <expected>, got <got>; <remedy>".

    Where that is no natural sentence, `expected` is empty: "`name` <got>; <remedy>".

    `name` is relative to the object that found the fault. `within` puts the place of that object
    before it, so the user reads the entry of the case: `connections[0].delays[1][2]`. Each part of
    the sentence is short, whatever names and values it quotes.
    """

    def __init__(self, name: str, expected: str, got: object, remedy: str) -> None:
        self.name, self.expected, self.got, self.remedy = name, expected, got, remedy
        fault = f"must be {short(expected, 160)}, got {shown(got)}" if expected else short(got, 160)
        super().__init__(f"`{short(name, 140, end=60)}` {fault}; {short(remedy, 200)}")

    def within(self, path: str, rename: Mapping[str, str] | None = None) -> "SpecError":
        """This fault, named from the object at `path`: `tau_mem[2]` in `populations[1]`; `rename`:
        other words for parts of the name, of which the empty one leaves its part out."""
        name = path
        for part in self.name.split("."):
            stem, bracket, index = part.partition("[")
            stem = (rename or {}).get(stem, stem)
            name += ("." if name and stem else "") + stem + bracket + index
        return type(self)(name, self.expected, self.got, self.remedy)


class UnsupportedError(SpecError):
    """Input that is legal, but not offered by this implementation; the remedy names one that is."""


@contextmanager
def placed(path: str, rename: Mapping[str, str] | None = None) -> Iterator[None]:
    """Context of an object at `path`: a fault that it finds is named from there (`within`)."""
    try:
        yield
    except SpecError as error:
        raise error.within(path, rename) from None


def printable(text: str) -> str:
    """A line with an escape, such as `\\x1b`, in place of each character that a terminal obeys.

    A file of a stranger could otherwise move the cursor, or change what is on the screen.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def short(text: object, most: int, end: int = 0) -> str:
    """`text` in one printable line of at most `most` characters; a longer text keeps its beginning
    and its last `end` characters."""

    def cut(line: str) -> str:
        return line if len(line) <= most else line[: most - end - 3] + "..." + line[len(line) - end :]

    return cut(printable(cut(" ".join(str(text).split()))))


def shown(value: object) -> str:
    """`value` as a message shows it: one line of at most 60 characters."""
    return short(value if isinstance(value, Verbatim) else repr(value), 60)


class Verbatim(str):
    """Text that a message shows without quotes: "nothing", "a list of 3"."""
