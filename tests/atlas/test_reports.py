"""The report, as a file and as Chromium shows it."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import funcnn
from funcnn.atlas import report as reports
from funcnn.atlas.lessons import lesson_of
from funcnn.experiments import EXPERIMENTS

NAMES = ["sine/numpy", "random-data/numpy", "mnist-shape/numpy"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of three experiments that need no PyTorch, the last one's losses wrong."""
    reproductions = [funcnn.reproduce(name, steps=40) for name in NAMES]
    reproductions[-1].reference_losses[7] *= 1.5
    return reports.write(reproductions, tmp_path_factory.mktemp("report") / "new" / "folder")


@pytest.fixture(scope="module")
def text(page):
    return page.read_text()


def plain(page):
    """What a page says, without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def test_the_page_holds_every_experiment(text):
    assert re.findall(r'<section id="(.*?)">', text) == ["loop", *NAMES]
    shared = plain(text.split('<section id="loop">')[1].split("</section>")[0])
    assert "jax.lax.fori_loop(" in shared
    assert "problem.optimizer.update(" in shared
    for word in ("form.enter", "form.step", "form.leave"):
        assert word in shared
    assert "float64, seed 0" in text
    for name in NAMES:
        assert f'<a href="#{name}">' in text
        shown = plain(text.split(f'id="{name}"')[1])
        record = EXPERIMENTS[name]
        assert lesson_of(record).change.replace("`", "") in shown
        assert "grad_y_pred = 2" in shown  # the reference's code
        assert f'gradient="{record.gradient}"' in shown  # funcnn's
        assert "def value_and_grad(" in shown
        assert 'rate=1e-06,\n    steps=40,\n    dtype="float64",\n    seed=0,' in shown
        assert "compared 40. Allowed is 1e-08 of the loss: the same" in " ".join(shown.split())
    assert text.count("✓ agrees") == 2 * 2
    assert text.count("✗ differs") == 2
    assert "2 of 3 experiments" in text


def test_the_pictures(text):
    labels = re.findall(r'<svg role="img" aria-label="(.*?)"', text)
    assert labels == [
        "sine/numpy: the fitted curve over the data",
        "sine/numpy: both loss curves, and their difference",
        "random-data/numpy: both loss curves, and their difference",
        "mnist-shape/numpy: both loss curves, and their difference",
    ]
    assert "currentColor" in text
    identifiers = re.findall(r'\bid="(.*?)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_what_the_pictures_show(monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        reports.figures, "svg", lambda figure, name, _: drawn.update({name: figure})
    )
    one = funcnn.reproduce("sine/numpy", steps=40)
    reports.figures.curves(one)
    reports.figures.fit(one)
    above, below = drawn["sine/numpy-curves"].axes
    for line, values in zip(
        (*above.lines, *below.lines),
        (one.reference_losses, one.losses, one.relative_difference, one.allowed_difference),
        strict=True,
    ):
        np.testing.assert_array_equal(line.get_ydata(), np.where(values > 0, values, np.nan))
    target, fitted = drawn["sine/numpy-fit"].axes[0].lines
    np.testing.assert_array_equal(target.get_ydata(), np.sin(one.data[0]))
    np.testing.assert_array_equal(fitted.get_ydata(), one.result.predict(one.data[0]))


def test_the_overview_s_times_and_names(tmp_path):
    one = funcnn.reproduce("sine/numpy", steps=2)
    one = dataclasses.replace(
        one,
        experiment=dataclasses.replace(one.experiment, name='<i>"&'),
        result=dataclasses.replace(one.result, compile_seconds=0.0, run_seconds=7.25),
        reference_seconds=3.5,
    )
    text = reports.write([one], tmp_path).read_text()
    assert re.search(r"<td>3.50 s</td>\s*<td>7.25 s</td>", text)
    assert '<i>"&' not in text
    assert "&lt;i&gt;&#34;&amp;" in text


def test_shown_code_keeps_of_a_docstring_its_first_sentence():
    text = plain(str(reports.code.source("funcnn.optimizers.torch_optim:sgd")))
    assert text.count('"""Stochastic gradient descent, ``torch.optim.SGD``."""') == 1
    assert "Args" not in text
    assert "return Optimizer.of(" in text
    for record in EXPERIMENTS.values():
        for name in lesson_of(record).code:
            assert "highlight" in reports.code.source(name)


def test_the_page_stands_alone(text):
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text)
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_long_curve_is_drawn_by_its_largest_values():
    values = np.ones(2500)
    values[[3, 2499]] = 7, 9
    steps, thinned = reports.figures._thinned(values)
    assert len(steps) <= 1250
    assert thinned[steps == 2] == 7
    assert thinned[-1] == 9


def test_backquotes_mark_code_and_nothing_else_is_markup():
    assert str(reports.code.text("`a` <b> `c < d`")) == (
        "<code>a</code> &lt;b&gt; <code>c &lt; d</code>"
    )


def test_long_curves_and_single_draws_are_said_to_be_so(tmp_path, text):
    assert "block of steps" not in text
    assert "one draw" not in text
    record = dataclasses.replace(
        EXPERIMENTS["sine/dynamic"], model="polynomial", optimizer="sgd", steps=2000,
        reference="funcnn.atlas.reference.numpy_loops:cubic",
    )  # fmt: skip
    long = reports.write([funcnn.reproduce(record)], tmp_path).read_text()
    assert "block of steps" in long


def test_a_record_of_one_s_own_is_shown_without_a_lesson(tmp_path):
    record = dataclasses.replace(EXPERIMENTS["sine/numpy"], name="my/cubic", tutorial="My notes")
    text = reports.write([funcnn.reproduce(record, steps=2)], tmp_path).read_text()
    assert "<h2>My notes</h2>" in text
    assert "<h4>The reference</h4>" in text
    assert "<h4>funcnn</h4>" in text
    assert "def cubic(" in plain(text)
    assert "def apply(" in plain(text)


def test_an_old_report_is_replaced_whole(page):
    before = page.read_text()
    path = reports.write([funcnn.reproduce("sine/numpy", steps=2)], page.parent)
    assert path == page
    assert page.read_text() != before
    assert [entry.name for entry in page.parent.iterdir()] == ["index.html"]
    page.write_text(before)


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "index.html").mkdir()
    with pytest.raises(funcnn.ArgumentError, match="is a folder"):
        reports.check_destination(tmp_path)
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", ""):
        with pytest.raises(funcnn.ArgumentError, match="no folder"):
            reports.check_destination(place)


@pytest.mark.slow
def test_without_its_packages_the_extra_is_named(tmp_path):
    for package in ("jinja2", "pygments", "matplotlib"):
        code = (
            f"import sys; sys.modules['{package}'] = None; "
            f"from funcnn.atlas import report; report.check_destination({str(tmp_path / 'r')!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        last = done.stderr.splitlines()[-1]
        assert f"{package} is not installed: pip install 'funcnn[report]'" in last
    assert not (tmp_path / "r").exists()


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("Chromium and its driver are needed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_in_chromium(browser, page, width, scheme):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.get("about:blank")  # in place of a start page, which asks for much
    browser.get_log("performance")
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in requests if not url.startswith("data:")} == {page.as_uri()}

    ask = browser.execute_script
    sections = ask("return [...document.querySelectorAll('section')].map(s => s.id)")
    assert sections == ["loop", *NAMES]
    assert ask("return document.documentElement.scrollWidth") <= width
    assert ask("return getComputedStyle(document.body).fontSize") == "16px"
    sizes = ask("return [...document.querySelectorAll('svg')].map(s => s.clientWidth)")
    assert all(250 < size <= min(width, 640) for size in sizes)
    stacked = ask(
        "const [left, right] = document.querySelector('.pair').children;"
        "return right.getBoundingClientRect().top >= left.getBoundingClientRect().bottom"
    )
    assert stacked == (width == 360)
    ink, page_colour = (
        sum(map(int, re.findall(r"\d+", ask(f"return getComputedStyle(document.body).{name}"))[:3]))
        for name in ("color", "backgroundColor")
    )
    assert (ink > page_colour) == (scheme == "dark")
    keyword = ask("return getComputedStyle(document.querySelector('.highlight .k')).color")
    assert (sum(map(int, re.findall(r"\d+", keyword)[:3])) > 382) == (scheme == "dark")
    verdict = ask("return document.querySelector('td .agrees').getBoundingClientRect().right")
    assert verdict <= width
    if width > 1000:
        blocks = "[...document.querySelectorAll('pre')]"
        assert ask(f"return {blocks}.every(block => block.scrollWidth <= block.clientWidth)")
    label = ask("return getComputedStyle(document.querySelector('svg text')).fill")
    assert label == ask("return getComputedStyle(document.body).color")
