"""Rules of supply, as functions of texts: actions pinned by commit, packages by their hashes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKED_FOR = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11", "extra": ""}
"""The environment of the lock, as markers name it."""

USES = re.compile(r"""(?:^|[\s{,"'])uses["']?\s*:\s*["']?([^\s"',}]*)""")
PINNED_ACTION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|docker://\S+@sha256:[0-9a-f]{64}|\./\S+")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def unpinned_actions(path: str, text: str) -> list[str]:
    """Actions of a workflow without a commit: a tag or a branch can move to other code."""
    return [
        f"{path}:{number}: {action or 'nothing'}"
        for number, line in enumerate(text.splitlines(), start=1)
        for action in USES.findall(without_comment(line))
        if not PINNED_ACTION.fullmatch(action)
    ]


@dataclass(frozen=True)
class Entry:
    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str | None:
        """The version, if the entry allows a single one."""
        pins = list(self.requirement.specifier)
        one = len(pins) == 1 and pins[0].operator == "==" and not pins[0].version.endswith("*")
        return pins[0].version if one else None


def logical_lines(text: str) -> Iterator[str]:
    """Lines with their continuations, without comments and without the option of the lock."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = without_comment(line).strip()
        if plain and plain != "--only-binary :all:":
            yield plain


def entries(text: str) -> list[Entry]:
    """The requirements of a file; `packaging` refuses any other option."""
    return [Entry(Requirement(HASH.sub("", line).strip()), tuple(HASH.findall(line))) for line in logical_lines(text)]


def not_locked(text: str) -> list[str]:
    """Entries of a lock that do not determine one file by its hash."""
    faults = {
        "no hash": lambda entry: not entry.hashes, "not one version": lambda entry: entry.version is None,
        "from an address": lambda entry: entry.requirement.url,
    }
    return [f"{entry.name}: {what}" for entry in entries(text) for what, holds in faults.items() if holds(entry)]


def outside_ranges(text: str, wanted: list[str]) -> list[str]:
    """Requirements of the environment of the lock that the lock does not satisfy."""
    locked = {entry.name: entry.version for entry in entries(text)}
    found = []
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate(LOCKED_FOR):
            version = locked.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                found.append(f"{requirement}: got {version}")
    return found


def lowest(wanted: list[str]) -> list[str]:
    """The lower end of each range, as a pin; "" after the name of a range without one."""
    found = []
    for requirement in map(Requirement, wanted):
        bounds = [one.version for one in requirement.specifier if one.operator in (">=", "==", "~=")]
        found.append(f"{requirement.name}=={bounds[0] if len(bounds) == 1 else ''}")
    return found
