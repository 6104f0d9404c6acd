"""Cases that tests draw, by Hypothesis or by a seed, with one builder (`building.py`)."""

import zlib

from hypothesis import strategies as st

from delayprop.spec import Case
from tests.support.networks.building import build
from tests.support.networks.families import FAMILIES, Seeded


def families(feed_forward: bool | None = None) -> list[str]:
    """Names of families: all, or only those without (or with) loops."""
    return [name for name, family in FAMILIES.items() if feed_forward in (None, family.feed_forward)]


class _Drawn:
    """Choices of Hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))


@st.composite
def cases(draw: st.DrawFn, feed_forward: bool | None = None, family: str | None = None) -> Case:
    """A case of a family by name, or of any family with or without loops."""
    name = draw(st.sampled_from(families(feed_forward))) if family is None else family
    return build(_Drawn(draw), FAMILIES[name])


def seeded_case(seed: int, family: str | None = None, feed_forward: bool | None = None) -> Case:
    """The case of a seed, equal on every machine; seeds cycle through families if none is given."""
    names = families(feed_forward)
    name = names[seed % len(names)] if family is None else family
    return build(Seeded([seed, zlib.crc32(name.encode())]), FAMILIES[name])
