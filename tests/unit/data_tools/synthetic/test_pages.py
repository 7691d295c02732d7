"""Pages of made-up documents: everything is on them, in its box, and nothing lies on anything else."""

import random
from functools import cache
from importlib.resources import files

import numpy as np
import pytest
from PIL import ImageChops, ImageFont

from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.fonts import FAMILIES, LACKS
from finscribe_trainer.data_tools.synthetic.layout import Canvas, PageFullError
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.runs import Run, wrap
from finscribe_trainer.data_tools.synthetic.shown import shown
from finscribe_trainer.data_tools.synthetic.templates import TEMPLATES, render
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES

DRAWN = [(template.name, kind) for template in TEMPLATES.values() for kind in template.kinds]
every_template = pytest.mark.parametrize(("template", "kind"), DRAWN)


@cache
def drawn(template: str, kind: str) -> list[tuple[MadeUp, Page]]:
    """A page in each of two locales; over all templates and kinds every locale has its turn."""
    pages = []
    for seed in range(2):
        number = 3 * DRAWN.index((template, kind)) + seed
        made = make_document(kind, list(LOCALES.values())[number % len(LOCALES)], random.Random(number))
        pages.append((made, render(made, template, random.Random(number))))
    return pages


@cache
def longest(kind: str) -> MadeUp:
    """The one of many documents with most lines in its table."""
    many = [make_document(kind, LOCALES["de_DE"], random.Random(seed)) for seed in range(40)]
    return max(many, key=lambda made: sum(map(len, made.descriptions)))


def values(made: MadeUp) -> dict[str, str]:
    return dict(leaves(made.document.model_dump(mode="json", exclude_none=True)))


def fields(page: Page) -> dict[str, tuple[int, int, int, int]]:
    """The boxes without those of lines as a whole."""
    return {path: box for path, box in page.boxes.items() if not path.endswith("]")}


@every_template
def test_every_field_on_a_page_is_one_of_its_document(template: str, kind: str):
    for made, page in drawn(template, kind):
        lines = {f"line_items[{i}]" for i in range(len(made.document.line_items))}

        assert set(fields(page)) <= set(values(made))
        assert set(page.boxes) - set(fields(page)) == lines


@every_template
def test_what_a_page_shows_is_a_whole_document_whose_sums_are_right(template: str, kind: str):
    for made, page in drawn(template, kind):
        assert {"document_type", "financial_summary.currency"} <= set(page.boxes)

        answer = shown(made.document, set(page.boxes))

        assert check_arithmetic(answer.model_dump(mode="json", exclude_none=True)) == []


@every_template
def test_every_box_lies_on_the_page_and_holds_ink(template: str, kind: str):
    for _, page in drawn(template, kind):
        ink = np.asarray(page.image.convert("L"))
        for path, (left, top, right, bottom) in page.boxes.items():
            assert 0 <= left < right <= page.image.width, path
            assert 0 <= top < bottom <= page.image.height, path
            inside = ink[top:bottom, left:right]
            assert int(inside.max()) - int(inside.min()) > 60, path


@every_template
def test_no_field_lies_on_another(template: str, kind: str):
    for _, page in drawn(template, kind):
        paths = list(fields(page))
        left, top, right, bottom = np.array([page.boxes[path] for path in paths]).T
        across = np.minimum(right[:, None], right) > np.maximum(left[:, None], left)
        along = np.minimum(bottom[:, None], bottom) > np.maximum(top[:, None], top)
        pairs = np.argwhere(np.triu(across & along, 1))

        assert [(paths[a], paths[b]) for a, b in pairs] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_long_document_fits_a_page_of_about_a_megapixel(template: str):
    made = longest(TEMPLATES[template].kinds[0])
    assert len(made.document.line_items) >= 15

    page = render(made, template, random.Random(1))

    assert all(f"line_items[{i}].line_total" in page.boxes for i in range(len(made.document.line_items)))
    assert page.image.width * page.image.height < 1_300_000


def test_every_kind_has_templates_to_choose_from():
    assert all(sum(kind in template.kinds for template in TEMPLATES.values()) >= 3 for kind in DOCUMENT_TYPES)


def test_the_same_seed_draws_the_same_page():
    made = make_document("invoice", LOCALES["en_GB"], random.Random(3))

    first, second, other = (render(made, "classic", random.Random(seed)) for seed in (1, 1, 2))

    assert first.boxes == second.boxes
    assert ImageChops.difference(first.image, second.image).getbbox() is None
    assert first.boxes != other.boxes


@pytest.mark.parametrize("family", FAMILIES)
def test_a_box_is_the_ink_of_its_text(family: str):
    page = Canvas((300, 60), family, 14, random.Random(0))

    page.text(20.3, 10, [Run("1,204.50 gj", "total")], page.face())

    ink = ImageChops.invert(page.image.convert("L")).getbbox()
    assert ink is not None
    assert np.abs(np.array(ink) - page.boxes["total"]).max() <= 1


def test_a_field_in_two_lines_has_the_box_around_both():
    page = Canvas((300, 80), "roboto", 14, random.Random(0))
    face = page.face()

    lines = wrap([Run("Item "), Run("Copper pipe", "description")], face, face.width("Item Copper "))
    page.lines(10, 10, lines, face)

    assert ["".join(run.text for run in line) for line in lines] == ["Item Copper", "pipe"]
    left, top, right, bottom = page.boxes["description"]
    assert (left, bottom - top) == pytest.approx((10, 2 * face.line - 4), abs=4)
    assert right == pytest.approx(10 + face.width("Item Copper"), abs=2)


@pytest.mark.parametrize(("x", "y"), [(1, 10), (260, 10), (20, 50)], ids=["left", "right", "footer"])
def test_text_that_leaves_its_page_is_refused_so_that_smaller_type_is_tried(x: int, y: int):
    page = Canvas((300, 80), "roboto", 14, random.Random(0))
    page.floor = 60

    with pytest.raises(PageFullError):
        page.text(x, y, "W 1,204.50", page.face())


@cache
def letters(code: str) -> frozenset[str]:
    """Every character that pages of a locale may need."""
    words = files("finscribe_trainer.data_tools.synthetic") / "words"
    texts = [(words / f"{LOCALES[code].language}.yaml").read_text(encoding="utf-8"), LOCALES[code].symbol]
    for seed in range(20):
        made = make_document(DOCUMENT_TYPES[seed % 4], LOCALES[code], random.Random(seed))
        texts += [made.locale.day(made.document.issue_date), *map(str, values(made).values())]
        texts += [*made.footer, *made.notes, *made.ship_to, *(text for pair in made.bank for text in pair)]
    return frozenset("".join([*texts, "0123456789,.'-%@·×à"])) - set(" \n\u00a0")


def missing(family: str, weight: str, characters: frozenset[str]) -> set[str]:
    """Characters that a font draws as it draws one that no font has."""
    font = ImageFont.truetype(FAMILIES[family][weight], 16)
    nothing = bytes(font.getmask("\uffff"))
    return {character for character in characters if bytes(font.getmask(character)) == nothing}


@pytest.mark.parametrize("weight", ["regular", "bold", "italic", "light"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_every_letter_that_it_is_not_known_to_lack(family: str, weight: str):
    needed = frozenset[str]().union(*map(letters, LOCALES))

    assert missing(family, weight, needed) == set(LACKS.get(family, ""))


def test_a_page_is_never_set_in_a_family_that_lacks_its_currency(monkeypatch: pytest.MonkeyPatch):
    made = make_document("invoice", LOCALES["en_IN"], random.Random(0))
    used = set()
    real = Canvas.__init__
    monkeypatch.setattr(
        Canvas,
        "__init__",
        lambda page, size, family, *rest: used.add(family) or real(page, size, family, *rest),
    )

    for seed in range(12):
        render(made, "serif", random.Random(seed))

    assert used == {"source-serif", "dejavu-serif"}
