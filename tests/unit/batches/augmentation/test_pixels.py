import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageStat

from finscribe_trainer.batches.augmentation.change import Change
from finscribe_trainer.batches.augmentation.pixels import changed_image
from finscribe_trainer.batches.augmentation.placement import place

SIZE = (240, 320)
shift = st.floats(-0.04, 0.04)
bends = st.just(()) | st.tuples(*[st.tuples(shift, shift)] * 4)
moves = st.builds(Change, angle=st.floats(-180, 180), bend=bends, scale=st.floats(0.3, 2))


def page_with(box: tuple[int, int, int, int]) -> Image.Image:
    page = Image.new("RGB", SIZE, "white")
    left, top, right, bottom = box
    ImageDraw.Draw(page).rectangle((left, top, right - 1, bottom - 1), fill="black")
    return page


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """The box about all that is darker than half grey."""
    found = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert found, "nothing is left of the mark"
    return found


@settings(max_examples=150, deadline=None)
@given(change=moves, left=st.integers(0, 180), top=st.integers(0, 270))
def test_a_box_is_moved_to_where_its_pixels_go(change, left, top):
    # Marks at the edge among them: a page that lost its edge would fail, too.
    box = (left, top, left + 60, top + 50)
    expected = place(change, SIZE).of_box(box)
    assert ink(changed_image(page_with(box), change)) == pytest.approx(expected, abs=1.6)


@settings(max_examples=100, deadline=None)
@given(change=moves)
def test_a_page_stays_whole_on_an_image_as_large_as_the_page(change):
    """So that it has no more image tokens, however a processor rounds width and height."""
    placement = place(change, SIZE)
    upright = tuple(round(side * change.scale) for side in SIZE)
    assert placement.size in (upright, upright[::-1])
    width, height = placement.size
    x, y = placement.of_points(np.array([[0, SIZE[0], SIZE[0], 0], [0, 0, SIZE[1], SIZE[1]]], dtype=float))
    left, top, right, bottom = (x.min(), y.min(), width - x.max(), height - y.max())
    assert (left, top) == pytest.approx((right, bottom), abs=1e-6)
    assert min(left, top) == pytest.approx(0, abs=1e-6)


def test_a_page_is_turned_counter_clockwise():
    top_left = page_with((0, 0, 40, 40))
    turned = changed_image(top_left, Change(angle=90))
    assert turned.size == (320, 240)
    assert ink(turned) == pytest.approx((0, 200, 40, 240), abs=1)


def test_what_a_turn_uncovers_is_white():
    black = Image.new("RGB", SIZE, "black")
    turned = changed_image(black, Change(angle=10))
    assert [turned.getpixel(corner) for corner in ((0, 0), (turned.width - 1, 0))] == [(255, 255, 255)] * 2


def test_fine_lines_do_not_vanish_when_a_page_is_made_small():
    page = Image.new("RGB", SIZE, "white")
    for y in range(0, SIZE[1], 8):
        ImageDraw.Draw(page).line((0, y, SIZE[0], y), fill="black")
    small = changed_image(page, Change(scale=0.25))
    assert small.size == (60, 80)
    assert ImageStat.Stat(small.convert("L")).mean == pytest.approx(
        ImageStat.Stat(page.convert("L")).mean, abs=4
    )


@pytest.mark.parametrize(
    ("brightness", "contrast"), [(0.8, 1.0), (1.2, 1.0), (1.0, 0.8), (1.0, 1.2), (0.8, 1.2)]
)
def test_light_changes_as_pillow_has_it(brightness, contrast):
    page = Image.linear_gradient("L").convert("RGB")
    bright = ImageEnhance.Brightness(page).enhance(brightness)
    expected = np.asarray(ImageEnhance.Contrast(bright).enhance(contrast), dtype=int)
    changed = np.asarray(changed_image(page, Change(brightness=brightness, contrast=contrast)), dtype=int)
    assert np.abs(changed - expected).max() <= 2  # Pillow rounds down, twice


@pytest.mark.parametrize("std", [0.01, 0.03, 0.05])
def test_noise_has_the_deviation_that_was_asked_for_and_no_colour_of_its_own(std):
    grey = Image.new("RGB", (400, 400), (128, 128, 128))
    noise = np.asarray(changed_image(grey, Change(noise_std=std, noise_seed=5)), dtype=float) - 128
    assert noise.std(axis=(0, 1)) / 255 == pytest.approx([std] * 3, rel=0.02)
    assert noise.mean(axis=(0, 1)) == pytest.approx([0] * 3, abs=0.1)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.01


def test_blur_is_as_wide_on_the_page_whatever_its_pixels():
    widths = []
    for enlarged in (1, 3):
        page = page_with((0, 0, 120, 320)).resize((SIZE[0] * enlarged, SIZE[1] * enlarged))
        blurred = changed_image(page, Change(blur=6))
        edge = np.asarray(blurred.convert("L"))[page.height // 2]
        widths.append(int(((edge > 26) & (edge < 229)).sum()) / enlarged)
    assert widths[0] > 2
    assert widths[0] == pytest.approx(widths[1], rel=0.35)


def test_a_worse_quality_loses_more():
    noisy = changed_image(page_with((40, 40, 200, 60)), Change(noise_std=0.05))
    losses = [
        np.abs(
            np.asarray(changed_image(noisy, Change(jpeg_quality=quality)), dtype=int) - np.asarray(noisy)
        ).mean()
        for quality in (95, 60, 20)
    ]
    assert 0 < losses[0] < losses[1] < losses[2]
