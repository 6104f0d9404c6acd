"""A small independent simulator in plain Python: `plain_peer.py CASE.json`.

It has one layer of spiking neurons, squared errors of spike times, and gradients by weights and
delays; it refuses all else with exit code 5. It shares only the case files with this project: no
NumPy, no `spec`. Between events the state flows in closed form; bisection finds a crossing before
the peak; the sensitivities `gV`, `gI` of the loss to the state flow back along the same events.
"""

import json
import sys
from math import exp, log
from typing import Any

Event = tuple[float, float, int | None, float]


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        case = json.load(file)
    populations = {population["name"]: population for population in case["populations"]}
    lif = [population for population in case["populations"] if population["kind"] == "lif"]
    if len(populations) != 2 or len(lif) != 1 or len(case["connections"]) != 1:
        return refuse("one layer of lif neurons only")
    if case["loss"]["kind"] != "spike_time_mse":
        return refuse("spike_time_mse only")
    (out,), (connection,) = lif, case["connections"]
    trains, targets, weights = case["inputs"][connection["source"]], case["loss"]["targets"], connection["weights"]
    dw = [[0.0] * out["size"] for _ in trains]
    dd = [[0.0] * out["size"] for _ in trains]
    loss, spikes = 0.0, []
    for j in range(out["size"]):
        tau_mem, tau_syn, v_th, v_reset = (of(out[key], j) for key in ("tau_mem", "tau_syn", "threshold", "reset"))
        if abs(tau_mem - tau_syn) < 0.1 * tau_mem:
            return refuse("time constants that differ only")
        arrivals = sorted((t + of(of(connection["delays"], i), j), i) for i, train in enumerate(trains) for t in train)
        steps = [(t, i) for t, i in arrivals if t <= case["duration"]] + [(case["duration"], None)]
        events = simulate(steps, [row[j] for row in weights], (tau_mem, tau_syn, v_th, v_reset))
        own = [t for t, _, i, _ in events if i is None]
        spikes.append(own)
        dL_dt = [t - target for t, target in zip(own, targets[j])]
        missing = [case["duration"] - target for target in targets[j][len(own) :]]
        loss += sum(error**2 for error in dL_dt + missing) / 2
        dL_dt += [0.0] * (len(own) - len(dL_dt))
        gV = gI = 0.0
        t_next, k = case["duration"], len(own)
        for t, _, i, I in reversed(events):
            a, b, c = flow(t_next - t, tau_mem, tau_syn)
            gV, gI, t_next = gV * a, gV * c + gI * b, t
            if i is None:
                k -= 1
                gV = gV * (I - v_reset) / (I - v_th) - dL_dt[k] * tau_mem / (I - v_th)
            else:
                dw[i][j] += gI
                dd[i][j] += weights[i][j] * (gI / tau_syn - gV / tau_mem)
    gradients = {"connections": [{"weights": dw, "delays": dd}]}
    print(json.dumps({"loss": loss, "spikes": {out["name"]: spikes}, "gradients": gradients}))
    return 0


def refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 5


def of(value: Any, k: int) -> Any:
    """An entry of a list, or the number that stands for all."""
    return value[k] if isinstance(value, list) else value


def flow(h: float, tau_mem: float, tau_syn: float) -> tuple[float, float, float]:
    """`V(h) = V a + I c`, `I(h) = I b`."""
    a, b = exp(-h / tau_mem), exp(-h / tau_syn)
    return a, b, (a - b) * tau_syn / (tau_mem - tau_syn)


def simulate(
    steps: list[tuple[float, Any]], w: list[float], constants: tuple[float, float, float, float]
) -> list[Event]:
    """`(t, V, source, I)` just after every event of a neuron; source None: its own spike. `steps`:
    its arrivals `(t, source)`, and the end of the trial, without a source."""
    tau_mem, tau_syn, v_th, v_reset = constants
    events: list[Event] = []
    t = V = I = 0.0
    for t_next, i in steps:
        while (h := crossing(V, I, t_next - t, tau_mem, tau_syn, v_th)) is not None:
            _, b, _ = flow(h, tau_mem, tau_syn)
            t, V, I = t + h, v_reset, I * b
            events.append((t, V, None, I))
        a, b, c = flow(t_next - t, tau_mem, tau_syn)
        t, V, I = t_next, V * a + I * c, I * b
        if i is not None:
            I += w[i]
            events.append((t, V, i, I))
    return events


def crossing(V: float, I: float, most: float, tau_mem: float, tau_syn: float, v_th: float) -> float | None:
    """Time until `V` reaches the threshold; None if later than `most`."""
    if I <= v_th:
        return None  # V cannot rise at the threshold, and I only falls
    rate = tau_syn / (tau_mem - tau_syn)
    # dV/dt = 0 where exp((1/tau_syn - 1/tau_mem) h) = this
    peak = log((I * rate * tau_mem / tau_syn) / (V + I * rate)) / (1 / tau_syn - 1 / tau_mem)
    low, high = 0.0, min(peak, most)

    def above(h: float) -> bool:
        a, _, c = flow(h, tau_mem, tau_syn)
        return V * a + I * c >= v_th

    if not above(high):
        return None
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if above(middle) else (middle, high)
    return high


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
