"""The voltage of one neuron as one closed sum over all its events since t = 0, and its maximum.

    tau_mem != tau_syn:   V(t) = A exp(-t/tau_mem) + B exp(-t/tau_syn)
    tau_mem == tau_syn:   V(t) = (A + B t) exp(-t/tau)

An arrival of weight w at time a adds w K (exp(-(t-a)/tau_syn) - exp(-(t-a)/tau_mem)) with K =
tau_syn / (tau_syn - tau_mem), or w (t-a)/tau exp(-(t-a)/tau). A spike at t_k adds -(v_th - v_reset)
exp(-(t-t_k)/tau_mem). For almost equal time constants K is large and its terms cancel: the caller
adds digits (`simulation.py`).
"""

from tests.support.truth.numbers import INFINITY, Real, exp, log, sqrt


class Voltage:
    """V(t) of one neuron, given its events so far. `v_th`, `v_reset`: None for a neuron that never
    spikes. `integral` has the weight `exp(-rate t)`."""

    def __init__(
        self, tau_mem: Real, tau_syn: Real, v_th: Real | None, v_reset: Real | None, rate: Real, tolerance: Real
    ) -> None:
        self.tau_mem, self.tau_syn, self.v_th, self.v_reset = tau_mem, tau_syn, v_th, v_reset
        self.rate, self.tolerance = rate, tolerance
        self.equal = tau_mem == tau_syn
        self.K = Real(0) if self.equal else tau_syn / (tau_syn - tau_mem)
        self.A, self.B = Real(0), Real(0)
        self.weighted_arrivals, self.weighted_resets = Real(0), Real(0)

    def growths(self, t: Real) -> tuple[Real, Real]:
        """`exp(t/tau_mem)`, `exp(t/tau_syn)`: the arguments of all other methods at `t`."""
        x = exp(t / self.tau_mem)
        return x, (x if self.equal else exp(t / self.tau_syn))

    def arrive(self, w: Real, t: Real, x: Real, y: Real) -> None:
        """Add the response to an arrival at `t`, with growths `x`, `y`."""
        if self.equal:
            self.A -= w * t / self.tau_mem * x
            self.B += w / self.tau_mem * x
        else:
            self.A -= w * self.K * x
            self.B += w * self.K * y
        self.weighted_arrivals += w * exp(-self.rate * t) if self.rate else w

    def reset(self, t: Real, x: Real) -> None:
        """Add the reset of a spike at `t`, with `exp(t/tau_mem) = x`."""
        assert self.v_th is not None
        drop = self.v_th - self.v_reset
        self.A -= drop * x
        self.weighted_resets += drop * exp(-self.rate * t) if self.rate else drop

    def at(self, t: Real, x: Real, y: Real) -> Real:
        """V."""
        return (self.A + self.B * t) / x if self.equal else self.A / x + self.B / y

    def slope(self, t: Real, x: Real, y: Real) -> Real:
        """dV/dt."""
        if self.equal:
            return (self.B - (self.A + self.B * t) / self.tau_mem) / x
        return -self.A / (self.tau_mem * x) - self.B / (self.tau_syn * y)

    def current(self, y: Real) -> Real:
        """I, a bound of the voltage."""
        return self.tau_mem * self.B / y if self.equal else self.B / (self.K * y)

    def peak(self, t: Real) -> tuple[Real, Real] | None:
        """Time and height of the maximum after `t`, where V rises; None if V rises to 0 for ever.
        The sum has at most one extremum, so a later extremum of a rising voltage is its maximum."""
        if self.equal:
            if self.B <= 0:
                return None
            t_peak = self.tau_mem - self.A / self.B
            height = self.tau_mem * self.B * exp(-t_peak / self.tau_mem)
        else:
            if self.A == 0 or self.B / self.A >= 0:
                return None
            t_peak = log(-self.B * self.tau_mem / (self.A * self.tau_syn)) / (1 / self.tau_syn - 1 / self.tau_mem)
            height = self.A * (1 - self.tau_syn / self.tau_mem) * exp(-t_peak / self.tau_mem)
        return (t_peak, height) if t_peak > t else None

    def crossing(self, t: Real, v: Real, peak: tuple[Real, Real]) -> Real:
        """The one time at which V rises through `v_th`, between `t` with voltage `v`, and the peak.
        Newton steps inside a bracket start at the root of the parabola through both ends with its
        vertex at the peak."""
        low, high = t, peak[0]
        t = high - (high - low) * sqrt((peak[1] - self.v_th) / (peak[1] - v))
        resolution = (self.tau_mem + self.tau_syn + high) * self.tolerance / 1000
        while high - low > resolution:
            x, y = self.growths(t)
            excess = self.at(t, x, y) - self.v_th
            if excess < 0:
                low = t
            else:
                high = t
            slope = self.slope(t, x, y)
            step = excess / slope if slope > 0 else high - low
            if abs(step) <= resolution:
                return t - step
            t = t - step if low < t - step < high else (low + high) / 2
        return (low + high) / 2

    def integral(self, T: Real) -> Real:
        """`int_0^T exp(-rate t) V dt`, term by term; no event lies between the last one and `T`."""
        x, y = self.growths(T)
        tail = exp(-self.rate * T)
        r_mem = 1 / (1 / self.tau_mem + self.rate)
        arrivals, resets = self.weighted_arrivals, self.weighted_resets
        if self.equal:
            left = tail / x * ((r_mem + T) * self.B + self.A)
            return r_mem * (r_mem / self.tau_mem * arrivals - resets - left)
        r_syn = 1 / (1 / self.tau_syn + self.rate)
        from_current = r_syn * (self.K * arrivals - tail * self.B / y)
        return from_current - r_mem * (self.K * arrivals + resets + tail * self.A / x)


class Maximum:
    """The largest of the local maxima, offered in order of time; the first is the initial 0.
    `place`: ("initial",), ("spike",), ("end",), ("arrival", arrivals) or ("interior", events before
    it). `gap`: the distance of the earliest largest to the second largest."""

    def __init__(self) -> None:
        self.value, self.place, self.gap = Real(0), ("initial",), INFINITY

    def offer(self, value: Real, place: tuple) -> None:
        if value > self.value:
            self.gap = value - self.value
            self.value, self.place = value, place
        elif place != self.place:
            self.gap = min(self.gap, self.value - value)
