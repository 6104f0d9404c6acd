"""A measurement in a few lines of text."""

from __future__ import annotations


def readable(found: dict) -> str:
    """The text that `python -m benchmarks.speed` prints without `--json`.

    Args:
        found: the measurement, as the JSON object.
    """
    per, checks = found["nanoseconds_per_arrival"], found["agreement"]
    layers = f"{found['layers']} x {found['hidden']}" if found["layers"] > 1 else str(found["hidden"])
    lines = [
        f"{found['workload']}: {found['inputs']}-{layers}-{found['outputs']}, {found['batch']} trials of "
        f"{found['duration']:g} ms, {found['spikes']} input spikes each, delays to {found['max_delay']:g} ms, "
        f"{found['dtype']}",
        f"on {found['device_name']}, {found['threads']} threads of {found['cores']} cores; "
        + ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        f"right: {_checks(checks)}",
        f"step {_time(found['seconds'])} = forward {_time(found['seconds_forward'])} + backward "
        f"{_time(found['seconds_backward'])}  (median of {found['repeats']})",
        f"{found['arrivals']:.3g} arrivals, {found['hidden_spikes_per_trial']:.1f} spikes per hidden neuron and trial",
    ]
    if found["arrivals"]:
        lines.append(f"{per['forward']:.2f} ns per arrival forward, {per['backward']:.2f} ns backward")
    peak = found["peak_added_mb"]
    lines.append("peak memory added: " + ("unknown here" if peak is None else f"{peak:.0f} MB"))
    other, floor = found["yardstick"], found["roofline"]
    if other is not None:
        scaled = f", {other['trials_run']} of {other['trials']} trials, scaled" if other["scaled_by"] != 1 else ""
        lines.append(
            f"time grid of {other['dt_ms']:g} ms in torch (approximate{scaled}): {_time(other['seconds'])}, "
            f"{other['ratio']:.1f} times ours"
        )
    if floor is not None:
        lines.append(
            f"only touching each arrival's weight and delay: {_time(floor['seconds'])}; "
            f"we take {floor['ratio']:.1f} times that"
        )
    return "\n".join(lines)


def _checks(checks: dict) -> str:
    precision, followed = checks["precision"], checks["followed"]
    shown = {
        "neurons with other spike counts than in float64": f"{precision['neurons_off']}",
        "residuals": " ".join(f"{n} {'-' if r is None else format(r, '.0e')}" for n, r in checks["residuals"].items()),
        f"{followed['spikes']} spikes followed one by one": f"{followed['spike_time_error_ms']:.0e} ms off",
    }
    errors = precision["neuron_gradient_error"] or precision["gradient_error"]
    shown["gradients"] = f"{max(errors.values()):.0e} off"
    difference = checks["finite_difference_error"]
    shown["finite differences"] = "none without other spike counts" if difference is None else f"{difference:.0e} off"
    return ", ".join(f"{name}: {value}" for name, value in shown.items())


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"
