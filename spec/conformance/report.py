"""Asks a simulator every case, and gathers what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from spec.case import Case
from spec.checks import finite_number
from spec.conformance.capabilities import needs
from spec.conformance.cases import Stored, stored
from spec.conformance.faults import Factor, Likeness, factors, known, likeness
from spec.conformance.grading import Block, blocks, grade
from spec.conformance.layout import QUANTITIES, places, unknown_keys
from spec.conformance.peers import Peer, of_function
from spec.conformance.rendering import document, text

OFFERED = ("graded", "failed", "another network")


@dataclass(frozen=True, eq=False)
class CaseReport:
    """What came of one case.

    Attributes:
        name, needs: the case, and the capabilities that it needs.
        has: quantities that its result has.
        state: `answered`, `not offered` or `failed`.
        reason: one line where it was not answered.
        blocks: where it was answered.
        unknown: keys of the result that mean nothing.
        seconds: how long it took.
    """

    name: str
    needs: tuple[str, ...]
    has: frozenset[str]
    state: str
    reason: str | None
    blocks: tuple[Block, ...]
    unknown: tuple[str, ...]
    seconds: float

    def of(self, *quantities: str) -> list[Block]:
        """The blocks of some quantities."""
        return [block for block in self.blocks if block.quantity in quantities]


@dataclass(frozen=True)
class Summary:
    """Some blocks of some cases in one line.

    Attributes:
        grade: of the worst; `failed`, `another network` or `not offered` where that is the worst.
        digits: right digits of the worst that was graded; None if none was.
        offered, cases: cases in which something of it was offered, of how many.
        whole: of these, cases that were answered and in which nothing of it was left out.
        failed, other: cases that failed, and that had another network.
    """

    grade: str
    digits: float | None
    offered: int
    cases: int
    whole: int
    failed: int
    other: int


@dataclass(frozen=True)
class Report:
    """What a simulator can do, and how well; `print` shows it.

    Attributes:
        name: the simulator.
        least: right digits below which something counts as wrong.
        cases: all that was asked.
        likeness: the known fault that wrong numbers are nearest to; None if nothing is wrong.
        factors: gradients that are the right ones times one number.
    """

    name: str
    least: float
    cases: tuple[CaseReport, ...]
    likeness: Likeness | None = field(repr=False)
    factors: tuple[Factor, ...] = field(repr=False)

    @property
    def wrong(self) -> list[str]:
        """What was offered and is below `least`, or failed, or has other spikes: one line each."""
        lines = [f"{case.name}: {case.reason}" for case in self.cases if case.state == "failed"]
        for case in self.cases:
            lines += [f"{case.name}: {block.reason}" for block in case.blocks if block.state == "failed"]
            others = [block for block in case.of("spikes") if block.state == "another network"]
            lines += [f"{case.name}: {block.reason}" for block in others]
            lines += [
                f"{case.name}: {block.path} has {block.digits:.1f} right digits"
                for block in case.blocks
                if block.digits is not None and block.digits < self.least
            ]
        return lines

    @property
    def graded(self) -> bool:
        """Whether anything could be graded at all."""
        return any(block.state in OFFERED for case in self.cases for block in case.blocks)

    @property
    def passed(self) -> bool:
        """Whether nothing that was offered is wrong, and something was offered."""
        return self.graded and not self.wrong

    def summary(self, quantities: Sequence[str] = QUANTITIES, capability: str | None = None) -> Summary:
        """What became of these quantities, in all cases or in those that need the capability."""
        cases = [case for case in self.cases if capability in (None, *case.needs)]
        having = [case for case in cases if case.has & set(quantities)]
        given = {case.name: [b for b in case.of(*quantities) if b.state in OFFERED] for case in having}
        # a case that failed as a whole says nothing of what is offered in no other
        offers = not self.graded or any(b.state in OFFERED for case in self.cases for b in case.of(*quantities))
        failed = {case.name for case in having if case.state == "failed" and offers} | _with("failed", given)
        other = _with("another network", given)
        worst = min((b.digits for some in given.values() for b in some if b.digits is not None), default=None)
        offered = {name for name, some in given.items() if some} | failed
        whole = [case for case in having if given[case.name] and len(given[case.name]) == len(case.of(*quantities))]
        if failed:
            word = "failed"
        elif not offered:
            word = "not offered"
        elif worst is None or (other and "spikes" in quantities):
            word = "another network"
        else:
            word = grade(worst)
        return Summary(word, worst, len(offered), len(having), len(whole), len(failed), len(other))

    def __str__(self) -> str:
        return text(self)

    def to_dict(self) -> dict:
        """The report as a JSON object; the layout is in `README.md`."""
        return document(self)


def _with(state: str, given: dict[str, list[Block]]) -> set[str]:
    return {name for name, some in given.items() if any(block.state == state for block in some)}


def check(
    function: Callable[[Case], object], cases: Sequence[str] | None = None, digits: float = 1.0, name: str | None = None
) -> Report:
    """Grade a Python function.

    Args:
        function: takes a `Case` without its results; returns a `Result`, or a dictionary in the layout of the command
            lines from which whatever it does not offer is left out. It raises `UnsupportedError` or
            `NotImplementedError` for a case that it cannot do.
        cases: names of cases; None for all.
        digits: right digits below which something counts as wrong.
        name: the simulator, in the report.

    Raises:
        SpecError: an unknown case, or `digits` that are no finite number.
    """
    title = name or str(getattr(function, "__qualname__", type(function).__name__))
    return graded(of_function(function), title, stored(cases), digits)


def graded(
    peer: Peer, name: str, cases: Iterable[Stored], least: float, told: Callable[[str], object] = lambda line: None
) -> Report:
    """Ask the peer every case; `told` hears of each before it is asked."""
    finite_number(least, "digits")
    reports = []
    for one in cases:
        told(one.name)
        start = time.monotonic()
        answer = peer(one)
        seconds = time.monotonic() - start
        found: tuple[Block, ...] = ()
        unknown: tuple[str, ...] = ()
        if answer.document is not None:
            found, unknown = tuple(blocks(one, answer.document)), tuple(unknown_keys(answer.document, one.expected))
        has = frozenset(place.quantity for place in places(one.expected))
        reports.append(CaseReport(one.name, needs(one), has, answer.state, answer.reason, found, unknown, seconds))
    everything = [(case.name, block) for case in reports for block in case.blocks]
    near = likeness(everything, known())
    return Report(name, least, tuple(reports), near, tuple(factors([block for _, block in everything])))
