"""The pictures and the page of a run of a task that classifies."""

from matplotlib.figure import Figure

from delayprop.fast.data.records import Record
from delayprop.fast.drawing import answers, curves, synapses
from delayprop.fast.drawing.pages import page, percent, templates
from delayprop.fast.drawing.run_record import Run, read
from delayprop.fast.drawing.style import COLOURS, literal, plain, save, subplots, write

TASKS = {
    "yin-yang": "Yin-Yang", "braille": "Braille letters", "shd": "Spoken digits (SHD)", "ssc": "Spoken commands (SSC)",
    "spikes": "Spikes of your own",
}


def draw(record: Record) -> list[str]:
    """Draws `training.png` and `run.html` into the folder of the run; returns their paths."""
    run, folder = read(record), record.folder
    return [save(overview(run), folder, "training.png"), write(html(run).encode(), folder, "run.html")]


def overview(run: Run) -> Figure:
    """Accuracy, loss, activity, and the delays of the first layer."""
    figure, ((accuracy, loss), (spikes, delays)) = subplots(10, 6.5, 2, 2)
    silent = spikes.twinx()
    curves.draw_accuracy(accuracy, run)
    curves.draw_loss(loss, run)
    synapses.histogram(delays, run.page.layers[0])
    curves.draw_activity(spikes, silent, run, (COLOURS[2], COLOURS[3]))
    for axes, colour in ((spikes, COLOURS[2]), (silent, COLOURS[3])):
        axes.yaxis.label.set_color(colour)
        axes.tick_params(axis="y", colors=colour)
    for axes in (accuracy, loss):
        axes.legend(frameon=False, fontsize=8)
    for axes in (accuracy, loss, spikes):
        curves.whole_epochs(axes)
    what = f"{literal(run.result['task'])}, {run.result['network']}"
    plain(accuracy, "epoch", "accuracy, %", f"{what}: {run.result['test_accuracy']:.1%} on the test split")
    plain(loss, "epoch", "loss")
    plain(spikes, "epoch", "spikes per hidden neuron and trial")
    plain(silent, "", "silent hidden neurons, %")
    plain(delays, "delay, ms", f"synapses, {run.page.layers[0].name}")
    silent.spines["right"].set_visible(True)
    figure.tight_layout()
    return figure


def html(run: Run) -> str:
    """The page of the run; equal records give equal bytes."""
    settings = {name: _plain(value) for name, value in run.options.items() if name != "changed"}
    first = [name for name in run.options.get("changed", "").split() if name in settings]
    in_order = {name: settings[name] for name in [*first, *settings]}
    return page(
        templates(), "run.html", run=run, title=title(run), card=card(run), settings=in_order, first=first,
        answers=answers, curves=curves, synapses=synapses,
    )


def card(run: Run) -> list[tuple[str, str, str]]:
    """The run at a glance: name, value and what it is of. A run of an older version has less."""
    found = run.result
    low, high = map(percent, found["interval"])
    entries = [("test accuracy", percent(found["test_accuracy"]), f"95 % interval: {low} to {high}")]
    if "learned_parameters" in found:
        worst, of = "not measured", "no trial in float32 was repeated in float64"
        if found.get("float64") is not None:
            worst, of = f"{found['float64']:.0e}", "of a block, one trial against float64, worst certified step"
        entries += [
            ("learned parameters", f"{found['learned_parameters']:,}", f"{found['learned_delays']:,} of them delays"),
            ("spikes", f"{found['spikes_per_neuron']:.3g}", "per hidden neuron and test trial"),
            ("arrivals", f"{found['arrivals_per_trial']:,.0f}", "of spikes at synapses, per test trial"),
            ("time per epoch", f"{found['seconds_per_epoch']:.3g} s", "median"),
            ("peak memory", f"{found['peak_memory_mib']:,.0f} MiB", "of the whole process"),
            ("gradient error", worst, of),
        ]
    return entries


def title(run: Run) -> str:
    """The task, the network and the kind of its delays, in words."""
    found, options = run.result, run.options
    hidden = " and ".join(found["network"].split("-")[1:-1])
    recurrent = "recurrent" if options.get("recurrent") else "hidden"
    delays = "delays as drawn" if options.get("freeze_delays") else "learned delays"
    if options.get("freeze_delays") and options.get("delay") == 0:
        delays = "no delays"
    task = TASKS.get(found["task"], found["task"])
    return f"{task}: {hidden} {recurrent} neurons, {delays}, seed {options['seed']}"


def _plain(value: object) -> str:
    """A value of the command line as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return " ".join(map(_plain, value)) or "-"
    return str(value)
