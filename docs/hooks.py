"""Hooks of `mkdocs build`: formulas, inclusions, tables of results, and links that leave `docs/`.

- `<!-- include PATH -->` on its own line becomes the content of that file without its title.
- `<!-- paper -->` becomes the tables of `results/paper.toml` (`results/reproduce.py`).
- `<!-- runs PATH -->` becomes two tables of the recorded runs in that JSON-lines file: one row per
  setting, and one row per run.
- A link to a repository file outside `docs/` leads to a page made from that file, so the site is
  complete without the repository.

A path that does not exist stops the build.
"""

import json
import posixpath
import re
import statistics
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from delayprop.fast.training.settings import kind_of_delays
from docs.formulas import formula
from results.reproduce import page
from results.tables import percent

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "source"  # folder of the pages made from repository files
LISTING = "---\ntitle: {0}\nsearch:\n  exclude: true\n---\n\n# `{0}`\n\n{1}"
LANGUAGES = {".py": "python", ".json": "json", ".toml": "toml"}
DIRECTIVE = re.compile(r"^<!-- (?:(paper)|(include|runs) (.+?)) -->$", re.MULTILINE)
CODE = re.compile(
    r"^(```+).*?^\1$"  # fenced
    r"|(?<=\n\n)(?: {4}[^\n]*\n+)+"  # indented
    r"|(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\2(?!`)",  # inline
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
TOGETHER = re.compile(
    r'(<b><code><span title="[^"]*">\w+,)(</span></code></b>)\s*'
    r"\(<code>\(?((?:(?:<span[^>]*>)?\w+(?:</span>)?,? ?)+)\)?</code>\)"
)
WORD = re.compile(r"<(expected|got|remedy)>(?:</\1>)?")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add a page for every repository file that a page links to, directly or through such pages."""
    kind = type(next(iter(files)))  # mkdocs's class; `docs` does not import mkdocs
    uris = [file.src_uri for file in files.documentation_pages()]
    seen = set(uris)
    while uris:
        uri = uris.pop()
        if is_program(uri):
            continue
        for _, target in links(expanded(text_of(uri), uri), uri):
            if target not in seen and target.startswith(f"{SOURCE}/"):
                seen.add(target)
                uris.append(target)
                files.append(kind.generated(config, target, content=content(target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page as Markdown without directives."""
    uri = page.file.src_uri
    if uri.startswith(f"{SOURCE}/"):
        page.meta.setdefault("search", {"boost": 0.5})  # below the pages of the site
    return markdown if is_program(uri) else shown(markdown, uri)


def on_post_page(output: str, **_: Any) -> str:
    """Repair docstrings: in `w, d: ...` `d` was taken for a type, `<got>` for a tag."""
    return WORD.sub(r"&lt;\1&gt;", TOGETHER.sub(r"\1 \3\2", output))


def shown(markdown: str, uri: str) -> str:
    """A page with its directives, links and formulas replaced; `uri`: its place in the site."""
    text = expanded(markdown, uri)
    here = posixpath.dirname(uri) or "."
    new = {link: posixpath.relpath(target, here) for link, target in links(text, uri)}
    text = outside_code(text, lambda part: LINK.sub(lambda m: f"]({new[m[1]]}{m[2] or ''})", part))
    if uri.startswith(f"{SOURCE}/"):
        return text
    return outside_code(text, lambda part: FORMULA.sub(lambda f: formula(f[1] or f[2], bool(f[1])), part))


def is_program(uri: str) -> bool:
    return uri.startswith(f"{SOURCE}/") and repository_path(uri).suffix != ".md"


def repository_path(uri: str) -> Path:
    """The file that a page is made from."""
    if not uri.startswith(f"{SOURCE}/"):
        return ROOT / "docs" / uri
    path = ROOT / uri.removeprefix(f"{SOURCE}/")
    return path if path.exists() else path.with_suffix("")


def text_of(uri: str) -> str:
    return repository_path(uri).read_text(encoding="utf-8")


def content(uri: str) -> str:
    """The page made from a file: Markdown unchanged, others as a listing outside the search."""
    path = repository_path(uri)
    if path.suffix == ".md":
        return text_of(uri)
    title = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir() if entry.name != "__pycache__")
        return LISTING.format(f"{title}/", "".join(f"- `{name}`\n" for name in names))
    return LISTING.format(title, f"``````{LANGUAGES.get(path.suffix, 'text')}\n{text_of(uri)}``````\n")


def target_of(link: str, folder: Path, where: str) -> str:
    """The place in the site of a link's target; `FileNotFoundError`: there is none."""
    path = Path(posixpath.normpath((folder / link).as_posix()))
    if path.is_dir():
        path = next((path / name for name in ("README.md", "__init__.py") if (path / name).exists()), path)
    if not path.exists() or not path.is_relative_to(ROOT):
        raise FileNotFoundError(f"a link of {where} must lead to a file or folder of the repository, got {link}")
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix()
    return f"{SOURCE}/{path.relative_to(ROOT).as_posix()}" + ("" if path.suffix == ".md" else ".md")


def links(text: str, uri: str) -> Iterator[tuple[str, str]]:
    """Each link of a page into the repository: as written, and its place in the site."""
    prose = "".join(part for part, code in parts(text) if not code)
    for link in sorted({link for link, _ in LINK.findall(prose)}):
        yield link, target_of(link, repository_path(uri).parent, uri)


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The page in parts, in order; True: code."""
    end = 0
    for code in CODE.finditer(text):
        yield text[end : code.start()], False
        yield code[0], True
        end = code.end()
    yield text[end:], False


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Apply `change` to all parts of a page that are not code."""
    return "".join(part if code else change(part) for part, code in parts(text))


def expanded(text: str, uri: str) -> str:
    """The page with its inclusions and tables; links of an included text keep their targets."""

    def put(directive: re.Match[str]) -> str:
        if directive[1]:
            return page()
        path = ROOT / directive[3]
        if directive[2] == "runs":
            return runs(path)
        body = re.sub(r"\A# .*\n+", "", path.read_text(encoding="utf-8"))
        up = posixpath.relpath(path.parent.as_posix(), repository_path(uri).parent.as_posix())
        return outside_code(body, lambda part: LINK.sub(lambda m: f"]({up}/{m[1]}{m[2] or ''})", part)).rstrip()

    return DIRECTIVE.sub(put, text)


def runs(path: Path) -> str:
    """The recorded runs of one task: one row per setting, then one row per run."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((kind_of_delays(entry), entry["network"], entry["epochs"]), []).append(entry)
    lines = ["| delays | test accuracy | lowest to highest | seeds | spike counts | network | epochs | min per run |",
             "|---|--:|--:|--:|--:|---|--:|--:|"]
    for (name, network, epochs), members in groups.items():
        test = [100 * entry["test_accuracy"] for entry in members]
        counts = 100 * statistics.mean(entry["count_baseline"] for entry in members)
        minutes = statistics.median(entry["seconds"] for entry in members) / 60
        extremes = f"{min(test):.1f} to {max(test):.1f} %" if len(test) > 1 else "-"
        accuracy = percent(entry["test_accuracy"] for entry in members)
        cells = name, accuracy, extremes, str(len(members)), f"{counts:.1f} %", network, str(epochs), f"{minutes:.1f}"
        lines.append("| " + " | ".join(cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in cells) + " |")
    rows = "".join(
        f"<tr><td>{escape(kind_of_delays(entry))}</td><td>{entry['seed']}</td>"
        f"<td>{100 * entry['test_accuracy']:.2f} %</td>"
        f"<td>{entry['best_epoch']}</td><td>{entry['seconds']:.0f}</td><td><code>{entry['state_sha256'][:12]}</code></td></tr>"
        for entry in entries
    )
    head = "<tr><th>delays</th><th>seed</th><th>test</th><th>epoch</th><th>s</th><th>state</th></tr>"
    every = f"<details><summary>Each run ({len(entries)})</summary><table>{head}{rows}</table></details>"
    return "\n".join([*lines, "", every, ""])
