"""The commands that the texts of the project tell a reader to type.

Texts are pages, docstrings, messages in the code, `make help` and `.ci/run`. A command is a line of
a block without highlighting, or inline code. Commands of others (`git log`, `curl`) are left out.
"""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc

from docs.hooks import parts
from tests import ROOT
from tests.support.house.sources import FILES, PYTHON_FILES, read

PROGRAM = (
    r"(?:[A-Z_]+=\S+ )?(?:python (?:-m [a-z]|\S+\.py\b)|delayprop [\w-]|make \w|\.ci/run|\.venv/bin/[a-z-]+ |torchrun -"
    r"|pytest -|git clone|pip install (?:-e )?'?\.)"
)
MENTIONED = re.compile(rf"(?:`|then: |^ *){PROGRAM}", re.MULTILINE)
STARTS = re.compile(rf"(?:^|(?<=; do )|(?<=then: ))(?={PROGRAM})")
ENDS = re.compile(r"\s+#|;|&|\||\s>")
ASSIGNED = re.compile(r'^ {4}(\w+)="([^"]+)"$', re.MULTILINE)
IN_HELP = re.compile(r'make [a-z-]+(?: ARGS=(?:"[^"]+"|[\w-]+))?')


def documented() -> dict[str, list[str]]:
    """The commands of each text that has some, as written."""
    found = {str(path): [*commands(read(path))] for path in FILES if path.suffix == ".md"}
    found["make help"] = IN_HELP.findall(printed_by_make("help"))
    found[".ci/run"] = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    for path in PYTHON_FILES:
        if MENTIONED.search(program := read(path)):
            texts = strings(program, only_first=path.parts[0] == "tests")
            found[str(path)] = [one for text in texts for one in commands(text)]
    return {name: [*dict.fromkeys(each)] for name, each in found.items() if each}


def commands(text: str) -> Iterator[str]:
    """The commands in the code of a Markdown text; variables of the shell have their values."""
    values = dict(ASSIGNED.findall(text))
    for code in (part for part, is_code in parts(text) if is_code):
        if re.match(r"```+[^`\n]", code):  # highlighted
            continue
        block = code.startswith(("    ", "```"))
        for line in re.sub(r"\\\n +", "", code).splitlines() if block else [" ".join(code.strip("`").split())]:
            for start in STARTS.finditer(line.strip()):
                command = ENDS.split(line.strip()[start.end() :])[0].strip()
                yield re.sub(r"\$(\w+)", lambda name: values.get(name[1], name[0]), command)


def strings(program: str, only_first: bool) -> Iterator[str]:
    """The texts in a Python file, or its first docstring; f-strings have their expressions."""
    tree = ast.parse(program)
    if only_first:
        yield ast.get_docstring(tree) or ""
        return
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                yield "".join(
                    str(one.value) if isinstance(one, ast.Constant) else f"{{{ast.unparse(one.value)}}}"
                    for one in values if isinstance(one, ast.Constant | ast.FormattedValue)
                )
            case ast.Constant(value=str(text)) if id(node) not in inner:
                yield cleandoc(text) + "\n"


@cache
def printed_by_make(*words: str) -> str:
    """What `make help` or `make -n TARGET` prints; neither starts a program of ours."""
    return subprocess.run(["make", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def recipe(command: str) -> list[str]:
    """The commands of Python that `make TARGET` starts, besides those that install."""
    lines = printed_by_make("-n", *shlex.split(command)[1:]).splitlines()
    return [found[1] for line in lines if (found := re.fullmatch(r"(?:\w+=\w+ )?\.venv\S*?/bin/(.+?) *", line))]
