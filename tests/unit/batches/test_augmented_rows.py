"""Augmentation of the rows that the data loader reads."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image, ImageDraw
from torch.utils.data import DataLoader

from finscribe_core.trainer_config import AugmentationSpec
from finscribe_trainer.batches.augmentation.augment import Augmentation, augment_example, prepare_augmentation
from finscribe_trainer.batches.dataset import EncodedExamples, RowKey
from finscribe_trainer.data.dataset import Dataset, Example, load_dataset
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.training.sampler import DataOrder, EpochSampler

SPEC = AugmentationSpec(enabled=True, perspective_probability=0.5)
TWO_VIEWS = SPEC.model_copy(update={"num_views": 2})


def augmented(dataset: Dataset, family: Family, spec: AugmentationSpec = SPEC, seed: int = 42):
    return EncodedExamples(dataset.examples, family, None, Augmentation(spec, seed))


def pixels(rows: EncodedExamples, index: int, epoch: int) -> torch.Tensor:
    return rows[RowKey(index, epoch)]["images"][0]["pixel_values"]


@pytest.fixture(scope="session")
def with_image(dataset: Dataset) -> list[int]:
    return [i for i, example in enumerate(dataset.examples) if example.images]


def test_a_page_differs_between_epochs_and_is_reproducible(dataset, family, with_image):
    rows = augmented(dataset, family)
    first = with_image[0]
    assert torch.equal(pixels(rows, first, 0), pixels(augmented(dataset, family), first, 0))
    plain = EncodedExamples(dataset.examples, family)
    views = [pixels(rows, first, epoch) for epoch in range(3)] + [pixels(plain, first, 0)]
    for i, view in enumerate(views):
        assert not any(torch.equal(view, other) for other in views[i + 1 :])


@pytest.mark.parametrize("size", [(181, 399), (620, 877), (1203, 795)])
def test_an_augmented_page_has_no_more_tokens_than_were_counted(size, dataset, family, with_image):
    """Image sizes that the processor enlarges, rounds, or leaves unchanged."""
    page = replace(dataset.examples[with_image[0]], sizes=(size,))
    augmentation = Augmentation(SPEC.model_copy(update={"rotation_range": [-30, 30]}), seed=42)
    views = [augment_example(page, augmentation.draw(page, 0, epoch)) for epoch in range(100)]
    assert {family.count_tokens(view) for view in views} == {family.count_tokens(page)}


def test_views_alternate_between_epochs(dataset, family, with_image):
    rows = augmented(dataset, family, TWO_VIEWS)
    first, second, third = (pixels(rows, with_image[0], epoch) for epoch in range(3))
    assert torch.equal(first, third)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_number_of_workers_does_not_affect_the_rows(dataset, family, num_workers):
    def epoch(workers: int) -> list[Encoded]:
        sampler = EpochSampler(DataOrder(len(dataset.examples), seed=1))
        sampler.set_epoch(2)
        rows = augmented(dataset, family)
        loader = DataLoader(rows, 3, sampler=sampler, collate_fn=family.collate, num_workers=workers)
        return list(loader)

    for one, other in zip(epoch(0), epoch(num_workers), strict=True):
        assert one.pop("where") == other.pop("where")
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_row_without_an_image_is_unchanged(dataset, family):
    text = next(i for i, example in enumerate(dataset.examples) if not example.images)
    encoded, plain = augmented(dataset, family)[RowKey(text, 3)], family.encode(dataset.examples[text])
    assert torch.equal(encoded["input_ids"], plain["input_ids"])


@pytest.fixture
def boxed(write_rows, tmp_path):
    """A row with the given number of pages, of which one has a mark; its answer has the mark's box."""

    def make(num_pages: int) -> Example:
        page = Image.new("RGB", (280, 280), "white")
        ImageDraw.Draw(page).rectangle((100, 40, 139, 59), fill="black")
        page.save(tmp_path / "page.png")
        answer = json.dumps({"line_items": [{"sku": "A1", "bbox": [100, 40, 140, 60]}]})
        file = write_rows({"prompt": "Read this.", "images": ["page.png"] * num_pages, "completion": answer})
        return load_dataset(file, max_image_pixels=10**6).examples[0]

    return make


def learned(family: Family, example: Example, spec: AugmentationSpec) -> dict:
    labels = EncodedExamples([example], family, None, Augmentation(spec, 1))[RowKey(0, 0)]["labels"]
    return json.loads(family.tokenizer.decode(labels[labels != IGNORE_INDEX][:-1]))


def test_boxes_in_the_labels_are_those_of_the_augmented_page(boxed, family):
    example = boxed(1)
    turned = learned(family, example, AugmentationSpec(enabled=True, rotation_range=[90, 90]))
    assert turned == {"line_items": [{"sku": "A1", "bbox": [40, 140, 60, 180]}]}


def test_geometry_is_not_augmented_when_a_box_may_belong_to_several_images(boxed, family):
    example = boxed(2)
    params = Augmentation(SPEC, 1).draw(example, 0, 0)
    assert not any(image.moves_points for image in params)
    assert all(image.noise_std for image in params)
    assert learned(family, example, SPEC) == json.loads(example.row.completion)


@pytest.mark.parametrize(
    ("settings", "images", "reason"),
    [
        ({"rotation_range": [-2, 2]}, True, "set augmentation.enabled to true"),
        ({"enabled": False, "rotation_range": [-2, 2]}, True, ""),
        ({"enabled": True}, False, "no training row has an image"),
    ],
)
def test_augmentation_without_effect_logs_the_reason(config, dataset, caplog, settings, images, reason):
    spec = AugmentationSpec.model_validate(settings)
    examples = dataset.examples if images else [replace(e, images=(), sizes=()) for e in dataset.examples]
    assert prepare_augmentation(config.model_copy(update={"augmentation": spec}), examples) is None
    assert reason in caplog.text
    assert bool(reason) == bool(caplog.records)
