"""What comes from elsewhere is named to the byte: functions of texts that return what is not.

Actions by their commit, packages by their hash; and the two ends of each range of `pyproject.toml` are tried in CI.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

LOCKED_FOR = {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.11", "extra": ""}
"""What the lock is for, in the words of markers."""

USES = re.compile(r"""(?:^|[\s{,"'])uses["']?\s*:\s*["']?([^\s"',}]*)""")
PINNED_ACTION = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}|docker://\S+@sha256:[0-9a-f]{64}|\./\S+")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def unpinned_actions(path: str, text: str) -> list[str]:
    """Actions of a workflow that are not named by a commit: a tag or a branch can be moved to other code."""
    return [
        f"{path}:{number}: {action or 'nothing'}"
        for number, line in enumerate(text.splitlines(), start=1)
        for action in USES.findall(without_comment(line))
        if not PINNED_ACTION.fullmatch(action)
    ]


@dataclass(frozen=True)
class Entry:
    """An entry of a file of requirements."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str | None:
        """The one version it allows, None if there are more."""
        pins = list(self.requirement.specifier)
        one = len(pins) == 1 and pins[0].operator == "==" and not pins[0].version.endswith("*")
        return pins[0].version if one else None


def logical_lines(text: str) -> Iterator[str]:
    """Lines with those that go on joined, without comments and options."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = without_comment(line).strip()
        if plain and plain != "--only-binary :all:":
            yield plain


def entries(text: str) -> list[Entry]:
    """The requirements of a file, with their hashes; any other option is an error of `packaging`."""
    found = []
    for line in logical_lines(text):
        hashes = tuple(HASH.findall(line))
        found.append(Entry(Requirement(HASH.sub("", line).strip()), hashes))
    return found


def not_locked(text: str) -> list[str]:
    """Entries of a lock that may be more than one file, or one that nobody has looked at."""
    found = [f"{entry.name}: no hash" for entry in entries(text) if not entry.hashes]
    found += [f"{entry.name}: not one version" for entry in entries(text) if entry.version is None]
    found += [f"{entry.name}: from an address" for entry in entries(text) if entry.requirement.url]
    return found


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(LOCKED_FOR)


def outside_ranges(text: str, wanted: list[str]) -> list[str]:
    """Requirements that the lock does not satisfy, where it is for."""
    locked = {entry.name: entry.version for entry in entries(text)}
    found = []
    for requirement in filter(applies, map(Requirement, wanted)):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement}: got {version}")
    return found


def lowest(wanted: list[str]) -> list[str]:
    """The lower end of each range, as a pin; "" after the name where a range has none."""
    return [f"{one.name}=={lower_bound(one.specifier)}" for one in map(Requirement, wanted)]


def lower_bound(specifier: SpecifierSet) -> str:
    bounds = [one.version for one in specifier if one.operator in (">=", "==", "~=")]
    return bounds[0] if len(bounds) == 1 else ""
