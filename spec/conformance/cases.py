"""The cases of the conformance set: package data in the folder `cases`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from delayprop.spec.case import Case, case_from_text
from delayprop.spec.checks import one_of


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored case.

    Attributes:
        name: name of the file, without `.json`.
        text: content of the file.
        case: the problem without its results, as a simulator gets it.
        expected: the results, in the layout of the command lines.
    """

    name: str
    text: str
    case: Case
    expected: dict

    @property
    def question(self) -> str:
        """The file without its results."""
        document = json.loads(self.text)
        del document["expected"]
        return json.dumps(document) + "\n"


def stored(names: Sequence[str] | None = None) -> tuple[Stored, ...]:
    """All cases, or the cases of these names; the smallest network first.

    Raises:
        SpecError: a name that no case has.
    """
    everything = _everything()
    legal = sorted(one.name for one in everything)
    wanted = legal if names is None else [one_of(name, "case", legal) for name in names]
    return tuple(one for one in everything if one.name in wanted)


@cache
def _everything() -> tuple[Stored, ...]:
    entries = (files("delayprop.spec.conformance") / "cases").iterdir()
    cases = [entry for entry in entries if entry.name.endswith(".json")]
    read = [_stored(entry.name.removesuffix(".json"), entry.read_text(encoding="utf-8")) for entry in cases]
    return tuple(sorted(read, key=_size))


def _stored(name: str, text: str) -> Stored:
    whole = case_from_text(text)
    assert whole.expected is not None
    asked = Case(whole.network, whole.duration, whole.inputs, whole.loss)
    return Stored(name, text, asked, dict(whole.expected))


def _size(one: Stored) -> tuple[int, int, str]:
    connections = one.case.network.connections
    return len(connections), sum(int(connection.exists.sum()) for connection in connections), one.name
