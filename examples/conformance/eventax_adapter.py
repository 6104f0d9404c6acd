# requires: eventax>=0.1,<0.2
"""eventax (0.1.0): event-based networks in JAX with learnable delays.

    python eventax_adapter.py [--adjoint A] CASE.json

Offers: any graph of LIF neurons with one synapse between two neurons, a weight and a delay each,
and constants of each neuron; gradients of weights, delays and input times. Python calls its `EvNN`
event by event, and pulls gradients back through each call. `spikes_until_t` and `state_at_t` of
eventax do the same in compiled loops, which take longer to compile.

Settings: float64 (JAX and eventax default to float32); diffrax's Dopri8, and Newton's method to
1e-12 for crossings, instead of eventax's fast defaults Euler and 1e-2. The step is constant, 0.2371
ms: order 8 is needed because a crossing is searched in the interpolation within a step. It is no
round number because diffrax halves the gradient by the end of an interval of a whole number of
steps. `--adjoint autodiff`, eventax's default, differentiates through the solver;
`--adjoint eventprop` is eventax's own `EventPropAdjoint`.

Conventions: `tmem dv/dt = -v + i + ic`, `tsyn di/dt = -i`, and a spike does `i += w`: ours with
`ic = 0`. Times have the unit of the constants, ms. The reset subtracts `thresh - vreset` at the
crossing: ours. An `li` neuron is a LIF neuron with threshold 1e6. `mean_voltage` and
`exp_weighted_voltage` are a third state variable, in a model derived from LIF. For `max_voltage`
this adapter finds the instant, from states that eventax gives; the voltage there and its gradient
are eventax's. A case without any delay is built without delays, as a user would do, and then has no
delay gradient.

Left out: gradients of constants (its LIF holds them fixed; its PLIF, whose time constants learn,
cannot be built in 0.1.0 because it passes on `positive_weights`, which no class accepts), kappa,
several synapses between two neurons.

Known errors of 0.1.0: a delay of exactly 0 beside others gets half its gradient
(`jnp.maximum(delay, 0)`). If two arrivals share an instant, at one neuron or two, the time between
them is skipped, and with it the derivative by their order: their delay gradients are wrong one by
one, and right in sum. `EventPropAdjoint` gives a gradient to the end of a solve, which is the next
arrival, also if a spike ended the solve before: wrong delays and input times of arrivals next after
a spike.
"""

import argparse
import json
import os
import sys
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # it compiles longer than it runs
NEVER = 1e6  # a threshold that is never reached
STEP, TOLERANCE = 0.2371, 1e-12
SETTINGS = f"float64; Dopri8, constant step of {STEP} ms; crossings by Newton's method to {TOLERANCE:g}; adjoint: "
NOTE = (
    "Event by event, with a delay for each synapse, in any graph. Where two arrivals fall on one instant, at one "
    "neuron or two (equal delays from one source, or whole ms), their delay gradients are wrong one by one, right in "
    "sum; a delay of exactly 0 beside others gets half its gradient. All cases with wrong delay gradients here have "
    "such arrivals or such delays; elsewhere they are right. It does not offer gradients of constants."
)
ADJOINTS = {
    "autodiff": "Differentiates through the solver, which is its default.",
    "eventprop": "Its own EventPropAdjoint. Weights are right; delays of arrivals next after a spike are not: the end "
    "of a solve gets a gradient also where a spike ended it before.",
}


def refuse(reason):
    print(reason, file=sys.stderr)
    sys.exit(5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--adjoint", choices=sorted(ADJOINTS), default="autodiff")
    parser.add_argument("--about", action="store_true", help="print what this is, as JSON")
    parser.add_argument("case", nargs="?")
    options = parser.parse_args()
    if options.about:
        versions = ", ".join(f"{name} {version(name)}" for name in ("eventax", "jax", "diffrax"))
        words = {"settings": SETTINGS + options.adjoint, "note": f"{ADJOINTS[options.adjoint]} {NOTE}"}
        print(json.dumps({"system": "eventax", "version": versions, **words}))
        return
    with open(options.case, encoding="utf-8") as file:
        print(json.dumps(run(json.load(file), options.adjoint)))


def run(case, adjoint):
    """The result, in the layout of the command lines."""
    import numpy as np

    loss, inputs = case["loss"], [p for p in case["populations"] if p["kind"] == "input"]
    neurons = [p for p in case["populations"] if p["kind"] != "input"]
    at, size = {}, 0  # neurons first, then inputs: the numbers of eventax
    for p in neurons + inputs:
        at[p["name"]] = np.arange(size, size + p["size"])
        size += p["size"]
    count = sum(p["size"] for p in neurons)
    w, d, exists = np.zeros((size, count)), np.zeros((size, count)), np.zeros((size, count), bool)
    for c in case["connections"]:
        block, weights = np.ix_(at[c["source"]], at[c["target"]]), np.array(c["weights"], float)  # null: NaN
        there = np.array([[entry is not None for entry in row] for row in c["weights"]])
        if (exists[block] & there).any():
            refuse("several synapses between two neurons")
        w[block] = np.where(there, weights, w[block])
        d[block] = np.where(there, np.array(c["delays"], float), d[block])
        exists[block] |= there
    trains = [train for p in inputs for train in case["inputs"][p["name"]]]
    t_in = np.full((len(trains), max([1, *map(len, trains)])), np.inf)
    for i, train in enumerate(trains):
        t_in[i, : len(train)] = train
    kinds = {p["name"]: p["kind"] for p in neurons}
    if loss.get("readout") == "max_voltage" and kinds[loss["population"]] == "lif":
        refuse("no maximum of neurons that spike: it is their threshold")
    read = at[loss["population"]]
    value, y, times, (dL_dw, dL_dd, dL_dt) = simulate(case, neurons, w, d, exists, t_in, read, adjoint)
    blocks = [np.ix_(at[c["source"]], at[c["target"]]) for c in case["connections"]]
    delays = [{"delays": dL_dd[block].tolist()} if d.any() else {} for block in blocks]
    gradients = {
        "connections": [{"weights": dL_dw[block].tolist(), **more} for block, more in zip(blocks, delays)],
        "inputs": {
            p["name"]: [dL_dt[j - count, : len(t)].tolist() for j, t in zip(at[p["name"]], case["inputs"][p["name"]])]
            for p in inputs
        },
    }
    spikes = {p["name"]: [times[j] for j in at[p["name"]]] for p in neurons}
    return {"loss": value, "readout": y, "spikes": spikes, "gradients": gradients}


def simulate(case, neurons, w, d, exists, t_in, read, adjoint):
    """Loss, readout, spike times of every neuron, and the gradient by (w, d, t_in)."""
    import diffrax
    import equinox as eqx
    import jax
    import numpy as np
    import optimistix

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from eventax.adjoint import EventPropAdjoint
    from eventax.evnn import EvNN
    from eventax.neuron_models import LIF

    T, loss, count = case["duration"], case["loss"], w.shape[1]
    rate = 1 / T if loss.get("readout") == "exp_weighted_voltage" else 0.0

    class Reading(LIF):
        """LIF with the running integral of the voltage as a third state variable."""

        def init_state(self, n_neurons):
            return jnp.zeros((n_neurons, 3), self.dtype)

        def dynamics(self, t, y, args):
            return jnp.column_stack([LIF.dynamics(self, t, y, args), jnp.exp(-rate * t) * y[:, 0] / T])

        def reset_spiked(self, y, spike_mask):
            return jnp.column_stack([LIF.reset_spiked(self, y, spike_mask), y[:, 2]])

    def constant(name, of_li=None):
        return np.concatenate([np.broadcast_to(np.array(p.get(name, of_li), float), p["size"]) for p in neurons])

    net = EvNN(
        Reading, count, T, len(t_in), key=jax.random.PRNGKey(0), wmask=jnp.array(exists, float), dtype=jnp.float64,
        init_delays=jnp.array(d) if d.any() else None, input_neurons=jnp.array(exists[count:].any(0)),
        buffer_capacity=100 if d.any() else 1, solver_stepsize=STEP, solver=diffrax.Dopri8(),
        root_finder=optimistix.Newton(TOLERANCE, TOLERANCE, optimistix.rms_norm),
        stepsize_controller=diffrax.ConstantStepSize(),
        adjoint=EventPropAdjoint() if adjoint == "eventprop" else diffrax.RecursiveCheckpointAdjoint(),
        thresh=jnp.array(constant("threshold", NEVER)), vreset=jnp.array(constant("reset", 0.0)),
        tmem=jnp.array(constant("tau_mem")), tsyn=jnp.array(constant("tau_syn")),
        init_weights=jnp.array(w), init_bias=0.0,
    )

    def one_event(parameters, state, buffer):
        model = eqx.tree_at(lambda n: n.neuron_model.weights, net, parameters[0])
        return (eqx.tree_at(lambda n: n.delays, model, parameters[1]) if d.any() else model)(state, buffer)

    forward = eqx.filter_jit(one_event)

    def begin(parameters, moments):
        model = eqx.tree_at(lambda n: n.delays, net, parameters[1]) if d.any() else net
        return model.init_buffer(parameters[2], jnp.array(moments))

    @eqx.filter_jit
    def pull(parameters, state, buffer, cotangents):
        """Gradients by the outputs of an event, pulled back to parameters, state and times under
        way.
        """
        times, rest = eqx.partition(buffer, eqx.is_inexact_array)

        def event(parameters, state, times):
            t, _, state, buffer = one_event(parameters, state, eqx.combine(times, rest))
            return t, state, eqx.filter(buffer, eqx.is_inexact_array)

        return jax.vjp(event, parameters, state, times)[1](cotangents)

    def sweep(moments):
        """(time, spiking neurons, state after) of each event; and (state, buffer) before it."""
        state, buffer, found, before = net.init_state(), begin(parameters, moments), [], []
        while not net.spike_buffer.is_empty(buffer):
            before.append((state, buffer))
            t, spiked, state, buffer = forward(parameters, state, buffer)
            found.append((t, spiked, state))
        return found, before

    def evaluate(at_t, after):
        """Loss and readout, from the times of events and the states after them."""
        if "targets" in loss:
            own = [[at_t[k] for k in fired[j]] + [T] * len(t) for j, t in zip(read, loss["targets"])]
            errors = [t - x for a, b in zip(own, loss["targets"]) for t, x in zip(a, b)]
            return jnp.asarray(sum(error**2 for error in errors) / 2), None
        if loss["readout"] == "first_spike_time":
            y = [-(at_t[fired[j][0]] if fired[j] else T) / loss["time_scale"] for j in read]
        else:
            channel = 0 if loss["readout"] == "max_voltage" else 2
            y = [0.0 if k is None else after[k][j, channel] for j, k in zip(read, places)]
        y = jnp.array(y)
        return jax.nn.logsumexp(y) - y[loss["label"]], y

    parameters = tuple(jnp.array(values) for values in (w, d, t_in))
    moments = [np.inf] * len(read)
    seen, before = sweep(moments)
    places = [len(seen) - 1] * len(read)
    if loss.get("readout") == "max_voltage":
        plain = [(float(t), np.array(state)) for t, _, state in seen]
        moments, places = maxima(plain, read, constant("tau_mem"), constant("tau_syn"))
        seen, before = sweep(moments)
    fired = [[k for k, (_, spiked, _) in enumerate(seen) if spiked[j]] for j in range(count)]
    at_t, after = [t for t, _, _ in seen], [state for _, _, state in seen]
    (value, y), (of_t, of_state) = jax.value_and_grad(evaluate, (0, 1), has_aux=True)(at_t, after)

    last = (parameters, before[-1][0], eqx.filter(before[-1][1], eqx.is_inexact_array))
    gradient, to_state, to_times = jax.tree.map(jnp.zeros_like, last)
    for (state, buffer), own_t, own_state in reversed(list(zip(before, of_t, of_state))):
        more, to_state, to_times = pull(parameters, state, buffer, (own_t, to_state + own_state, to_times))
        gradient = jax.tree.map(jnp.add, gradient, more)
    start = eqx.filter_vjp(lambda p: eqx.filter(begin(p, moments), eqx.is_inexact_array), parameters)[1](to_times)[0]
    gradient = jax.tree.map(jnp.add, gradient, start)
    times = [[float(seen[k][0]) for k in own] for own in fired]
    return float(value), None if y is None else y.tolist(), times, [np.array(g) for g in gradient]


def maxima(seen, read, tau_mem, tau_syn):
    """Per neuron, the moment of its maximum, and the event whose state is the maximum.

    An infinite moment means no extra stop; None means the initial 0. The state after event k flows
    back in closed form to event k - 1, and the sign of the slope brackets the turning point.
    """
    import numpy as np

    ends = [0.0, *(t for t, _ in seen)]
    moments, at = [], []
    for j in read:
        best = (0.0, None, np.inf)
        for k, (end, state) in enumerate(seen):

            def flow(t, end=end, V=state[j, 0], I=state[j, 1], j=j):
                """V, and I - V, which has the sign of the slope."""
                h = t - end
                x = h / tau_mem[j] - h / tau_syn[j]
                gain = h / tau_mem[j] * np.exp(-h / tau_mem[j]) * (np.expm1(x) / x if x else 1.0)
                V = V * np.exp(-h / tau_mem[j]) + I * gain
                return V, I * np.exp(-h / tau_syn[j]) - V

            best = max(best, (flow(end)[0], k, np.inf), key=lambda one: one[0])
            low, high = ends[k], end
            if flow(low)[1] > 0 > flow(high)[1]:
                while low < (middle := (low + high) / 2) < high:
                    low, high = (middle, high) if flow(middle)[1] > 0 else (low, middle)
                best = max(best, (flow(low)[0], k, low), key=lambda one: one[0])
        moments, at = [*moments, best[2]], [*at, best[1]]
    # Each moment is one more event, directly before its own event, and shifts the number of later
    # events.
    earlier = [[other for other in moments if other < (own if own < np.inf else ends[k + 1] if k is not None else 0.0)]
               for own, k in zip(moments, at)]
    return moments, [None if k is None else k + len(before) for k, before in zip(at, earlier)]


if __name__ == "__main__":
    main()
