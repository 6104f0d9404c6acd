"""Agreement of everything with everything; one room a subject, helpers in `support`, makers in
`tools`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
