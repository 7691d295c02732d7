import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageStat

from finscribe_trainer.batches.augmentation.geometry import transform_of
from finscribe_trainer.batches.augmentation.params import AugmentationParams
from finscribe_trainer.batches.augmentation.pixels import augment_image

SIZE = (240, 320)
shift = st.floats(-0.04, 0.04)
corner_shifts = st.just(()) | st.tuples(*[st.tuples(shift, shift)] * 4)
geometric = st.builds(
    AugmentationParams, angle=st.floats(-180, 180), corner_shifts=corner_shifts, scale=st.floats(0.3, 2)
)


def page_with(box: tuple[int, int, int, int]) -> Image.Image:
    page = Image.new("RGB", SIZE, "white")
    left, top, right, bottom = box
    ImageDraw.Draw(page).rectangle((left, top, right - 1, bottom - 1), fill="black")
    return page


def ink(image: Image.Image) -> tuple[int, int, int, int]:
    """The bounding box of all pixels darker than medium grey."""
    found = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
    assert found, "nothing is left of the mark"
    return found


@settings(max_examples=150, deadline=None)
@given(params=geometric, left=st.integers(0, 180), top=st.integers(0, 270))
def test_a_box_is_transformed_as_its_pixels_are(params, left, top):
    # Includes marks at the edge, so that a cropped page would fail.
    box = (left, top, left + 60, top + 50)
    expected = transform_of(params, SIZE).map_box(box)
    assert ink(augment_image(page_with(box), params)) == pytest.approx(expected, abs=1.6)


@settings(max_examples=100, deadline=None)
@given(params=geometric)
def test_a_page_stays_whole_on_an_image_as_large_as_the_page(params):
    """This keeps the number of image tokens, for any rounding of width and height by a processor."""
    transform = transform_of(params, SIZE)
    upright = tuple(round(side * params.scale) for side in SIZE)
    assert transform.size in (upright, upright[::-1])
    width, height = transform.size
    x, y = transform.map_points(np.array([[0, SIZE[0], SIZE[0], 0], [0, 0, SIZE[1], SIZE[1]]], dtype=float))
    left, top, right, bottom = (x.min(), y.min(), width - x.max(), height - y.max())
    assert (left, top) == pytest.approx((right, bottom), abs=1e-6)
    assert min(left, top) == pytest.approx(0, abs=1e-6)


def test_a_page_is_rotated_counter_clockwise():
    top_left = page_with((0, 0, 40, 40))
    turned = augment_image(top_left, AugmentationParams(angle=90))
    assert turned.size == (320, 240)
    assert ink(turned) == pytest.approx((0, 200, 40, 240), abs=1)


def test_the_area_uncovered_by_a_rotation_is_white():
    black = Image.new("RGB", SIZE, "black")
    turned = augment_image(black, AugmentationParams(angle=10))
    assert [turned.getpixel(corner) for corner in ((0, 0), (turned.width - 1, 0))] == [(255, 255, 255)] * 2


def test_fine_lines_do_not_vanish_when_a_page_is_scaled_down():
    page = Image.new("RGB", SIZE, "white")
    for y in range(0, SIZE[1], 8):
        ImageDraw.Draw(page).line((0, y, SIZE[0], y), fill="black")
    small = augment_image(page, AugmentationParams(scale=0.25))
    assert small.size == (60, 80)
    assert ImageStat.Stat(small.convert("L")).mean == pytest.approx(
        ImageStat.Stat(page.convert("L")).mean, abs=4
    )


@pytest.mark.parametrize(
    ("brightness", "contrast"), [(0.8, 1.0), (1.2, 1.0), (1.0, 0.8), (1.0, 1.2), (0.8, 1.2)]
)
def test_brightness_and_contrast_equal_those_of_pillow(brightness, contrast):
    page = Image.linear_gradient("L").convert("RGB")
    bright = ImageEnhance.Brightness(page).enhance(brightness)
    expected = np.asarray(ImageEnhance.Contrast(bright).enhance(contrast), dtype=int)
    changed = np.asarray(
        augment_image(page, AugmentationParams(brightness=brightness, contrast=contrast)), dtype=int
    )
    assert np.abs(changed - expected).max() <= 2  # Pillow rounds down, twice


@pytest.mark.parametrize("std", [0.01, 0.03, 0.05])
def test_noise_has_the_configured_standard_deviation_in_each_channel(std):
    grey = Image.new("RGB", (400, 400), (128, 128, 128))
    noise = (
        np.asarray(augment_image(grey, AugmentationParams(noise_std=std, noise_seed=5)), dtype=float) - 128
    )
    assert noise.std(axis=(0, 1)) / 255 == pytest.approx([std] * 3, rel=0.02)
    assert noise.mean(axis=(0, 1)) == pytest.approx([0] * 3, abs=0.1)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.01


def test_the_width_of_the_blur_scales_with_the_resolution():
    widths = []
    for enlarged in (1, 3):
        page = page_with((0, 0, 120, 320)).resize((SIZE[0] * enlarged, SIZE[1] * enlarged))
        blurred = augment_image(page, AugmentationParams(blur=6))
        edge = np.asarray(blurred.convert("L"))[page.height // 2]
        widths.append(int(((edge > 26) & (edge < 229)).sum()) / enlarged)
    assert widths[0] > 2
    assert widths[0] == pytest.approx(widths[1], rel=0.35)


def test_a_lower_jpeg_quality_loses_more():
    noisy = augment_image(page_with((40, 40, 200, 60)), AugmentationParams(noise_std=0.05))
    losses = [
        np.abs(
            np.asarray(augment_image(noisy, AugmentationParams(jpeg_quality=quality)), dtype=int)
            - np.asarray(noisy)
        ).mean()
        for quality in (95, 60, 20)
    ]
    assert 0 < losses[0] < losses[1] < losses[2]
