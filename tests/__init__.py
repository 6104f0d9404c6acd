"""The tests: one room per subject, helpers in `support`, makers in `tools`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
