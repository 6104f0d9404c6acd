"""Braille letters read by touch: 24 channels of a fingertip, 27 classes, 40 spikes in 1.35 s.

Data of Mueller-Cleve et al., Front. Neurosci. 16:951164 (2022), Zenodo 7050094, as
`braille_{train,valid,test}.h5` in the layout of `fast.data.spike_files`.
"""

from dataclasses import replace

from delayprop.fast.tasks.spike_folder import SpikeFolder
from delayprop.fast.training.settings import Settings

DATA = SpikeFolder(
    "braille", ("train", "valid", "test"), channels=24, classes=27, duration=1350.0,
    source="get them from Zenodo 7050094 in the layout of fast/data/spike_files.py",
)
FEED_FORWARD = Settings(
    epochs=25, hidden=(256,), batch=32, tau_mem=50.0, tau_syn=20.0, readout="exp_weighted_voltage", gain=100.0,
    w_mean=0.3, w_sd=1.0, inner_mean=0.0, inner_sd=0.5, out_sd=0.01, delay=600.0, max_delay=DATA.duration, lr=6e-3,
    delay_lr=4.0, schedule="cosine", spikes_strength=1e-5, spikes_target=4.0, stretch=0.05, drop=0.05,
)
PRESETS = {
    "best": replace(FEED_FORWARD, recurrent=True, w_mean=0.6, w_sd=2.0, dropout=0.1, average=0.998),
    "feed-forward": FEED_FORWARD,
    # Two layers of 1024 as in the paper; the strength in the units of `fast.training.activity`. The
    # paper's first weights for these few spikes are not known: `rate` scales them.
    "paper": Settings(
        epochs=500, hidden=(1024, 1024), batch=256, readout="exp_weighted_voltage", rate=3.0, w_mean=0.03, w_sd=0.01,
        inner_mean=0.02, inner_sd=0.03, out_sd=0.03, out_delays=False, delay=0.0, lr=1e-3, delay_lr=0.025,
        ease_in=0.015, spikes_strength=4e-8, wake=0.002, patience=15,
    ),
}
SETTINGS = Settings
add_options, prepare = DATA.add_options, DATA.prepare
