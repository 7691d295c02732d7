import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from finscribe_trainer.data_tools.synthetic.degrade import LEVELS, degrade, jpeg_quality
from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.perspective import warp_page

BOXES = {
    f"line_items[{i}].line_total": (90 + 61 * i, 80 + 97 * i, 170 + 61 * i, 96 + 97 * i) for i in range(10)
}


@pytest.fixture(scope="module")
def page() -> Page:
    """A page with ten black bars and their exact boxes."""
    image = Image.new("RGB", (827, 1169), "white")
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in BOXES.values():
        draw.rectangle((left, top, right - 1, bottom - 1), fill="black")
    return Page(image, dict(BOXES))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("degrees", "bend"), [(2.0, 0.0), (0.0, 0.02), (2.2, 0.018)])
def test_boxes_are_transformed_as_the_page_is(page, degrees, bend, seed):
    image, boxes = warp_page(page.image.convert("L"), page.boxes, degrees, bend, random.Random(seed))
    dark = np.asarray(image) < 128
    for path, (left, top, right, bottom) in boxes.items():
        rows, columns = np.nonzero(dark[top - 12 : bottom + 12, left - 12 : right + 12])
        ink = (
            columns.min() + left - 12,
            rows.min() + top - 12,
            columns.max() + left - 11,
            rows.max() + top - 11,
        )
        assert np.abs(np.array(ink) - boxes[path]).max() <= 2


def test_a_rotation_that_would_move_a_field_out_is_reduced():
    boxes = {"issue_date": (0, 0, 30, 8), "due_date": (797, 1160, 827, 1169)}
    image = Image.new("RGB", (827, 1169), "white")
    for seed in range(20):
        for left, top, right, bottom in warp_page(image, boxes, 3, 0.02, random.Random(seed))[1].values():
            assert min(left, top) >= 0
            assert right <= 827
            assert bottom <= 1169


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("level", LEVELS)
def test_ink_stays_readable_inside_its_box_at_every_level(page, level, seed):
    scan = degrade(page, level, random.Random(seed))
    grey = np.asarray(scan.image.convert("L"), dtype=float)
    assert scan.image.size == page.image.size
    for left, top, right, bottom in scan.boxes.values():
        inside = np.median(grey[top:bottom, left:right])
        around = np.percentile(grey[top - 14 : bottom + 14, left - 14 : right + 14], 85)
        assert around - inside > 45


def test_no_degradation_changes_no_pixel(page):
    scan = degrade(page, "none", random.Random(1))
    assert scan.image.tobytes() == page.image.tobytes()
    assert scan.boxes == page.boxes


@pytest.mark.parametrize("level", ["light", "medium", "heavy"])
def test_the_same_seed_gives_the_same_scan_and_another_seed_another(page, level):
    first, again, other = (degrade(page, level, random.Random(seed)).image.tobytes() for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_worse_levels_have_a_lower_jpeg_quality():
    qualities = [np.mean([jpeg_quality(level, random.Random(s)) for s in range(50)]) for level in LEVELS]
    assert qualities == sorted(qualities, reverse=True)


def test_drawing_marks_does_not_modify_the_original_page(page):
    before = page.image.tobytes()
    for seed in range(12):
        degrade(page, "heavy", random.Random(seed))
    assert page.image.tobytes() == before
