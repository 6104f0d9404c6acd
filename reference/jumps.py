"""The adjoint at events, one formula per function, for any neuron.

`python -m derivations` proves each under the tag in brackets. `p` is `dL/dx`, by state. The
suffixes `_minus` and `_plus` are the paper's superscripts: just before and just after in *forward*
time. The functions take numbers or SymPy expressions (the last one only where its sign is known):
the tests compare this very text with the proved formulas. The paper's adjoint is
`lambda_V = -p_V / tau_mem`, `lambda_I = -p_I / tau_syn`.
"""

from delayprop.reference.arithmetic import Matrix, Real, Row, dot, times, transposed


def dL_dw_at_arrival(p: Row, into: int) -> Real:
    """[arrival] One arrival's share of `dL/dw`; the weight is added to state `into`.

    `p` is just after the arrival.
    """
    return p[into]


def dL_dt_arr(w: Real, A: Matrix, p: Row, into: int) -> Real:
    """[arrival] Derivative of `L` by one arrival's time.

    As `t_arr = t_pre + d`, it is the arrival's share of `dL/dd` and of `dL/dt_pre`. `p` is just
    after the arrival: a crossing or a maximum at the same instant comes before the arrival, so `p`
    does not contain it.
    """
    return -dot([w * row[into] for row in A], p)


def spike_shift(
    p_plus: Row, dL_dt_post: Real, A: Matrix, R: Matrix, x_minus: Row, x_plus: Row, slope: Real
) -> Real:
    """[spike] `q`: minus the derivative of `L` by the level just before a spike.

    `dL_dt_post` is the derivative by the spike's time outside its own neuron: directly in the loss,
    and through the arrivals that it causes. A change of the level moves the spike by
    `-change/slope`, and the state behind it by the difference of both rates times this.
    """
    before, after = times(R, times(A, x_minus)), times(A, x_plus)
    moved = dot(p_plus, [a - b for a, b in zip(before, after, strict=True)])
    return (moved + dL_dt_post) / slope


def p_before_spike(p_plus: Row, q: Real, R: Matrix, c: Row) -> Row:
    """[spike] `p_minus` at a spike."""
    return [kept - q * weight for kept, weight in zip(times(transposed(R), p_plus), c, strict=True)]


def dL_dtheta_at_spike(
    p_plus: Row, q: Real, x_minus: Row, by_theta: tuple[Row, Real, Matrix, Row]
) -> Real:
    """[spike] One spike's share of the gradient of a constant.

    `by_theta` are the derivatives of `c`, `v_th`, `R` and `r`.
    """
    c, v_th, R, r = by_theta
    return dot(p_plus, times(R, x_minus)) + dot(p_plus, r) + q * (v_th - dot(c, x_minus))


def shift_by_maximum(dL_dy: Real, c_read: Real) -> Real:
    """[spike] Term of `q` where the maximum that is read is at the spike, which carries it along.

    The level is `c_read V`. The kick `dL_dy` of `p_V` just before the spike comes on top.
    """
    return dL_dy / c_read


def dL_dt_arr_at_pinned_maximum(dL_dy: Real, w: Real, A_read: Real, Vdot_plus: Real) -> Real:
    """[max-pinned, max-pinned-tie] Term of `dL/dt_arr`: this arrival carries the maximum along.

    `A_read` is the effect of its state on the rate of `V`, and `Vdot_plus - w A_read` the rate
    before the arrival, after all others at this instant. With a later arrival the voltage rises
    further at this rate, or not at all if the others, which are held, already end the rise.
    """
    return dL_dy * max(0, Vdot_plus - w * A_read)
