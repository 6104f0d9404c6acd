# requires: snntorch>=1.0,<1.1
# requires: torch>=2.6
"""snnTorch (1.0.0): surrogate gradients on a time grid.

    python snntorch_adapter.py [--dt 1] CASE.json

Offers: any graph of its `Synaptic` neurons that reset to 0, on a grid of `--dt` ms: spikes, losses
and readouts; for voltage losses also gradients of weights and time constants, by torch's backward
pass through time.

**These gradients are surrogates if spikes lie between a weight and the loss**: another quantity
than the derivative of the loss, on purpose, and not meant to have its digits. Without spiking
layers the gradient is the one of the grid, right to first order in `dt`.

Settings: float64; exponentials, so that the flow between steps is exact; snnTorch's default
surrogate `atan(alpha=2)`; `reset_mechanism="subtract"`, also its default, at the step of the spike
(`reset_delay=False`). It keeps the rise after the crossing within the step, and so has better spike
times here than "zero", at every dt.

Conventions: each step `Synaptic` does `syn = alpha syn + input; mem = beta mem + syn`, without
units. With `alpha = exp(-dt/tau_syn)` and `beta = exp(-dt/tau_mem)` this is ours,
`tau_mem V' = -V + I` at the ends of steps, if `syn` is the current at the end of the step before,
times `gain`: the voltage that a current of 1 adds within a step. So arrivals enter one step later,
times `gain`. Spike times are ends of steps. Delays and input times are rounded to steps; this
adapter shifts spikes, since snnTorch has no delays. An `li` neuron is a `Synaptic` without reset
whose spikes are ignored.

Left out: gradients of delays (they are rounded), of input times, and of losses of spike times (a
spike time has no surrogate; the losses of `snntorch.functional` use the sign as gradient);
gradients of thresholds (`learn_threshold` learns by the surrogate); a reset other than 0, which
`Synaptic` lacks.
"""

import argparse
import json
import sys

import snntorch
import torch


def refuse(reason):
    print(reason, file=sys.stderr)
    sys.exit(5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dt", type=float, default=1.0, metavar="MS")
    parser.add_argument("case")
    options = parser.parse_args()
    with open(options.case, encoding="utf-8") as file:
        case = json.load(file)
    print(json.dumps(run(case, options.dt)))


def run(case, dt):
    steps = round(case["duration"] / dt)
    if steps < 1 or abs(steps * dt - case["duration"]) > 1e-9 * case["duration"]:
        refuse(f"no grid of {dt:g} ms in {case['duration']:g} ms")
    neurons = {p["name"]: p for p in case["populations"] if p["kind"] != "input"}
    if any(v != 0 for p in neurons.values() for v in torch.tensor(p.get("reset", 0.0)).reshape(-1).tolist()):
        refuse("no reset other than 0")
    layers = {name: Layer(p, dt) for name, p in neurons.items()}
    links = [Link(c, dt) for c in case["connections"]]
    order = in_order(list(neurons), links)
    fed = {p["name"]: fed_in(case["inputs"][p["name"]], dt, steps) for p in case["populations"] if p["kind"] == "input"}
    for n in range(steps + 1):
        for name in fed:
            send(links, layers, name, n, fed[name][n])
        for name in order:
            spikes = layers[name].step(n)
            if neurons[name]["kind"] == "lif":
                send(links, layers, name, n, spikes)
    return result(case, dt, steps, neurons, layers, links)


def in_order(names, links):
    """Populations in an order in which arrivals without delay come from earlier ones."""
    order = []
    while left := [name for name in names if name not in order]:
        waiting = {k.target for k in links if 0 in k.by_delay and k.source in left}
        free = [name for name in left if name not in waiting]
        if not free:
            refuse("no loop of delays that round to 0 steps")
        order += free
    return order


def fed_in(trains, dt, steps):
    """Input spikes by step, `[steps + 1, neurons]`."""
    fed = torch.zeros(steps + 1, len(trains), dtype=torch.float64)
    for i, train in enumerate(trains):
        for t in train:
            if (n := int(t / dt + 0.5)) <= steps:
                fed[n, i] += 1.0
    return fed


def send(links, layers, source, n, spikes):
    """Schedule the spikes of step n; input spikes, which need no graph, only if there are any."""
    if not spikes.requires_grad and not spikes.any():
        return
    for link in links:
        if link.source == source:
            for delay, there in link.by_delay.items():
                arriving = layers[link.target].arriving
                arriving[n + delay] = arriving.get(n + delay, 0.0) + spikes @ (link.w * there)


class Link:
    """One connection: its weights, and a mask of them for each delay in steps."""

    def __init__(self, c, dt):
        self.source, self.target = c["source"], c["target"]
        weights = [[0.0 if w is None else w for w in row] for row in c["weights"]]
        self.w = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
        given = c["delays"] if isinstance(c["delays"], list) else [[c["delays"]] * len(row) for row in c["weights"]]
        delays = torch.tensor([[0.0 if d is None else d for d in row] for row in given], dtype=torch.float64)
        whole = torch.floor(delays / dt + 0.5).long()
        there = torch.tensor([[w is not None for w in row] for row in c["weights"]])
        self.by_delay = {k: ((whole == k) & there).double() for k in sorted(set(whole[there].tolist()))}


class Layer:
    """A population of `Synaptic` neurons; `arriving` holds currents by step."""

    def __init__(self, p, dt):
        def constant(name):
            return torch.tensor(p[name], dtype=torch.float64).expand(p["size"]).clone()

        self.tau_mem, self.tau_syn = constant("tau_mem").requires_grad_(), constant("tau_syn").requires_grad_()
        x = dt / self.tau_mem - dt / self.tau_syn
        near = x.abs() < 1e-4  # there (exp(x) - 1) / x by its series, also for its derivative
        ratio = torch.where(near, 1 + x / 2 + x * x / 6, torch.expm1(x) / torch.where(near, torch.ones_like(x), x))
        beta = torch.exp(-dt / self.tau_mem)
        self.gain = dt / self.tau_mem * beta * ratio
        spiking = p["kind"] == "lif"
        self.neuron = snntorch.Synaptic(
            torch.exp(-dt / self.tau_syn), beta, threshold=constant("threshold") if spiking else 1.0,
            reset_mechanism="subtract" if spiking else "none", reset_delay=False,
        )
        self.arriving, self.V, self.spikes = {}, [], []
        self.syn = self.mem = torch.zeros(p["size"], dtype=torch.float64)

    def step(self, n):
        # A product, so the shape is right if nothing arrives.
        current = self.gain * self.arriving.pop(n - 1, torch.zeros_like(self.gain))
        fired, self.syn, self.mem = self.neuron(current, self.syn, self.mem)
        self.V.append(self.mem)
        self.spikes.append(fired)
        return fired.double()


def result(case, dt, steps, neurons, layers, links):
    """The result, in the layout of the command lines."""
    trains = {
        name: [[dt * n for n in torch.stack(layers[name].spikes)[:, j].nonzero()[:, 0].tolist()] if p["kind"] == "lif"
               else [] for j in range(p["size"])] for name, p in neurons.items()
    }
    loss, T, layer = case["loss"], case["duration"], layers[case["loss"]["population"]]
    own = trains[loss["population"]]
    if "targets" in loss:
        errors = [(train + [T] * len(t))[k] - t[k] for train, t in zip(own, loss["targets"]) for k in range(len(t))]
        return {"loss": sum(error**2 for error in errors) / 2, "spikes": trains}
    V, t = torch.stack(layer.V), dt * torch.arange(steps + 1)
    if loss["readout"] == "first_spike_time":
        y = torch.tensor([-(train + [T])[0] / loss["time_scale"] for train in own], dtype=torch.float64)
    elif loss["readout"] == "max_voltage":
        y = V.max(0).values
        if neurons[loss["population"]]["kind"] == "lif":
            refuse("no maximum of neurons that spike: it is their threshold")
    else:
        rate = 0.0 if loss["readout"] == "mean_voltage" else 1 / T
        y = torch.exp(-rate * t[1:].double()) @ V[1:] / steps
    value = torch.logsumexp(y, 0) - y[loss["label"]]
    found = {"loss": value.item(), "readout": y.tolist(), "spikes": trains}
    if loss["readout"] != "first_spike_time":
        value.backward()
        found["gradients"] = {
            "connections": [{"weights": link.w.grad.tolist()} for link in links],
            "populations": {name: {"tau_mem": each.tau_mem.grad.tolist(), "tau_syn": each.tau_syn.grad.tolist()}
                            for name, each in layers.items() if each.tau_mem.grad is not None},
        }
    return found


if __name__ == "__main__":
    main()
