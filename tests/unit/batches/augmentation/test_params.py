from dataclasses import replace

import pytest

from finscribe_core.trainer_config import AugmentationSpec
from finscribe_trainer.batches.augmentation.params import AugmentationParams, draw_params

EVERYTHING = AugmentationSpec(
    enabled=True,
    blur_probability=1,
    jpeg_probability=1,
    perspective_probability=1,
    scale_range=[0.8, 1.1],
)
FIELDS = tuple(AugmentationParams.__dataclass_fields__)
FIRST = {"seed": 42, "view": 0, "row": 0, "image": 0}


def test_the_same_view_of_a_row_has_the_same_parameters():
    assert draw_params(EVERYTHING, **FIRST) == draw_params(EVERYTHING, **FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_another_seed_view_row_or_image_has_other_parameters(name):
    first, other = draw_params(EVERYTHING, **FIRST), draw_params(EVERYTHING, **{**FIRST, name: 7})
    assert all(getattr(first, field) != getattr(other, field) for field in FIELDS)


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
        "perspective_probability": {"corner_shifts"},
    }.items(),
)
def test_a_setting_affects_only_its_own_parameter(setting, fields):
    without: dict[str, object] = {setting: 0 if setting.endswith("probability") else [1.0, 1.0]}
    first = draw_params(EVERYTHING, **FIRST)
    other = draw_params(EVERYTHING.model_copy(update=without), **FIRST)
    assert {name for name in FIELDS if getattr(first, name) != getattr(other, name)} == fields


def test_parameters_follow_their_ranges_and_probabilities():
    spec = AugmentationSpec(enabled=True, blur_probability=0.25, perspective_probability=0.5)
    drawn = [draw_params(spec, 1, view, row, 0) for view in range(20) for row in range(50)]
    for name, (least, most) in {
        "angle": spec.rotation_range,
        "brightness": spec.brightness_range,
        "contrast": spec.contrast_range,
        "noise_std": spec.noise_std,
    }.items():
        values = sorted(getattr(params, name) for params in drawn)
        assert least <= values[0] < least + 0.05 * (most - least)
        assert most - 0.05 * (most - least) < values[-1] <= most
    assert {params.scale for params in drawn} == {1.0}
    shares = {
        "blur": sum(params.blur > 0 for params in drawn) / 1000,
        "corner_shifts": sum(params.corner_shifts != () for params in drawn) / 1000,
        "jpeg_quality": sum(params.jpeg_quality is not None for params in drawn) / 1000,
    }
    assert shares == pytest.approx({"blur": 0.25, "corner_shifts": 0.5, "jpeg_quality": 0.3}, abs=0.05)


def test_only_geometric_parameters_move_points():
    assert not AugmentationParams(brightness=0.8, noise_std=0.1).moves_points
    assert replace(AugmentationParams(), angle=0.1).moves_points
