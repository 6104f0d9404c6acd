"""`run.html`: one self-contained file with the content of the records."""

from __future__ import annotations

import base64
import errno
import os
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delayprop.fast.drawing.arrivals_moved import arrivals_moved
from delayprop.fast.drawing.confusion import by_class, confusion
from delayprop.fast.drawing.curves import accuracy_and_loss, certificate
from delayprop.fast.drawing.page import html, title
from delayprop.fast.drawing.run_record import read
from delayprop.fast.drawing.synapses import moved_most, movement
from reports.__main__ import main
from tests.support.house.browser import after_scripts, browser
from tests.support.runs.recorded_runs import Arrays, made, recorded, results, settings
from tests.support.runs.run_pages import NO_BREAK, Outline, drawn

pytestmark = pytest.mark.full

LARGEST = 4_000_000  # bytes


def pictures(outline: Outline) -> list[bytes]:
    prefix = "data:image/svg+xml;base64,"
    sources = [str(attributes["src"]) for tag, attributes in outline.elements if tag == "img"]
    assert sources and all(source.startswith(prefix) for source in sources)
    return [base64.b64decode(source.removeprefix(prefix), validate=True) for source in sources]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> str:
    return html(read(made(tmp_path_factory.mktemp("run"))))


def test_the_page_needs_nothing_but_itself(content: str) -> None:
    outline = Outline(content)
    assert "http" not in content and "@import" not in content and "url(" not in content
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in outline.elements}
    assert all(tag == "a" for tag, attributes in outline.elements if "href" in attributes), "see the contents"
    for picture in pictures(outline):
        root = ElementTree.fromstring(picture)
        references = [
            value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")
        ]
        assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_every_picture_has_a_name_and_one_sentence(content: str) -> None:
    names, captions = Outline(content).names(), re.findall(r"<figcaption>(.*?)</figcaption>", content)
    assert len(captions) == len(names) == len(set(names)) == 13
    for caption in captions:
        assert caption.endswith(".") and not re.search(r"\. [A-Z]", caption)


def test_the_page_says_what_the_records_say(content: str) -> None:
    text = Outline(content).text
    for words in (
        "Yin-Yang: 6 hidden neurons, learned delays, seed 7", "task yin-yang network 4-6-3",
        "Test accuracy 75.0 % (95 % interval: 66.0 % to 82.0 %)", "test trials 120",
        "spike counts alone 35.0 %", "best epoch 2 of 3", "validation accuracy in it 65.0 %",
        "Validation chose epoch 2; its network was evaluated on the test split once", "time of all epochs 4 s",
        "All 9 settings", "out runs/mine", "resume no", "dtype float32", "hidden 30", "lr 0.02", "data -",
        "data_sha256 train.h5: ab12, test.h5: cd34", "class trials correct accuracy most frequent error",
        "0 40 30 75.0 % 1 (10)", "2 40 30 75.0 % 0 (10)", "the unit roundoff 6.0e-08 of float32",
        "A test trial of class 1, answer 1 (correct)",
    ):
        assert words in text, words


def test_the_contents_lead_to_every_section_in_order(content: str) -> None:
    outline = Outline(content)
    ids = [attributes["id"] for tag, attributes in outline.elements if tag == "section"]
    assert [attributes["href"] for tag, attributes in outline.elements if tag == "a"] == [f"#{one}" for one in ids]
    assert ids == ["learning", "answers", "delays", "trials", "certificate", "the-run"]


@pytest.mark.parametrize(("given", "words"), [
    ({"freeze_delays": True, "delay": 5.0}, "6 hidden neurons, delays as drawn"),
    ({"freeze_delays": True, "delay": 0.0}, "6 hidden neurons, no delays"),
    ({"recurrent": True}, "6 recurrent neurons, learned delays"),
])
def test_the_title_names_the_kind_of_network(given: dict, words: str, tmp_path: Path) -> None:
    settings(**given)(made(tmp_path))
    assert title(read(tmp_path)).startswith(f"Yin-Yang: {words}")


@pytest.mark.skipif(browser() is None, reason="needs a browser without a window, such as chromium")
def test_two_columns_where_the_page_is_wide(content: str, tmp_path: Path) -> None:
    """And one on a telephone; no page is wider than its window."""
    script = """<script>onload = () => document.title = JSON.stringify([
        document.documentElement.scrollWidth <= innerWidth, document.querySelector("#delays").children.length,
        new Set([...document.querySelectorAll("#delays > figure")].map((one) => one.offsetLeft)).size])</script>"""
    (tmp_path / "page.html").write_text(content.replace("</head>", f"{script}</head>"), encoding="utf-8")
    for width, columns in ((1600, 2), (500, 1)):
        address = (tmp_path / "page.html").as_uri()
        page = after_scripts(address, tmp_path / str(width), f"--window-size={width},900")
        assert re.search(rf"<title>\[true,[0-9]+,{columns}\]", page), page[:600]


def test_a_colour_says_what_no_axis_says(tmp_path: Path) -> None:
    """Where all delays were equal at first the weight is the x axis, and no colour repeats it."""
    layers = read(made(tmp_path)).page.layers
    assert [len(np.unique(layer.d_before)) > 1 for layer in layers] == [True, False]
    pictures = [movement(layer) for layer in layers]
    assert [picture is not None and len(picture.figure.axes) for picture in pictures] == [2, 1]
    assert [picture is not None and "darker" in picture.caption for picture in pictures] == [True, False]


def test_the_curves_come_first_and_the_settings_last_and_folded(content: str) -> None:
    words = ("Test accuracy", "<nav>", "<figure>", "<h2>Answers", "<h2>The run", "All 9")
    places = [content.index(one) for one in words]
    assert places == sorted(places)
    assert re.search(r"<details><summary>All 9 settings</summary>", content)


def test_settings_that_differ_from_the_preset_come_first(tmp_path: Path) -> None:
    settings(preset="best", changed="lr hidden")(made(tmp_path))
    page = html(read(tmp_path))
    summary = "All 10 settings; the first 2 differ from the preset best"
    assert re.search(rf"{summary}</summary><dl><div><dt>lr</dt><dd>0.02</dd></div>\s*<div><dt>hidden</dt>", page)
    settings(preset="best", changed="")(made(tmp_path))
    assert "All 10 settings; none differs from the preset best" in html(read(tmp_path))


def test_the_arrivals_before_and_after_are_those_of_the_neuron_that_moved_most(tmp_path: Path) -> None:
    """Its marks are input spikes plus its delays; where no delay moved there is no picture."""
    run = read(made(tmp_path))
    layer, (times, units) = run.page.layers[0], run.page.trials[0].spikes[0]
    picture = arrivals_moved(run.page)
    assert picture is not None
    neuron = int((np.abs(layer.w_after) * np.abs(layer.d_after - layer.d_before)).sum(0).argmax())
    assert f"hidden [{neuron}]" in picture.name
    for axes, delays in zip(picture.figure.axes, (layer.d_before, layer.d_after)):
        arrived = times + delays[units, neuron]
        marks = np.concatenate([line.get_xdata() for line in axes.lines])
        assert sorted(marks) == pytest.approx(sorted(arrived[arrived <= run.page.duration]))
    still = replace(run.page, layers=[replace(layer, d_after=layer.d_before), *run.page.layers[1:]])
    assert arrivals_moved(still) is None


def test_the_roundoff_is_that_of_the_run(tmp_path: Path) -> None:
    settings(dtype="float64")(made(tmp_path))
    picture = certificate(read(tmp_path))
    assert picture is not None and "the unit roundoff 1.1e-16 of float64" in picture.caption
    (line,) = [line for line in picture.figure.axes[0].lines if line.get_label() == "unit roundoff"]
    assert list(np.asarray(line.get_ydata())) == [2.0**-53] * 2


def test_a_run_may_take_the_last_epoch_untold_by_validation(tmp_path: Path) -> None:
    settings(choose="last")(made(tmp_path))
    results(best_epoch=3)(tmp_path)
    assert "marks epoch 3, the last, the star" in accuracy_and_loss(read(tmp_path)).caption
    text = drawn(tmp_path).text
    assert "last epoch 3 of 3 validation accuracy in it 64.0 %" in text
    assert "The options chose the last epoch, 3;" in text and "Validation chose" not in text


def test_the_table_of_classes_follows_the_answers(tmp_path: Path) -> None:
    answers = [[5, 0, 0, 3], [1, 2, 1, 0], [0, 0, 0, 0]]
    results(answers=answers, test_accuracy=7 / 12)(made(tmp_path))
    assert by_class(read(tmp_path)) == [
        ["0", "8", "5", f"62.5{NO_BREAK}%", "none (3)"],
        ["1", "4", "2", f"50.0{NO_BREAK}%", "0 (1)"],
        ["2", "0", "0", "-", "-"],
    ]
    picture = confusion(read(tmp_path))
    assert "the last column: no answer, no single readout is largest" in picture.caption
    assert [label.get_text() for label in picture.figure.axes[0].get_xticklabels()] == ["0", "1", "2", "none"]
    results(answers=[[5, 3, 0, 0], [1, 2, 1, 0], [0, 0, 0, 0]])(tmp_path)
    picture = confusion(read(tmp_path))
    assert "every trial has an answer" in picture.caption
    assert [label.get_text() for label in picture.figure.axes[0].get_xticklabels()] == ["0", "1", "2"]


def move(found: Arrays) -> None:
    for n in (0, 1):
        found[f"d_after_{n}"] = found[f"d_before_{n}"].copy()
    found["d_before_0"][2, 5], found["d_after_0"][2, 5], found["w_after_0"][2, 5] = 3, 1, -0.25
    found["d_before_1"][4, 1], found["d_after_1"][4, 1], found["w_after_1"][4, 1] = 0, 7.5, 2


def test_the_delays_that_moved_most_are_listed_with_their_weights(tmp_path: Path) -> None:
    recorded(move)(made(tmp_path))
    assert moved_most(read(tmp_path).page) == [
        ["hidden [4]", "output [1]", "0.00", "7.50", "2"],
        ["input [2]", "hidden [5]", "3.00", "1.00", "-0.25"],
    ]
    made(tmp_path)
    rows = moved_most(read(tmp_path).page)
    moved = [abs(float(after) - float(before)) for _, _, before, after, _ in rows]
    with np.load(tmp_path / "page.npz") as file:
        largest = max(np.abs(file[f"d_after_{n}"] - file[f"d_before_{n}"]).max() for n in (0, 1))
    assert len(rows) == 10 and moved == sorted(moved, reverse=True) and moved[0] == pytest.approx(largest, abs=0.01)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    made(tmp_path)
    found = []
    for _ in range(2):
        assert main([str(tmp_path)]) == 0
        found.append([(tmp_path / name).read_bytes() for name in ("training.png", "run.html")])
    assert found[0] == found[1]


def test_what_stands_in_the_options_is_no_html(tmp_path: Path) -> None:
    settings(out='<script>alert("&")</script>', **{"<b>": ["</dd>"]})(made(tmp_path))
    outline = drawn(tmp_path)
    assert not {"script", "b"} & {tag for tag, _ in outline.elements}
    assert 'out <script>alert("&")</script>' in outline.text and "<b> </dd>" in outline.text


def test_a_large_network_gives_a_page_that_can_be_sent(tmp_path: Path) -> None:
    drawn(made(tmp_path, (700, 256, 20), epochs=100, spikes=14))
    assert (tmp_path / "run.html").stat().st_size < LARGEST


def test_a_page_that_cannot_be_written_has_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    made(tmp_path)
    monkeypatch.setattr("delayprop.fast.drawing.style.new_file", refuse)
    assert main([str(tmp_path)]) == 2
    expected = f"a folder with room for pictures, got No space left on device: {tmp_path}; make room"
    assert capsys.readouterr() == ("", f"python -m reports: `RUN` must be {expected}\n")
