from dataclasses import replace

import pytest

from finscribe_core.trainer_config import AugmentationSpec
from finscribe_trainer.batches.augmentation.change import Change, draw_change

EVERYTHING = AugmentationSpec(
    enabled=True,
    blur_probability=1,
    jpeg_probability=1,
    perspective_probability=1,
    scale_range=[0.8, 1.1],
)
FIRST = {"seed": 42, "view": 0, "row": 0, "image": 0}


def test_the_same_view_of_a_row_is_the_same_change():
    assert draw_change(EVERYTHING, **FIRST) == draw_change(EVERYTHING, **FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_another_seed_view_row_or_image_is_another_change(name):
    first, other = draw_change(EVERYTHING, **FIRST), draw_change(EVERYTHING, **{**FIRST, name: 7})
    assert all(getattr(first, field) != getattr(other, field) for field in Change.__dataclass_fields__)


@pytest.mark.parametrize(
    ("setting", "fields"),
    {
        "rotation_range": {"angle"},
        "brightness_range": {"brightness"},
        "contrast_range": {"contrast"},
        "noise_std": {"noise_std"},
        "scale_range": {"scale"},
        "jpeg_quality_range": {"jpeg_quality"},
        "blur_probability": {"blur"},
        "jpeg_probability": {"jpeg_quality"},
        "perspective_probability": {"bend"},
    }.items(),
)
def test_a_setting_decides_about_its_own_change_alone(setting, fields):
    without: dict[str, object] = {setting: 0 if setting.endswith("probability") else [1.0, 1.0]}
    first = draw_change(EVERYTHING, **FIRST)
    other = draw_change(EVERYTHING.model_copy(update=without), **FIRST)
    assert {name for name in Change.__dataclass_fields__ if getattr(first, name) != getattr(other, name)} == (
        fields
    )


def test_a_change_keeps_to_its_ranges_and_probabilities():
    spec = AugmentationSpec(enabled=True, blur_probability=0.25, perspective_probability=0.5)
    changes = [draw_change(spec, 1, view, row, 0) for view in range(20) for row in range(50)]
    for name, (least, most) in {
        "angle": spec.rotation_range,
        "brightness": spec.brightness_range,
        "contrast": spec.contrast_range,
        "noise_std": spec.noise_std,
    }.items():
        values = sorted(getattr(change, name) for change in changes)
        assert least <= values[0] < least + 0.05 * (most - least)
        assert most - 0.05 * (most - least) < values[-1] <= most
    assert {change.scale for change in changes} == {1.0}
    shares = {
        "blur": sum(change.blur > 0 for change in changes) / 1000,
        "bend": sum(change.bend != () for change in changes) / 1000,
        "jpeg_quality": sum(change.jpeg_quality is not None for change in changes) / 1000,
    }
    assert shares == pytest.approx({"blur": 0.25, "bend": 0.5, "jpeg_quality": 0.3}, abs=0.05)


def test_a_change_that_moves_nothing_says_so():
    assert not Change(brightness=0.8, noise_std=0.1).moves
    assert replace(Change(), angle=0.1).moves
