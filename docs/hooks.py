"""What `mkdocs build` does to the pages: formulas, inclusions, tables of results, and links that leave `docs/`.

- `<!-- include PATH -->` on a line of its own stands for that file without its title, and `PATH#Heading` for the list
  below that heading.
- `<!-- runs PATH -->` stands for two tables of the recorded runs in that file of JSON lines: settings, and each run.
- A link to a file of the repository that is no page leads to a page made of that file, so the site is whole by itself.

A path that does not exist stops the build.
"""

from __future__ import annotations

import json
import posixpath
import re
import statistics
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from docs import mathml

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "source"  # where pages made of files of the repository are
DIRECTIVE = re.compile(r"^<!-- (include|runs) ([^#\n]+?)(?:#([^\n]+))? -->$", re.MULTILINE)
CODE = re.compile(
    r"^(```+).*?^\1$"  # fenced
    r"|(?<=\n\n)(?: {4}[^\n]*\n+)+"  # indented
    r"|(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\2(?!`)",  # within a line
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
    """Add a page for every file of the repository that a page links to, and that such pages link to in their turn."""
    kind = type(next(iter(files)))  # of mkdocs, which `docs` does not import
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
    """The page as it is shown."""
    uri = page.file.src_uri
    return markdown if is_program(uri) else shown(markdown, uri)


def on_post_page(output: str, **_: Any) -> str:
    """Mend docstrings: names told of together, `w, d: ...`, of which the second was taken for a type, and words to be
    filled in, `<got>`, that were taken for tags."""
    return WORD.sub(r"&lt;\1&gt;", TOGETHER.sub(r"\1 \3\2", output))


def shown(markdown: str, uri: str) -> str:
    """A page of this place in the site, with all of the above done."""
    text = expanded(markdown, uri)
    here = posixpath.dirname(uri) or "."
    new = {link: posixpath.relpath(target, here) for link, target in links(text, uri)}
    text = outside_code(text, lambda part: LINK.sub(lambda m: f"]({new[m[1]]}{m[2] or ''})", part))
    if uri.startswith(f"{SOURCE}/"):
        return text
    return outside_code(text, lambda part: FORMULA.sub(lambda f: mathml.of(f[1] or f[2], bool(f[1])), part))


def is_program(uri: str) -> bool:
    return uri.startswith(f"{SOURCE}/") and repository_path(uri).suffix != ".md"


def repository_path(uri: str) -> Path:
    """The file that a page is made of."""
    if not uri.startswith(f"{SOURCE}/"):
        return ROOT / "docs" / uri
    path = ROOT / uri.removeprefix(f"{SOURCE}/")
    return path if path.exists() else path.with_suffix("")


def text_of(uri: str) -> str:
    return repository_path(uri).read_text(encoding="utf-8")


def content(uri: str) -> str:
    """The page made of a file: Markdown as it is, anything else as a listing, which the search leaves out."""
    path = repository_path(uri)
    if path.suffix == ".md":
        return text_of(uri)
    title = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        names = "\n".join(sorted(f"- `{entry.name}`" for entry in path.iterdir() if entry.name != "__pycache__"))
        return f"---\ntitle: {title}/\nsearch:\n  exclude: true\n---\n\n# `{title}/`\n\n{names}\n"
    language = {".py": "python", ".json": "json", ".toml": "toml"}.get(path.suffix, "text")
    head = f"---\ntitle: {title}\nsearch:\n  exclude: true\n---\n\n# `{title}`\n"
    return f"{head}\n``````{language}\n{text_of(uri)}``````\n"


def target_of(link: str, folder: Path, where: str) -> str:
    """The place in the site of what a link names.

    Raises:
        FileNotFoundError: nothing is there.
    """
    path = Path(posixpath.normpath((folder / link).as_posix()))
    if path.is_dir():
        path = next((path / name for name in ("README.md", "__init__.py") if (path / name).exists()), path)
    if not path.exists() or not path.is_relative_to(ROOT):
        raise FileNotFoundError(f"a link of {where} must lead to a file or folder of the repository, got {link}")
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix()
    return f"{SOURCE}/{path.relative_to(ROOT).as_posix()}" + ("" if path.suffix == ".md" else ".md")


def links(text: str, uri: str) -> Iterator[tuple[str, str]]:
    """Each link of a page to something of the repository, as it is written and where in the site it leads."""
    prose = "".join(part for part, code in parts(text) if not code)
    found = {link for link, _ in LINK.findall(prose)}
    for link in sorted(found):
        yield link, target_of(link, repository_path(uri).parent, uri)


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """The page in parts, in order, and of each whether it is code."""
    end = 0
    for code in CODE.finditer(text):
        yield text[end : code.start()], False
        yield code[0], True
        end = code.end()
    yield text[end:], False


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a page everywhere but in its code."""
    return "".join(part if code else change(part) for part, code in parts(text))


def expanded(text: str, uri: str) -> str:
    """The page of this place with its inclusions and tables; links of what is included lead where they led."""

    def put(directive: re.Match[str]) -> str:
        path = ROOT / directive[2]
        if directive[1] == "runs":
            return runs(path)
        body = re.sub(r"\A# .*\n+", "", path.read_text(encoding="utf-8"))
        body = body if directive[3] is None else section(body, directive[3])
        up = posixpath.relpath(path.parent.as_posix(), repository_path(uri).parent.as_posix())
        return outside_code(body, lambda part: LINK.sub(lambda m: f"]({up}/{m[1]}{m[2] or ''})", part)).rstrip()

    return DIRECTIVE.sub(put, text)


def section(text: str, heading: str) -> str:
    """The list that stands right below a heading of the second level.

    Raises:
        LookupError: there is no such heading, or no list.
    """
    found = re.search(rf"^## {re.escape(heading)}\n\n((?:- .*\n(?:  .*\n)*)+)", text, re.MULTILINE)
    if found is None:
        raise LookupError(f"a page includes the list below {heading!r}, which is not there; rename it in the page too")
    return found[1]


def runs(path: Path) -> str:
    """The recorded runs of one task: a line for each of its settings, and below each run."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((delays(entry), entry["network"], entry["epochs"]), []).append(entry)
    lines = ["| delays | test accuracy | lowest to highest | seeds | spike counts | network | epochs | minutes a run |",
             "|---|--:|--:|--:|--:|---|--:|--:|"]
    for (name, network, epochs), members in groups.items():
        test = [100 * entry["test_accuracy"] for entry in members]
        many = len(test) > 1
        mean = f"{statistics.mean(test):.1f}" + (f" ± {statistics.stdev(test):.1f}" if many else "")
        counts = 100 * statistics.mean(entry["count_baseline"] for entry in members)
        minutes = statistics.median(entry["seconds"] for entry in members) / 60
        cells = [name, f"{mean} %", f"{min(test):.1f} to {max(test):.1f} %" if many else "-",
                 str(len(members)), f"{counts:.1f} %", network, str(epochs), f"{minutes:.1f}"]
        lines.append("| " + " | ".join(cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in cells) + " |")
    rows = "".join(
        f"<tr><td>{escape(delays(entry))}</td><td>{entry['seed']}</td><td>{100 * entry['test_accuracy']:.2f} %</td>"
        f"<td>{entry['best_epoch']}</td><td>{entry['seconds']:.0f}</td><td><code>{entry['state_sha256'][:12]}</code></td></tr>"
        for entry in entries
    )
    head = "<tr><th>delays</th><th>seed</th><th>test</th><th>epoch</th><th>s</th><th>state</th></tr>"
    every = f"<details><summary>Each run ({len(entries)})</summary><table>{head}{rows}</table></details>"
    return "\n".join([*lines, "", every, ""])


def delays(entry: dict[str, Any]) -> str:
    """What became of the delays of a run."""
    if not entry["freeze_delays"]:
        return "learned"
    return "none" if entry["delay"] == 0 else "as drawn"
