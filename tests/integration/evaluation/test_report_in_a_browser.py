"""The report in a real browser without network: no errors, no overflow, no requests.

Screenshots for visual review are in pytest's temporary folder."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.evaluation.compare import compare
from finscribe_trainer.evaluation.report.write import write_reports
from tests.support.browser import TOO_WIDE, chromium, complaints_about, inaccessible
from tests.support.comparison import results_of

pytestmark = pytest.mark.browser
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "small desktop": {"viewport": {"width": 1030, "height": 700}, "color_scheme": "light"},
    "tablet": {"viewport": {"width": 768, "height": 1024}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "paper": {"viewport": {"width": 718, "height": 1000}, "color_scheme": "dark"},
}
OPEN_CARDS = "document.querySelectorAll('details.card').forEach(one => one.open = true)"
LONG = "Rechtsschutzversicherungsgesellschaften" * 30


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Thirty invoices, some with markup or long texts: the base model's answers are prose, the tuned model's
    mostly correct JSON."""
    folder = tmp_path_factory.mktemp("report")
    write_dataset(folder, num_rows=1, num_validation_rows=30, seed=3)
    rows = [json.loads(line) for line in (folder / "val.jsonl").read_text().splitlines()]
    rng = random.Random(1)
    base, tuned, pages = [], [], []
    for number, row in enumerate(rows):
        gold = json.loads(row["output"])
        wrong = {**gold, "vendor": {"name": rng.choice(["<script>document.title='hacked'</script>", LONG])}}
        base.append((gold, gold if number < 3 else "INVOICE <script>document.title='hacked'</script>"))
        tuned.append((gold, wrong if number < 6 else gold))
        pages.append(row.get("image", "missing.png"))
    # Other versions are a second note on the metrics: several are folded into one line.
    older = replace(results_of("base", base, pages), versions={"transformers": "5.20.0", "python": "3.11.9"})
    comparison = compare(older, results_of("tuned", tuned, pages))
    return write_reports(comparison, folder / "report.md", {name: folder / name for name in pages})[1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=LOOKS)
def page(request, browser: Browser, report: Path) -> Iterator[Page]:
    """The opened report; console messages and network requests fail the test."""
    context = browser.new_context(**LOOKS[request.param], offline=True)
    page = context.new_page()
    page.emulate_media(media="print" if request.param == "paper" else "screen")
    complaints = complaints_about(page, "file:", "data:")
    page.goto(report.as_uri())
    yield page
    context.close()
    assert complaints == []


def test_nothing_overflows_the_screen_with_all_details_open(page: Page, tmp_path: Path):
    page.screenshot(path=tmp_path / "as-opened.png", full_page=True)
    assert page.evaluate(TOO_WIDE) == []
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate(TOO_WIDE) == []


def test_every_column_has_a_minimum_width(page: Page):
    page.evaluate(OPEN_CARDS)
    widths = page.evaluate(
        """[...document.querySelectorAll("th, td")].map(cell => cell.getBoundingClientRect().width)
            .filter(width => width > 0)"""
    )
    assert min(widths) > 50


def test_every_page_of_a_document_is_shown(page: Page):
    widths = page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(widths) >= 5
    assert min(widths) == 280  # of the sample's pages


def test_full_answers_and_long_values_can_be_opened(page: Page):
    page.evaluate(OPEN_CARDS)
    for summary, hidden in (
        (page.get_by_text("Full answers").first, page.locator("pre").first),
        (page.locator("details.long summary").first, page.locator("details.long > div").first),
    ):
        assert not hidden.is_visible()
        summary.click()
        assert hidden.is_visible()


def test_texts_have_sufficient_contrast(page: Page):
    """WCAG contrast of at least 4.5 for all texts, including plots, by the browser's computed colors."""
    page.evaluate(OPEN_CARDS)
    poor = page.evaluate(
        """() => {
            const luminance = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
                .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
                .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
            const ground = element => {
                for (let at = element; at; at = at.parentElement) {
                    const colour = getComputedStyle(at).backgroundColor;
                    if (!colour.endsWith(", 0)")) return colour;
                }
                return "rgb(255, 255, 255)";
            };
            const poor = new Set();
            for (const element of document.querySelectorAll("body *")) {
                const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
                if (!own || element.closest("details:not([open]) > :not(summary)")) continue;
                const style = getComputedStyle(element);
                const pair = [element instanceof SVGElement ? style.fill : style.color, ground(element)];
                const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
                if ((light + 0.05) / (dark + 0.05) < 4.5) poor.add(`${element.tagName} ${pair}`);
            }
            return [...poor];
        }"""
    )
    assert poor == []


@pytest.mark.parametrize("page", ["desktop", "dark"], indirect=True)
def test_rules_of_accessibility_are_kept(page: Page):
    assert inaccessible(page) == []


@pytest.mark.parametrize("page", ["desktop"], indirect=True)
def test_a_filter_shows_the_documents_that_fit_and_no_other(page: Page):
    shown = page.locator("article:visible")
    page.get_by_label(re.compile("^All ")).first.check()
    everything = shown.count()
    page.get_by_label(re.compile("^Not perfect")).check()
    assert shown.count() == page.locator("article.imperfect").count() < everything
    page.get_by_label(re.compile("^Examples")).check()
    assert shown.count() == page.locator("article.example").count() < everything


def test_scripts_in_documents_are_not_executed(page: Page):
    assert page.title() == "Tuned model against base model"
    assert page.locator("script").count() == 0


def test_the_first_screen_shows_the_result_before_any_note(page: Page):
    tiles, note, metrics = (
        page.locator(where).first.bounding_box() for where in (".tiles", ".note", "main h2")
    )
    screen = page.viewport_size
    assert tiles and note and metrics and screen
    assert tiles["y"] + tiles["height"] < note["y"]
    assert note["height"] < screen["height"] / 10
    assert metrics["y"] < screen["height"]


def test_captions_below_numbers_take_one_line(page: Page):
    lines = page.evaluate(
        """[...document.querySelectorAll("main > section:first-child .interval")].map(one =>
            one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).fontSize))"""
    )
    assert lines
    assert max(lines) < 1.6


def test_a_card_is_closed_on_a_phone_only(page: Page):
    screen = page.viewport_size
    assert screen
    table = page.locator("article .leaves").first
    assert table.is_visible() == (screen["width"] > 400)
    if screen["width"] < 400:
        assert page.evaluate("document.documentElement.scrollHeight") < 9000
        page.locator("article summary").first.click()
        assert table.is_visible()


@pytest.mark.parametrize(("improved", "tile"), [(3, "regressed"), (0, "improved")])
def test_a_count_of_zero_has_no_colour(improved: int, tile: str, browser: Browser, tmp_path: Path):
    gold = {"document_type": "invoice", "invoice_number": "1"}
    base = [(gold, {} if number < improved else gold) for number in range(3)]
    tuned = [(gold, gold if number < improved else {}) for number in range(3)]
    comparison = compare(results_of("base", base), results_of("tuned", tuned))
    page = browser.new_page()
    page.goto(write_reports(comparison, tmp_path / "report.md")[1].as_uri())
    number = page.locator(f".tiles li:has-text('{tile}') b")
    plain = page.locator(".tiles li:has-text('unchanged') b")
    assert number.inner_text() == "0"
    colour = "one => getComputedStyle(one).color"
    assert number.evaluate(colour) == plain.evaluate(colour)
    page.close()


def test_the_pictures_of_the_tutorial_are_made_from_a_report(report: Path, tmp_path: Path):
    # In a process of its own: this one has a browser already.
    subprocess.run(
        [sys.executable, "-m", "tools.report_pictures", str(report), "--folder", str(tmp_path)], check=True
    )
    for name in ("demo-result.png", "demo-answer.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width == 1100
            assert 300 < picture.height < 2500
