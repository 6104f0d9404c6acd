"""Asks a simulator every case, and collects the grades."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from delayprop.spec.case import Case
from delayprop.spec.checks import finite_number
from delayprop.spec.conformance.cases import Stored, needs, stored
from delayprop.spec.conformance.grading import Block, Factor, blocks, factors, grade
from delayprop.spec.conformance.layout import QUANTITIES, places, unknown_keys
from delayprop.spec.conformance.peers import Peer, of_function
from delayprop.spec.conformance.rendering import document, lines

OFFERED = ("graded", "failed", "another network")


@dataclass(frozen=True, eq=False)
class CaseReport:
    """The answer to one case."""

    name: str
    needs: tuple[str, ...]  # capabilities
    has: frozenset[str]  # quantities of its right result
    state: str  # `answered`, `not offered` or `failed`
    reason: str | None  # one line if it was not answered
    seconds: float
    unknown_keys: tuple[str, ...]  # keys of the answer that have no meaning
    blocks: tuple[Block, ...]

    def of(self, *quantities: str) -> list[Block]:
        return [block for block in self.blocks if block.quantity in quantities]


@dataclass(frozen=True)
class Summary:
    """Some quantities in some cases.

    Attributes:
        grade: the worst grade; or `failed`, `another network` or `not offered`.
        digits: right digits of the worst graded block; None if none was graded.
        offered: number of cases in which a block was offered.
        cases: number of cases that have such blocks.
        whole: number of answered cases in which no block was left out.
        failed, another_network: numbers of cases that failed, and that had other spikes.
    """

    grade: str
    digits: float | None
    offered: int
    cases: int
    whole: int
    failed: int
    another_network: int


@dataclass(frozen=True)
class Report:
    """The capabilities and the accuracy of a simulator; `print` shows it.

    Attributes:
        name: the simulator.
        least: right digits below which a block counts as wrong.
        cases: the answers to all cases.
        factors: gradients that are the right ones times one number.
    """

    name: str
    least: float
    cases: tuple[CaseReport, ...]
    factors: tuple[Factor, ...] = field(repr=False)

    @property
    def wrong(self) -> list[str]:
        """One line for each case or block that failed, has other spikes, or is below `least`."""
        found = [f"{case.name}: {case.reason}" for case in self.cases if case.state == "failed"]
        for case in self.cases:
            others = [block for block in case.of("spikes") if block.state == "another network"]
            failed = [block for block in case.blocks if block.state == "failed"]
            found += [f"{case.name}: {block.reason}" for block in failed + others]
            found += [
                f"{case.name}: {block.path} has {block.digits:.1f} right digits"
                for block in case.blocks if block.digits is not None and block.digits < self.least
            ]
        return found

    @property
    def graded(self) -> bool:
        """Whether any block was offered."""
        return any(block.state in OFFERED for case in self.cases for block in case.blocks)

    @property
    def passed(self) -> bool:
        """Whether a block was offered and none is wrong."""
        return self.graded and not self.wrong

    def summary(self, quantities: Sequence[str] = QUANTITIES, capability: str | None = None) -> Summary:
        """These quantities in all cases, or in the cases that need the capability."""
        cases = [case for case in self.cases if capability in (None, *case.needs)]
        having = [case for case in cases if case.has & set(quantities)]
        given = {case.name: [b for b in case.of(*quantities) if b.state in OFFERED] for case in having}

        def with_state(state: str) -> set[str]:
            return {name for name, some in given.items() if any(block.state == state for block in some)}

        # A case that failed as a whole offers no quantity that no other case offers.
        offers = not self.graded or any(b.state in OFFERED for case in self.cases for b in case.of(*quantities))
        failed = {case.name for case in having if case.state == "failed" and offers} | with_state("failed")
        other = with_state("another network")
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
        return "\n".join(lines(self))

    def to_dict(self) -> dict:
        """The report as a JSON object; `README.md` describes the layout."""
        return document(self)


def check(function: Callable[[Case], object], cases: Sequence[str] | None = None, digits: float = 1.0) -> Report:
    """Grade a Python function.

    Args:
        function: takes a `Case` without its results; returns a `Result`, or a dictionary in its
            JSON layout that lacks the keys it does not offer. For a case that it does not offer it
            raises `UnsupportedError` or `NotImplementedError`.
        cases: names of cases; None for all.
        digits: right digits below which a block counts as wrong.

    Raises:
        SpecError: an unknown case, or `digits` that is no finite number.
    """
    title = str(getattr(function, "__qualname__", type(function).__name__))
    return graded(of_function(function), title, stored(cases), digits)


def graded(
    peer: Peer, name: str, cases: Iterable[Stored], least: float, progress: Callable[[str], object] = lambda name: None
) -> Report:
    """Ask the peer every case; `progress` is called with each case's name before it is asked."""
    finite_number(least, "digits")
    reports = []
    for one in cases:
        progress(one.name)
        start = time.monotonic()
        answer = peer(one)
        seconds = time.monotonic() - start
        given = answer.document
        found = () if given is None else tuple(blocks(one, given))
        unknown = () if given is None else tuple(unknown_keys(given, one.expected))
        has = frozenset(place.quantity for place in places(one.expected))
        reports.append(CaseReport(one.name, needs(one), has, answer.state, answer.reason, seconds, unknown, found))
    return Report(name, least, tuple(reports), tuple(factors([block for case in reports for block in case.blocks])))
