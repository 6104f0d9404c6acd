"""No package that is shipped runs what it reads; planted readers must be found, and lawful neighbours must not."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.support.house.imports import MAY_IMPORT, PYTHON_FILES, read
from tests.support.house.loading import PACKAGES, code_that_is_read


def test_no_package_runs_what_it_reads() -> None:
    files = [path for path in PYTHON_FILES if path.parts[0] in PACKAGES]
    assert {path.parts[0] for path in files} == set(PACKAGES) == set(MAY_IMPORT)
    found = [line for path in files for line in code_that_is_read(path, read(path).decode())]
    assert not found, "\n".join(found)


def test_checkpoints_are_read_by_what_the_rule_allows() -> None:
    """So the rule has something to look at."""
    text = read(PurePosixPath("fast/training/checkpoints.py")).decode()
    path, word = PurePosixPath("fast/a.py"), "weights_only=True"
    assert text.count(word) == 1 and code_that_is_read(path, text) == []
    assert len(code_that_is_read(path, text.replace(word, "weights_only=False"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import cloudpickle as p",
        "from pickle import loads",
        "from _pickle import Unpickler",
        'import importlib\np = importlib.import_module("pickle")',
        'p = __import__("dill")',
        "import shelve",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import unsafe_load\nunsafe_load(text)",
        "x = eval(text)",
        "exec(text)",
        "import builtins\nbuiltins.eval(text)",
        "run = eval",
        'code = compile(text, "x", "exec")',
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=safe)",
        "import torch\ntorch.load(path, None, pickle)",
        "import torch\ntorch.load(path, **options)",
        "import torch as t\nt.load(path)",
        "from torch import load as read\nread(path)",
        "from torch.serialization import load\nload(path)",
        "import torch\nread = torch.load",
        'import torch\ngetattr(torch, "load")(path)',
        "import torch\ntorch.hub.load(repo, model)",
        "import torch\ntorch.serialization.add_safe_globals([Thing])",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=flag)",
        "import numpy as np\nnp.load(path, None, True)",
        "from numpy import load\nload(path, **options)",
        "import pandas as pd\npd.read_pickle(path)",
        "import runpy\nrunpy.run_path(path)",
    ],
)
def test_control_a_reader_that_runs_code_is_found(text: str) -> None:
    assert len(code_that_is_read(PurePosixPath("fast/a.py"), text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch.load(path, weights_only=True)",
        'import torch\ntorch.load(io.BytesIO(body), map_location="cpu", weights_only=True)',
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, mmap_mode='r', allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "import json\njson.loads(text)",
        "model.eval()",
        "import re\nre.compile(text)",
        "import torch\ntorch.compile(model)",
        "from ast import literal_eval\nliteral_eval(text)",
        "kept = checkpoints.load()",
        "before = builder.load(at)",
        "def load(path):\n    return read(path)\nload(path)",
        "from fast import pickles",
    ],
)
def test_control_a_reader_of_plain_data_is_left_alone(text: str) -> None:
    assert code_that_is_read(PurePosixPath("fast/a.py"), text) == []
