"""A browser without a window, for pages that lie in a folder; it reaches no network."""

import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
)
TIME = 20_000  # ms, of the page's own clock, for its scripts


def browser() -> str | None:
    """The program, or None where this machine has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def after_scripts(address: str, profile: Path, *flags: str) -> str:
    """The HTML of a page after its scripts have run; `profile`: an empty folder for the browser."""
    program = browser()
    assert program is not None
    command = [program, *FLAGS, *flags, f"--user-data-dir={profile}", f"--virtual-time-budget={TIME}", "--dump-dom"]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
