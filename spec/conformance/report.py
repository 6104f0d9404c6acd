"""Asks a simulator every case, and collects the grades; the report as text and as a JSON object."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from delayprop.spec.case import Case
from delayprop.spec.checks import finite_number
from delayprop.spec.conformance.cases import Stored, capabilities, needs, stored
from delayprop.spec.conformance.grading import Block, Factor, blocks, factors, grade
from delayprop.spec.conformance.layout import GRADIENTS, QUANTITIES, places, unknown_keys
from delayprop.spec.conformance.peers import Peer, of_function

OFFERED = ("graded", "failed", "another network")
FORMAT = "conformance-report/2"
COLUMNS = {
    "forward": ("spikes", "loss", "readout"), "kappa": ("kappa",), "w": ("w",), "d": ("d",),
    "constants": ("tau_mem", "tau_syn", "v_th", "v_reset"), "t_in": ("t_in",),
}
KINDS = {"w": "weight", "d": "delay", "v_th": "threshold", "v_reset": "reset", "t_in": "input-time"}
_MARKS = {"failed": "fail", "another network": "other", "not offered": "-"}


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
        return "\n".join(_lines(self))

    def to_dict(self) -> dict:
        """The report as a JSON object; `README.md` describes the layout."""
        return _document(self)


def _lines(report: Report) -> Iterator[str]:
    states = [case.state for case in report.cases]
    counted = ", ".join(f"{states.count(state)} {state}" for state in ("answered", "not offered", "failed"))
    yield f"{report.name}: {len(states)} cases, {counted}"
    yield ""
    yield f"{'':18}{'right digits':>12}  {'grade':18}{'cases':>7}"
    for name in QUANTITIES:
        summary = report.summary((name,))
        title = f"gradient by {name}" if name in GRADIENTS else name
        if summary.cases:
            offered = f"{summary.offered}/{summary.cases}"
            yield f"{title:22}{_digits(summary):>8}  {summary.grade:18}{offered:>7}{_notes(summary)}"
    yield ""
    yield f"{'right digits, by need':28}{'cases':>7}" + "".join(f"{name:>11}" for name in COLUMNS) + "  grade"
    missing = []
    for name in capabilities():
        summary = report.summary(capability=name)
        if summary.cases:
            cells = "".join(f"{_cell(report.summary(quantities, name)):>11}" for quantities in COLUMNS.values())
            yield f"{name:28}{f'{summary.offered}/{summary.cases}':>7}{cells}  {summary.grade}"
            missing += [] if summary.offered else [name]
    yield from _listed("needed by no answered case", wrap(", ".join(missing), 110))
    yield from _listed("not offered", [f"{c.name}: {c.reason}" for c in report.cases if c.state == "not offered"])
    yield from _listed("left out of answers", _left_out(report))
    unknown = [f"{case.name}: {', '.join(case.unknown_keys)}" for case in report.cases if case.unknown_keys]
    yield from _listed("keys without a meaning", unknown)
    yield from _listed(f"wrong (failed, other spikes, or fewer than {report.least:g} right digits)", report.wrong)
    yield from _listed("common factors", [_factor(factor) for factor in report.factors])
    yield ""
    yield _verdict(report)


def _listed(title: str, entries: list[str]) -> Iterator[str]:
    if entries:
        yield from ("", f"{title}:", *(f"  {entry}" for entry in entries))


def _digits(summary: Summary) -> str:
    return "-" if summary.digits is None else f"{summary.digits:.1f}"


def _cell(summary: Summary) -> str:
    """Right digits, or the reason why there are none."""
    return _MARKS.get(summary.grade, _digits(summary)) if summary.cases else ""


def _notes(summary: Summary) -> str:
    partly = summary.offered - summary.whole - summary.failed
    notes = {"failed": summary.failed, "of another network": summary.another_network, "in part": partly}
    return "".join(f"  {number} {note}" for note, number in notes.items() if number > 0)


def _left_out(report: Report) -> list[str]:
    """For each quantity: the number of answers that left some of it out; their names if not all."""
    found = []
    answered = [case for case in report.cases if case.state == "answered"]
    for name in QUANTITIES:
        having = [case for case in answered if case.of(name)]
        without = [case for case in having if any(block.state == "left out" for block in case.of(name))]
        if without:
            which = "" if len(without) == len(having) else ": " + ", ".join(case.name for case in without)
            found.append(f"{name}: in {len(without)} of {len(having)} answers{which}")
    return found


def _factor(factor: Factor) -> str:
    kinds = ", ".join(KINDS.get(quantity, quantity) for quantity in factor.quantities)
    if factor.factor == 0.0:
        return f"all {kinds} gradients are 0"
    return f"all {kinds} gradients are {factor.factor:#.4g} times the right ones (to {factor.residual:.0e})"


def _verdict(report: Report) -> str:
    if not report.graded:
        return "nothing was offered, so nothing is graded"
    if report.wrong:
        return "something offered is wrong"
    whole = all(c.state == "answered" and all(b.state != "left out" for b in c.blocks) for c in report.cases)
    return "nothing offered is wrong" + ("" if whole else "; blocks left out are listed above")


def _document(report: Report) -> dict:
    def by_quantity(capability: str | None) -> dict:
        found = {name: report.summary((name,), capability) for name in QUANTITIES}
        return {name: dict(vars(one)) for name, one in found.items() if one.cases}

    needed = {name: found for name in capabilities() if (found := report.summary(capability=name)).cases}
    return {
        "format": FORMAT, "name": report.name, "digits": report.least, "passed": report.passed,
        "graded": report.graded, "wrong": report.wrong, "quantities": by_quantity(None),
        "capabilities": {name: {**vars(found), "quantities": by_quantity(name)} for name, found in needed.items()},
        "factors": [{**vars(found), "quantities": list(found.quantities)} for found in report.factors],
        "cases": [_case(case) for case in report.cases],
    }


def _case(case: CaseReport) -> dict:
    shown = ("path", "quantity", "state", "digits", "reason")
    return {
        **{key: value for key, value in vars(case).items() if key != "has"},
        "needs": list(case.needs), "unknown_keys": list(case.unknown_keys),
        "blocks": [{key: getattr(block, key) for key in shown} for block in case.blocks],
    }


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
