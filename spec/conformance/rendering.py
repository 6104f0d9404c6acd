"""A report as text and as a JSON object."""

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from delayprop.spec.conformance.cases import CAPABILITIES
from delayprop.spec.conformance.layout import GRADIENTS, QUANTITIES

if TYPE_CHECKING:
    from delayprop.spec.conformance.grading import Factor
    from delayprop.spec.conformance.report import CaseReport, Report, Summary

FORMAT = "conformance-report/2"
COLUMNS = {
    "forward": ("spikes", "loss", "readout"), "kappa": ("kappa",), "w": ("w",), "d": ("d",),
    "constants": ("tau_mem", "tau_syn", "v_th", "v_reset"), "t_in": ("t_in",),
}
KINDS = {"w": "weight", "d": "delay", "v_th": "threshold", "v_reset": "reset", "t_in": "input-time"}
_MARKS = {"failed": "fail", "another network": "other", "not offered": "-"}


def lines(report: "Report") -> Iterator[str]:
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
    for name in CAPABILITIES:
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


def _digits(summary: "Summary") -> str:
    return "-" if summary.digits is None else f"{summary.digits:.1f}"


def _cell(summary: "Summary") -> str:
    """Right digits, or the reason why there are none."""
    return _MARKS.get(summary.grade, _digits(summary)) if summary.cases else ""


def _notes(summary: "Summary") -> str:
    partly = summary.offered - summary.whole - summary.failed
    notes = {"failed": summary.failed, "of another network": summary.another_network, "in part": partly}
    return "".join(f"  {number} {note}" for note, number in notes.items() if number > 0)


def _left_out(report: "Report") -> list[str]:
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


def _factor(factor: "Factor") -> str:
    kinds = ", ".join(KINDS.get(quantity, quantity) for quantity in factor.quantities)
    if factor.factor == 0.0:
        return f"all {kinds} gradients are 0"
    return f"all {kinds} gradients are {factor.factor:#.4g} times the right ones (to {factor.residual:.0e})"


def _verdict(report: "Report") -> str:
    if not report.graded:
        return "nothing was offered, so nothing is graded"
    if report.wrong:
        return "something offered is wrong"
    whole = all(c.state == "answered" and all(b.state != "left out" for b in c.blocks) for c in report.cases)
    return "nothing offered is wrong" + ("" if whole else "; blocks left out are listed above")


def document(report: "Report") -> dict:
    def by_quantity(capability: str | None) -> dict:
        found = {name: report.summary((name,), capability) for name in QUANTITIES}
        return {name: dict(vars(one)) for name, one in found.items() if one.cases}

    needed = {name: found for name in CAPABILITIES if (found := report.summary(capability=name)).cases}
    return {
        "format": FORMAT, "name": report.name, "digits": report.least, "passed": report.passed,
        "graded": report.graded, "wrong": report.wrong, "quantities": by_quantity(None),
        "capabilities": {name: {**vars(found), "quantities": by_quantity(name)} for name, found in needed.items()},
        "factors": [{**vars(found), "quantities": list(found.quantities)} for found in report.factors],
        "cases": [_case(case) for case in report.cases],
    }


def _case(case: "CaseReport") -> dict:
    shown = ("path", "quantity", "state", "digits", "reason")
    return {
        **{key: value for key, value in vars(case).items() if key != "has"},
        "needs": list(case.needs), "unknown_keys": list(case.unknown_keys),
        "blocks": [{key: getattr(block, key) for key in shown} for block in case.blocks],
    }
