"""Rules of single lines that no linter has; each a function of (path, text) that gives findings.

Hidden faults: NaN lost, denominators softened. A line that has to test for NaN without raising in
the next three lines carries the comment `# nan-ok: reason`, or follows a line that is this comment.
These rules read text, without strings: they find the usual forms, and a review the others.
Swallowed exceptions, pickles and evaluated texts are rules of ruff (`pyproject.toml`).
"""

import re
from pathlib import PurePosixPath

STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
MARK = re.compile(r"# nan-ok:(.*)")
ASKS = re.compile(
    r"(?<![\w.\])])(\w[\w.]*(?:\[[^=]*\])?) [!=]= \1(?![\w.\[(])"  # x != x
    r"|\bis(?:nan|finite)\("
    r"|\bnan_?(?:to_num|sum|mean|median|max|min|prod|std|var|cumsum|cumprod|quantile|percentile|arg\w+)"
    r"|\bfm(?:ax|in)\b|\bGradScaler\b|\b(?:errstate|seterr)\([^)]*\b(?:invalid|all)="
)
RAISES = re.compile(r"\b(?:raise|assert|refuse|fail)")
NEAR = 4  # lines, the first included

TINY = r"\b(?:\d+e-\d+|0?\.00\d+|_?(?:eps|epsilon|tiny)(?:_\w+)?)\b"
SOFTENED = re.compile(
    rf"/ ?\((?:[^()]* [+-] {TINY}|{TINY} \+)|/ ?(?:\w+\.)?(?:max|maximum|fmax|clip)\([^)]*{TINY}"
    rf"|/ ?[\w.]+\.(?:clamp|clamp_min|clip)\([^)]*{TINY}", re.IGNORECASE
)
SWALLOWED = re.compile(r"\bsuppress\((?:Base)?Exception\b")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/[\w.]")
LINES = 400


def hidden_nan(path: PurePosixPath, text: str) -> list[str]:
    """Lines that may hide a NaN without a reason."""
    lines, found = STRING.sub('""', text).splitlines(), []
    for n, line in enumerate(lines):
        reasons = [mark[1].strip() for mark in map(MARK.search, lines[max(n - 1, 0) : n + 1]) if mark]
        near = "\n".join(lines[n : n + NEAR])
        if ASKS.search(line.partition("#")[0]) and not any(reasons) and not RAISES.search(near):
            found.append(f"{path}:{n + 1}: tests for NaN and does not raise")
    return found


def hidden_faults(path: PurePosixPath, text: str) -> list[str]:
    """Places where a vanishing denominator or an exception disappears; tests plant such texts."""
    rules = {"exception swallowed": SWALLOWED} | ({} if path.parts[0] == "tests" else {"epsilon": SOFTENED})
    return _lines(path, STRING.sub('""', text), rules)


def machine_paths(path: PurePosixPath, text: str) -> list[str]:
    """Absolute paths of one machine."""
    return _lines(path, text, {"machine path": MACHINE_PATH})


def long_file(path: PurePosixPath, text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if lines > LINES else []


def _lines(path: PurePosixPath, text: str, rules: dict[str, re.Pattern[str]]) -> list[str]:
    lines = enumerate(text.split("\n"), start=1)
    return [f"{path}:{n}: {what}" for n, line in lines for what, rule in rules.items() if rule.search(line)]
