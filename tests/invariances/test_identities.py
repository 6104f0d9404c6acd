"""The identities of `tests/support/identities.py` hold for every kind of network and readout."""

from collections.abc import Callable
from dataclasses import replace

import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.spec import Case, Result
from tests.support.comparison import scaled
from tests.support.effort import many
from tests.support.identities import residuals
from tests.support.networks.strategies import families, seeded_case
from tests.support.report_evidence import Measured
from tests.support.tolerances import U32, U64, identity

CASES = many(15, least=3)  # per family


@pytest.mark.check(10)
@pytest.mark.parametrize(("run", "u"), [
    pytest.param(reference.run, U64, id="reference"), pytest.param(run_case, U64, id="float64"),
    pytest.param(lambda case: run_case(case, "float32"), U32, id="float32", marks=pytest.mark.full),
])
@pytest.mark.parametrize("family", families())
def test_the_identities_hold(family: str, run: Callable[[Case], Result], u: float, measured: Measured) -> None:
    worst, counted = dict.fromkeys("ABC", 0.0), dict.fromkeys("ABC", 0)
    for seed in range(CASES):
        case = seeded_case(seed, family)
        for name, r in residuals(case, run(case), u).items():
            worst[name], counted[name] = max(worst[name], r), counted[name] + 1
            assert r <= identity(u), f"identity {name}, seed {seed}: residual {r:.1e}"
            measured.keep("identities", {"u": u, "identity": name, "residual": r, "fault": ""})
    measured(max(worst.values()), identity(u), CASES, f"0 to {CASES - 1} of each family")
    assert min(counted.values()) >= CASES / 3


BREAKS = {"w": "A", "v_th": "A", "v_reset": "A", "d": "BC", "tau_mem": "B", "tau_syn": "B", "t_in": "BC"}
FACTORS = {"0.1 % off": 1.001, "flipped": -1.0, "dropped": 0.0, "without tau_syn": 0.2}


@pytest.mark.check(10, control=True)
@pytest.mark.parametrize("fault", FACTORS)
@pytest.mark.parametrize("kind", BREAKS)
def test_the_identities_notice(kind: str, fault: str, measured: Measured) -> None:
    largest = dict.fromkeys("ABC", 0.0)
    for seed in range(5):
        case = seeded_case(seed, "recurrent")
        result = reference.run(case)
        wrong = replace(result, gradients=scaled(result.gradients, kind, FACTORS[fault]))
        for name, r in residuals(case, wrong, U64).items():
            largest[name] = max(largest[name], r)
            if name in BREAKS[kind]:
                measured.keep("identities", {"u": U64, "identity": name, "residual": r, "fault": f"{kind} {fault}"})
    measured(min(largest[name] for name in BREAKS[kind]), identity(U64), 5)
    assert {name for name, r in largest.items() if r > identity(U64)} == set(BREAKS[kind])
