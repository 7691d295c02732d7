"""Rendered synthetic pages: every field is visible in its box, and fields do not overlap."""

import random
from functools import cache
from importlib.resources import files

import numpy as np
import pytest
from PIL import ImageChops, ImageFont

from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.fonts import FAMILIES, LACKS
from finscribe_trainer.data_tools.synthetic.layout import Canvas, PageFullError
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.templates import TEMPLATES, render
from finscribe_trainer.data_tools.synthetic.text_runs import TextRun, wrap
from finscribe_trainer.data_tools.synthetic.visible_fields import keep_visible_fields
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES

DRAWN = [(template.name, kind) for template in TEMPLATES.values() for kind in template.kinds]
every_template = pytest.mark.parametrize(("template", "kind"), DRAWN)


@cache
def drawn(template: str, kind: str) -> list[tuple[DocumentContent, Page]]:
    """A page in each of two locales; all locales occur over all templates and document types."""
    pages = []
    for seed in range(2):
        number = 3 * DRAWN.index((template, kind)) + seed
        content = make_document(kind, list(LOCALES.values())[number % len(LOCALES)], random.Random(number))
        pages.append((content, render(content, template, random.Random(number))))
    return pages


@cache
def longest(kind: str) -> DocumentContent:
    """The document with the most table lines out of many."""
    many = [make_document(kind, LOCALES["de_DE"], random.Random(seed)) for seed in range(40)]
    return max(many, key=lambda content: sum(map(len, content.descriptions)))


def values(content: DocumentContent) -> dict[str, str]:
    return dict(leaves(content.document.model_dump(mode="json", exclude_none=True)))


def fields(page: Page) -> dict[str, tuple[int, int, int, int]]:
    """The boxes except those of whole line items."""
    return {path: box for path, box in page.boxes.items() if not path.endswith("]")}


@every_template
def test_every_field_on_a_page_is_one_of_its_document(template: str, kind: str):
    for content, page in drawn(template, kind):
        lines = {f"line_items[{i}]" for i in range(len(content.document.line_items))}

        assert set(fields(page)) <= set(values(content))
        assert set(page.boxes) - set(fields(page)) == lines


@every_template
def test_the_visible_fields_are_a_valid_document_that_adds_up(template: str, kind: str):
    for content, page in drawn(template, kind):
        assert {"document_type", "financial_summary.currency"} <= set(page.boxes)

        answer = keep_visible_fields(content.document, set(page.boxes))

        assert check_arithmetic(answer.model_dump(mode="json", exclude_none=True)) == []


@every_template
def test_every_box_is_on_the_page_and_contains_ink(template: str, kind: str):
    for _, page in drawn(template, kind):
        ink = np.asarray(page.image.convert("L"))
        for path, (left, top, right, bottom) in page.boxes.items():
            assert 0 <= left < right <= page.image.width, path
            assert 0 <= top < bottom <= page.image.height, path
            inside = ink[top:bottom, left:right]
            assert int(inside.max()) - int(inside.min()) > 60, path


@every_template
def test_fields_do_not_overlap(template: str, kind: str):
    for _, page in drawn(template, kind):
        paths = list(fields(page))
        left, top, right, bottom = np.array([page.boxes[path] for path in paths]).T
        across = np.minimum(right[:, None], right) > np.maximum(left[:, None], left)
        along = np.minimum(bottom[:, None], bottom) > np.maximum(top[:, None], top)
        pairs = np.argwhere(np.triu(across & along, 1))

        assert [(paths[a], paths[b]) for a, b in pairs] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_long_document_fits_a_page_of_about_a_megapixel(template: str):
    content = longest(TEMPLATES[template].kinds[0])
    assert len(content.document.line_items) >= 15

    page = render(content, template, random.Random(1))

    assert all(f"line_items[{i}].line_total" in page.boxes for i in range(len(content.document.line_items)))
    assert page.image.width * page.image.height < 1_300_000


def test_every_document_type_has_several_templates():
    assert all(sum(kind in template.kinds for template in TEMPLATES.values()) >= 3 for kind in DOCUMENT_TYPES)


def test_the_same_seed_draws_the_same_page():
    content = make_document("invoice", LOCALES["en_GB"], random.Random(3))

    first, second, other = (render(content, "classic", random.Random(seed)) for seed in (1, 1, 2))

    assert first.boxes == second.boxes
    assert ImageChops.difference(first.image, second.image).getbbox() is None
    assert first.boxes != other.boxes


@pytest.mark.parametrize("family", FAMILIES)
def test_a_box_is_the_bounding_box_of_its_ink(family: str):
    page = Canvas((300, 60), family, 14, random.Random(0))

    page.text(20.3, 10, [TextRun("1,204.50 gj", "total")], page.face())

    ink = ImageChops.invert(page.image.convert("L")).getbbox()
    assert ink is not None
    assert np.abs(np.array(ink) - page.boxes["total"]).max() <= 1


def test_a_field_in_two_lines_has_the_bounding_box_of_both():
    page = Canvas((300, 80), "roboto", 14, random.Random(0))
    face = page.face()

    lines = wrap([TextRun("Item "), TextRun("Copper pipe", "description")], face, face.width("Item Copper "))
    page.lines(10, 10, lines, face)

    assert ["".join(run.text for run in line) for line in lines] == ["Item Copper", "pipe"]
    left, top, right, bottom = page.boxes["description"]
    assert (left, bottom - top) == pytest.approx((10, 2 * face.line - 4), abs=4)
    assert right == pytest.approx(10 + face.width("Item Copper"), abs=2)


@pytest.mark.parametrize(("x", "y"), [(1, 10), (260, 10), (20, 50)], ids=["left", "right", "footer"])
def test_text_that_leaves_the_page_raises_so_that_a_smaller_font_is_tried(x: int, y: int):
    page = Canvas((300, 80), "roboto", 14, random.Random(0))
    page.floor = 60

    with pytest.raises(PageFullError):
        page.text(x, y, "W 1,204.50", page.face())


@cache
def letters(code: str) -> frozenset[str]:
    """All characters that pages of a locale may contain."""
    words = files("finscribe_trainer.data_tools.synthetic") / "words"
    texts = [(words / f"{LOCALES[code].language}.yaml").read_text(encoding="utf-8"), LOCALES[code].symbol]
    for seed in range(20):
        content = make_document(DOCUMENT_TYPES[seed % 4], LOCALES[code], random.Random(seed))
        texts += [content.locale.day(content.document.issue_date), *map(str, values(content).values())]
        texts += [
            *content.footer,
            *content.notes,
            *content.ship_to,
            *(text for pair in content.bank for text in pair),
        ]
    return frozenset("".join([*texts, "0123456789,.'-%@·×à"])) - set(" \n\u00a0")


def missing(family: str, weight: str, characters: frozenset[str]) -> set[str]:
    """Characters that a font renders as its missing-glyph symbol."""
    font = ImageFont.truetype(FAMILIES[family][weight], 16)
    nothing = bytes(font.getmask("\uffff"))
    return {character for character in characters if bytes(font.getmask(character)) == nothing}


@pytest.mark.parametrize("weight", ["regular", "bold", "italic", "light"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_font_family_has_all_characters_except_the_listed_ones(family: str, weight: str):
    needed = frozenset[str]().union(*map(letters, LOCALES))

    assert missing(family, weight, needed) == set(LACKS.get(family, ""))


def test_a_page_never_uses_a_font_family_without_its_currency_symbol(monkeypatch: pytest.MonkeyPatch):
    content = make_document("invoice", LOCALES["en_IN"], random.Random(0))
    used = set()
    real = Canvas.__init__
    monkeypatch.setattr(
        Canvas,
        "__init__",
        lambda page, size, family, *rest: used.add(family) or real(page, size, family, *rest),
    )

    for seed in range(12):
        render(content, "serif", random.Random(seed))

    assert used == {"source-serif", "dejavu-serif"}
