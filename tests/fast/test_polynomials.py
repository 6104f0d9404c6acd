"""The polynomials of the kernels equal the convolutions of exponentials, to rounding."""

import mpmath
import numpy as np
import pytest

from delayprop.fast.layout.arrays import LANES
from delayprop.fast.physics.polynomials import PS_AB, TERMS, coefficients
from tests.support.convolution import convolution

RATES = {
    "A": lambda pm, ps, r: (pm,),
    "B": lambda pm, ps, r: (ps,),
    "AB": lambda pm, ps, r: (pm, ps),
    "PS_AB": lambda pm, ps, r: (pm, ps),
    "AAB": lambda pm, ps, r: (pm, pm, ps),
    "ABB": lambda pm, ps, r: (pm, ps, ps),
    "RA": lambda pm, ps, r: (-r, pm),
    "RAB": lambda pm, ps, r: (-r, pm, ps),
    "RAA": lambda pm, ps, r: (-r, pm, pm),
    "RAAB": lambda pm, ps, r: (-r, pm, pm, ps),
    "RABB": lambda pm, ps, r: (-r, pm, ps, ps),
    "RB": lambda pm, ps, r: (-r, ps),
}
"""The rates of the convolved exponentials, by their number as in `fast.physics.polynomials`."""

ROUNDING = 4  # in u: truncation, at most 1, and rounding of some coefficients


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("pm", "ps", "r"),
    [(0.25, 0.25, 0.25), (0.05, 0.2, 0.001), (0.2, 0.05, 0.0), (0.125, 0.125 * (1 + 1e-9), 0.01), (1e-7, 0.25, 1e-5)],
)
def test_polynomials_are_right_to_rounding(pm: float, ps: float, r: float, dtype: type) -> None:
    u = float(np.finfo(dtype).eps) / 2
    found = coefficients(np.full((1, LANES), pm), np.full((1, LANES), ps), r, dtype)[0].astype(np.float64)
    assert found.shape == (len(RATES), TERMS[np.dtype(dtype).itemsize], LANES)
    with mpmath.workdps(40):
        for number, rates in enumerate(RATES.values()):
            for x in np.linspace(-1.0, 1.0, 21):
                true = convolution(rates(pm, ps, r), x) * (ps if number == PS_AB else 1)
                value = np.polynomial.polynomial.polyval(x, found[number, :, 0])
                assert abs(value / true - 1) <= ROUNDING * u, (number, x)


def test_control_a_term_less_is_not_enough() -> None:
    pm = np.full((1, LANES), 0.25)
    with mpmath.workdps(40):
        for dtype in (np.float32, np.float64):
            found = coefficients(pm, pm, 0.0, dtype)[0, 0, :-1, 0].astype(np.float64)
            error = abs(np.polynomial.polynomial.polyval(1.0, found) / convolution((0.25,), 1.0) - 1)
            assert error > 10 * float(np.finfo(dtype).eps)
