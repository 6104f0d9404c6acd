"""`run.html`: one self-contained file with the content of the records, of odd runs too."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from delayprop.fast.drawing.classification import html
from delayprop.fast.drawing.curves import certificate
from reports.__main__ import main
from tests.support.house.docs_pages import Outline, after_scripts, browser
from tests.support.runs.recorded_runs import CARD, Arrays, Change, lines, made, read, recorded, results, settings

pytestmark = pytest.mark.full


def drawn(folder: Path) -> Outline:
    assert main([str(folder)]) == 0
    outline = Outline((folder / "run.html").read_text(encoding="utf-8"))
    assert outline.in_order
    return outline


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> str:
    return html(read(made(tmp_path_factory.mktemp("run"))))


def test_the_page_needs_nothing_but_itself(content: str) -> None:
    outline, prefix = Outline(content), "data:image/svg+xml;base64,"
    assert outline.in_order
    assert "http" not in content and "@import" not in content and "url(" not in content
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in outline.elements}
    assert all(tag == "a" for tag, attributes in outline.elements if "href" in attributes), "see the contents"
    sources = outline.of("src", "img")
    assert sources and all(source.startswith(prefix) for source in sources)
    for source in sources:
        root = ElementTree.fromstring(base64.b64decode(source.removeprefix(prefix), validate=True))
        references = [value for one in root.iter() for name, value in one.attrib.items() if name.endswith("href")]
        assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_every_picture_has_a_name_and_one_sentence(content: str) -> None:
    names = Outline(content).of("alt", "img")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", content, re.DOTALL)
    assert len(captions) == len(names) == len(set(names)) == 16
    for caption in captions:
        assert caption.endswith(".") and not re.search(r"\.\s+[A-Z]", caption)


def test_the_page_says_what_the_records_say(content: str) -> None:
    text = Outline(content).text
    for words in (
        "Yin-Yang: 6 hidden neurons, learned delays, seed 7", "task yin-yang network 4-6-3",
        "test accuracy 75.0 % 95 % interval: 66.0 % to 82.0 %", "test trials 120",
        "spike counts alone 35.0 %", "best epoch 2 of 3", "validation accuracy in it 65.0 %",
        "Validation chose epoch 2; its network was evaluated on the test split once", "time of all epochs 4 s",
        "All 9 settings", "out runs/mine", "resume no", "dtype float32", "hidden 30", "lr 0.02", "data -",
        "data_sha256 train.h5: ab12, test.h5: cd34", "class trials correct accuracy most frequent error",
        "0 40 30 75.0 % 1 (10)", "2 40 30 75.0 % 0 (10)", "(every trial has an answer)",
        "all delays were 0 ms before (line)", "darker for a larger absolute weight",
        "the unit roundoff 6.0e-08 of float32", "Test trial 40, of class 1, answer 1 (correct)",
        "Test trial 70, of class 1, answer 2 (wrong)",
        "3 trials of the test split with a right answer and 3 with a wrong one, each the first of its class.",
    ):
        assert words in text, words


def test_the_contents_lead_to_every_section_in_order(content: str) -> None:
    """The curves come first, the settings last and folded."""
    outline = Outline(content)
    ids = outline.of("id", "section")
    assert outline.of("href", "a") == [f"#{one}" for one in ids]
    assert ids == ["learning", "answers", "delays", "trials", "certificate", "the-run"]
    assert re.search(r"<details>\s*<summary>All 9 settings</summary>", content)


@pytest.mark.skipif(browser() is None, reason="needs a browser without a window, such as chromium")
def test_the_page_is_one_column_and_no_wider_than_its_window(content: str, tmp_path: Path) -> None:
    """In two, pictures of unequal heights would leave holes."""
    script = """<script>onload = () => document.title = JSON.stringify([
        document.documentElement.scrollWidth <= innerWidth, document.querySelector("#delays").children.length,
        new Set([...document.querySelectorAll("section > *")].map((one) => one.offsetLeft)).size])</script>"""
    (tmp_path / "page.html").write_text(content.replace("</head>", f"{script}</head>"), encoding="utf-8")
    for width in (1600, 500):
        address = (tmp_path / "page.html").as_uri()
        page = after_scripts(address, tmp_path / str(width), f"--window-size={width},900")
        assert re.search(r"<title>\[true,[0-9]+,1\]", page), page[:600]


def test_the_certificate_names_each_of_its_curves_within_the_picture(tmp_path: Path) -> None:
    lines(C=1e-9, float64=2e-7)(made(tmp_path))
    figure = certificate(read(tmp_path))
    legend = figure.axes[0].get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["A", "B", "C", "float64", "unit roundoff"]
    box, whole = legend.get_window_extent(), figure.bbox
    assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1


def test_a_large_network_gives_a_page_that_can_be_sent(tmp_path: Path) -> None:
    drawn(made(tmp_path, (700, 256, 20), epochs=100, spikes=14))
    assert (tmp_path / "run.html").stat().st_size < 4_000_000


def frozen(found: Arrays) -> None:
    for name in [name for name in found if name.startswith("d_after")]:
        found[name] = found[name.replace("after", "before")]


def no_delays(found: Arrays) -> None:
    for name in [name for name in found if name.startswith("d_")]:
        found[name][:] = 0


def recurrent(found: Arrays) -> None:
    for name in ("w_after", "d_before", "d_after"):
        found[name.replace("_", "_rec_") + "_0"] = found[f"{name}_0"][[0, 1, 2, 3, 0, 1]]


def silent(found: Arrays) -> None:
    """A trial without spikes and without an answer."""
    for name in ("times_1_0", "times_1_1", "units_1_0", "units_1_1", "arrivals_1"):
        found[name] = found[name][:0]
    found["V_1"][:] = found["y_1"][:] = 0


def wrong_and_late(found: Arrays) -> None:
    """A trial with a wrong answer, and arrivals only after the end."""
    found["y_0"], found["arrivals_0"] = np.array([0.0, 2.0, 1.0]), np.array([[60.0, 1.0], [70.0, -1.0]])


def only_right(found: Arrays) -> None:
    """As an older version recorded them, without their numbers."""
    later = r"(label|y|V|arrivals|times|units)_[3-5](_\d)?|trial_\d"
    for name in [name for name in found if re.fullmatch(later, name)]:
        del found[name]


def one_trial(found: Arrays) -> None:
    only_right(found)
    for name in [name for name in found if re.fullmatch(r"(label|y|V|arrivals|times|units)_[12](_\d)?", name)]:
        del found[name]


NO_CLASS_2 = [[30, 10, 0, 0], [0, 30, 10, 0], [0, 0, 0, 0]]
ALL_RIGHT = [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0]]
ALL_WRONG = [[0, 9, 0, 0], [9, 0, 0, 0], [9, 0, 0, 0]]
NO_ANSWER = [[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 9]]
SILENT = {"spikes_per_neuron": 0.0, "silent": 1.0, "silent_steps": 5, "kappa_min": None, "gradient": {"w": 0.0}}
EXTREME = {"kappa_min": 5e-324, "A": 1e300, "B": 5e-324, "gradient": {"w": 1e300, "d": 5e-324}}
ODD: dict[str, tuple[list[Change], list[str]]] = {
    "delays frozen, residuals 0": ([
        settings(freeze_delays=True, delay=5.0), recorded(frozen),
        lines(gradient={"w": 0.1, "w_out": 0.2}, clamped=0, A=0.0, B=0.0, C=0.0),
    ], [
        "Yin-Yang: 6 hidden neurons, delays as drawn", "No delay from input to hidden moved.",
        "No delay from hidden to output moved: all are 0 ms.", "exactly 0",
    ]),
    "no delays, a class without trials": ([
        settings(freeze_delays=True, delay=0.0), recorded(no_delays), lines(gradient={"w": 0.1}, clamped=0),
        results(answers=NO_CLASS_2),
    ], [
        "Yin-Yang: 6 hidden neurons, no delays", "No delay from input to hidden moved: all are 0 ms.", "2 0 0 - -",
    ]),
    "recurrent": ([settings(recurrent=True), recorded(recurrent)], [
        "Yin-Yang: 6 recurrent neurons, learned", "Histogram of the delays of the 36 synapses from hidden to itself",
    ]),
    "a trial silent, one wrong and late": ([recorded(silent), recorded(wrong_and_late)], [
        "class 1, no answer (wrong),", "Test trial 0, of class 0, answer 1 (wrong)",
        "1 trials of the test split with a right answer and 5 with a wrong one,",
    ]),
    "one trial, not certified": ([recorded(one_trial), lines(A=None, B=None, C=None)], [
        "A test trial of class 0, answer 0 (correct)", "No residual is recorded: no step was",
    ]),
    "an older version": ([recorded(only_right)], [
        "3 trials of the test split with a right answer and 0 with a wrong one, each the first of its class: an older "
        "version recorded this run, and kept no wrong trial.",
    ]),
    "none wrong": ([recorded(only_right), results(answers=ALL_RIGHT, test_accuracy=1.0)], [
        "0 with a wrong one, each the first of its class: no answer is wrong.",
    ]),
    "all silent, all wrong": ([lines(**SILENT), results(answers=ALL_WRONG, test_accuracy=0)], [
        "steps in which a whole hidden layer was silent: 15.", "test accuracy 0.0 %",
    ]),
    "weights frozen, trials without an answer": ([
        lines(gradient={"d": 0.0}), results(answers=NO_ANSWER, test_accuracy=2 / 3),
    ], ["the last column: no answer, no single readout is largest"]),
    "the last epoch, in float64": ([settings(choose="last", dtype="float64"), results(best_epoch=3)], [
        "marks epoch 3, the last, the star", "last epoch 3 of 3 validation accuracy in it 64.0 %",
        "The options chose the last epoch, 3;", "the unit roundoff 1.1e-16 of float64",
    ]),
    "tiny and huge, settings that differ from the preset": ([
        lines(**EXTREME), settings(preset="best", changed="lr hidden"),
    ], ["All 10 settings; the first 2 differ from the preset best lr 0.02 hidden 30"]),
    "no gradient, no setting that differs": ([
        lines(gradient={}, kappa_min=None), settings(preset="best", changed=""),
    ], ["All 10 settings; none differs from the preset best"]),
    "HTML in settings, and in a task that this version has not": ([
        settings(out='<script>alert("&")</script>', **{"<b>": ["</dd>"]}), results(task="<i>shapes"),
    ], ['out <script>alert("&")</script>', "<b> </dd>", "<i>shapes: 6 hidden neurons"]),
    "classes by name": ([results(class_names=["<b>yin", "$yang$", "a dot with a long name"])], [
        "<b>yin 40 30 75.0 % $yang$ (10)", "Test trial 40, of class $yang$, answer $yang$ (correct)",
    ]),
    "with a card": ([results(**CARD)], [
        "learned parameters 12,084 42 of them delays spikes 2.5 per hidden neuron and test trial",
        "arrivals 1,234 of spikes at synapses, per test trial time per epoch 1.5 s median peak memory 700 MiB",
        "gradient error 3e-07 of a block, one trial against float64, worst certified step Validation",
    ]),
    "with a card, not certified": ([results(**{**CARD, "float64": None})], [
        "gradient error not measured no trial in float32 was repeated in float64 Validation",
    ]),
}
ABSENT = {
    "delays frozen, residuals 0": ("moved delays", "arrivals at"),
    "no delays, a class without trials": ("moved delays", "delays"),
    "an older version": ("a wrong trial",),
    "one trial, not certified": ("a right trial of class 1", "certificate"),
}
"""How no name of a picture begins."""


@pytest.mark.parametrize("name", ODD)
def test_an_odd_run_is_drawn(name: str, tmp_path: Path) -> None:
    made(tmp_path)
    changes, there = ODD[name]
    for change in changes:
        change(tmp_path)
    outline = drawn(tmp_path)
    assert all(words in outline.text for words in there)
    assert not any(picture.startswith(ABSENT.get(name, ())) for picture in outline.of("alt", "img"))
    assert not {"script", "b", "i"} & {tag for tag, _ in outline.elements}


@pytest.mark.parametrize("sizes", [(4, 5, 6, 3), (1, 1, 2), (24, 8, 27)])
def test_networks_of_other_sizes(sizes: tuple[int, ...], tmp_path: Path) -> None:
    names = drawn(made(tmp_path, sizes)).of("alt", "img")
    assert len([name for name in names if name.startswith("delays")]) == len(sizes) - 1
    if len(sizes) == 4:
        assert "delays, hidden 1 to hidden 2" in names
