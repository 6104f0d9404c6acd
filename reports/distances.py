"""The distance of every check from its limit, as the first figure shows it: worst value / limit.

A check with a number has a place on a logarithmic axis; its planted fault, the control, too. Other
checks answer yes or no.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reports.record import GREEN, NOT_RUN, RED, TEMPLATES

FARTHEST = 15  # decades from the limit to an end of the axis, at most
NEAREST = 3  # and at least
LABELS = 8  # of the axis, at most

KINDS = {GREEN: "passed", RED: "failed", NOT_RUN: "missing"}


@dataclass(frozen=True)
class Distance:
    """One check of the record."""

    check: dict[str, Any]  # its record
    share: float | None  # its worst value over the limit; None: it has no number
    fault: float | None  # that of the control nearest to the limit; None: its controls have no number
    unmeasured: bool  # whether a test failed, and the value that failed is not in the record
    missed: bool  # whether a control failed: a planted fault was not found

    @property
    def failed(self) -> bool:
        """Whether the check is red, or its value is beyond the limit."""
        return self.check["status"] == RED or (self.share is not None and self.share > 1)

    @property
    def kind(self) -> str:
        return "failed" if self.failed else KINDS[self.check["status"]]


def distance(check: dict[str, Any]) -> Distance:
    share, fault = _share(check["worst"], check["limit"]), _share(check["fault"], check["fault_limit"])
    missed = check["status"] == RED and check["caught"] < check["controls"]
    others = len(check["wrong"]) - (check["controls"] - check["caught"])
    unmeasured = check["status"] == RED and others > 0 and (share is None or share <= 1)
    return Distance(check, share, fault, unmeasured, missed)


def _share(value: float | None, limit: float | None) -> float | None:
    """The value over its limit; None without a limit, or with a limit of 0: yes or no."""
    if value is None or not limit:
        return None
    return math.inf if math.isnan(value) else value / limit  # nan-ok: it counts as beyond every limit


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis through the limit (0), in powers of ten; `low` < 0 < `high`: its ends."""

    low: int
    high: int

    def place(self, share: float) -> float:
        """The place of a share: 0 at the left end, or beyond it, to 1 at the right end."""
        return min(1.0, max(0.0, (_power(share) - self.low) / (self.high - self.low)))

    def beyond(self, share: float) -> bool:
        """Whether the share has no place between the ends, as 0 has none."""
        return not self.low <= _power(share) <= self.high

    @property
    def ticks(self) -> list[int]:
        """The powers of ten to label, the limit (0) among them."""
        step = -(-(self.high - self.low) // (LABELS - 1))
        return [power for power in range(self.low, self.high + 1) if power % step == 0]


def _power(share: float) -> float:
    """The power of ten of a share; minus infinity for 0."""
    return math.log10(abs(share)) if share else -math.inf


def axis(of: Sequence[Distance]) -> Axis:
    """The axis that has a place for all values, as far as `FARTHEST` decades."""
    shares = (share for one in of for share in (one.share, one.fault))
    # nan-ok: an infinity has its place at the end of any axis
    powers = [_power(share) for share in shares if share and math.isfinite(share)]
    low, high = math.floor(min(powers, default=0)), math.ceil(max(powers, default=0))
    return Axis(max(-FARTHEST, min(-NEAREST, low)), min(FARTHEST, max(NEAREST, high)))


def marks(one: Distance, scale: Axis) -> Iterator[tuple[str, float]]:
    """The symbols of a row, each with its share; the most important is drawn last."""
    share = one.share or 0.0
    if one.fault is not None:
        yield ("failed" if one.missed or one.fault <= 1 else "fault"), one.fault
    if one.unmeasured:
        yield "failed", math.inf
    elif one.share is not None and share > 1:
        yield "failed", share
    elif one.check["status"] == NOT_RUN:
        yield "missing", share
    else:
        yield ("zero" if scale.beyond(share) else "passed"), share


def distance_rows(checks: Iterable[dict[str, Any]]) -> str:
    """The figure of the page: a row per check, which wraps on a narrow screen."""
    all_of = [distance(check) for check in checks]
    along, apart = ([one for one in all_of if (one.share is None) == alone] for alone in (False, True))
    scale = axis(along)
    used = {"passed", "fault"} | {kind for one in along for kind, _ in marks(one, scale)}
    values = {"along": along, "apart": apart, "scale": scale, "marks": marks, "used": used}
    return TEMPLATES.get_template("distances.html").render(values)
