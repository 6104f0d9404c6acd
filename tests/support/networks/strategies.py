"""Cases that tests draw, by Hypothesis or by a seed, with one builder (`building.py`)."""

import zlib

import numpy as np
from hypothesis import strategies as st

from delayprop.spec import Case
from tests.support.networks.building import build
from tests.support.networks.families import FAMILIES


def families(feed_forward: bool | None = None) -> list[str]:
    """Names of families: all, or only those without (or with) loops."""
    return [name for name, family in FAMILIES.items() if feed_forward in (None, family.feed_forward)]


@st.composite
def cases(draw: st.DrawFn, feed_forward: bool | None = None, family: str | None = None) -> Case:
    """A case of a family by name, or of any family with or without loops."""
    name = draw(st.sampled_from(families(feed_forward))) if family is None else family
    return build(lambda low, high: draw(st.integers(low, high)), FAMILIES[name])


def seeded_case(seed: int, family: str | None = None, feed_forward: bool | None = None) -> Case:
    """The case of a seed, equal on every machine; seeds cycle through families if none is given."""
    names = families(feed_forward)
    name = names[seed % len(names)] if family is None else family
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return build(lambda low, high: int(rng.integers(low, high + 1)), FAMILIES[name])
