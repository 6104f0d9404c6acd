"""JSON documents of strangers: read whole, every key known, no key twice."""

import json
from pathlib import Path

from delayprop.spec import checks
from delayprop.spec.errors import SpecError, Verbatim


def read(path: str | Path, kind: str) -> str:
    """The text of a file; `SpecError`: it cannot be read, or is no UTF-8. `kind`: of the file, for
    the message, such as `case`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SpecError(str(path), "a JSON file in UTF-8", Verbatim("binary data"), "give a text file") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no system takes
        got = Verbatim(getattr(error, "strerror", None) or error)
        raise SpecError(str(path), f"a readable {kind} file", got, "give the path of a JSON file") from None


def parsed(text: str, kind: str) -> object:
    """The document of a text; `SpecError`: it is no JSON, or has a key twice in one object."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        got = Verbatim(f"{error.msg} at line {error.lineno} column {error.colno}")
        raise SpecError(kind, "one whole JSON object", got, "the file is damaged or cut short") from None
    except SpecError:
        raise
    except (RecursionError, ValueError) as error:
        got = Verbatim("too deep a nesting" if isinstance(error, RecursionError) else error)
        raise SpecError(kind, "one JSON object", got, f"this is no {kind} file") from None


def json_object(
    value: object, path: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = (), kind: str = "case"
) -> dict:
    """`value` as an object with exactly these keys; with any keys if none are named. `path`: of the
    object in its document; empty: the whole one, named by its `kind`."""
    if not isinstance(value, dict):
        raise SpecError(path or kind, "an object", checks.described(value), "give keys in braces")
    legal, prefix = required + optional, path and f"{path}."
    for key in value if legal else ():
        if key not in legal:
            remedy = "the keys are " + ", ".join(legal)
            raise SpecError(f"{prefix}{key}", "", "is no key here", remedy)
    for key in required:
        if key not in value:
            raise SpecError(f"{prefix}{key}", "given", Verbatim("nothing"), "the keys are " + ", ".join(legal))
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict:
    document: dict[str, object] = {}
    for key, value in pairs:
        if key in document:
            raise SpecError(key, "given once in its object", Verbatim("it twice"), "remove one")
        document[key] = value
    return document
