import json
import logging
import os
import shutil
import time
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraSpec, TrainerConfig
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.features.files import read_features, write_features
from finscribe_trainer.batches.features.fingerprint import fingerprint
from finscribe_trainer.batches.features.row_images import open_row_images
from finscribe_trainer.batches.features.setup import reason_against_caching
from finscribe_trainer.batches.features.store import FEATURE_FILES, FeatureStore
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.evaluation.generation import AnswerGenerator
from finscribe_trainer.model.families.base import ImageFeatures
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime import disk_quota
from finscribe_trainer.runtime.disk_quota import DiskQuota
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run

EPOCH = 2
"""Steps."""


def with_settings(config: TrainerConfig, **sections) -> TrainerConfig:
    data = config.model_dump(mode="json", exclude_unset=True)
    for name, value in sections.items():
        data[name] = {**data.get(name, {}), **value} if isinstance(value, dict) else value
    return TrainerConfig.model_validate(data)


class Trained:
    """A training run; its images may be removed after the first epoch."""

    def __init__(self, config: TrainerConfig, images_to_remove: Path | None = None) -> None:
        self.reporter = RemovingReporter(images_to_remove)
        train(Run(config, name="", resume=None, reporter=self.reporter, stop=StopSignal()))
        output = Path(config.output_dir)
        self.adapter = load_file(output / "final_model" / "adapter_model.safetensors")
        metrics = json.loads((output / "metrics.json").read_text())
        entries = [*metrics["train_history"], *metrics["eval_history"]]
        self.losses = [entry.get("loss", entry.get("eval_loss")) for entry in entries]

    def count(self, name: str) -> float | None:
        registry, labels = self.reporter.prometheus.registry, {"finetunejob": "", "run": ""}
        return registry.get_sample_value(f"finscribe_feature_cache_{name}", labels)


class RemovingReporter(RunReporter):
    def __init__(self, images: Path | None) -> None:
        super().__init__(run="", job="")
        self.images = images

    def record_step(self, step: int, total: int, epoch: float) -> None:
        super().record_step(step, total, epoch)
        if step == EPOCH and self.images:
            shutil.rmtree(self.images)


@pytest.fixture
def two_epochs(sample, tmp_path, config) -> TrainerConfig:
    shutil.copytree(sample, tmp_path / "data", ignore=shutil.ignore_patterns("model"))
    return with_settings(
        config,
        dataset_path=str(tmp_path / "data/train.jsonl"),
        validation_path=str(tmp_path / "data/val.jsonl"),
        feature_cache_dir=str(tmp_path / "shared"),
        training={"max_steps": 2 * EPOCH, "eval_steps": EPOCH},
        evaluation={"training_documents": 2, "max_new_tokens": 4},
    )


@pytest.mark.train
def test_each_page_passes_the_vision_tower_once_and_the_result_is_the_same(two_epochs, tmp_path):
    off = Trained(
        with_settings(two_epochs, output_dir=str(tmp_path / "off"), feature_cache={"enabled": False})
    )
    shutil.copytree(tmp_path / "data/images", tmp_path / "images")
    first = Trained(two_epochs, images_to_remove=tmp_path / "data/images")
    assert first.losses == pytest.approx(off.losses, rel=1e-6)
    assert first.count("misses_total") == len(list((tmp_path / "images").iterdir()))

    shutil.copytree(tmp_path / "images", tmp_path / "data/images")
    second = Trained(with_settings(two_epochs, output_dir=str(tmp_path / "second")))
    assert second.count("misses_total") == 0
    assert all(torch.equal(tensor, second.adapter[name]) for name, tensor in first.adapter.items())
    assert off.count("hits_total") == 0


@pytest.mark.train
def test_augmented_pages_are_cached_with_a_limited_number_of_views(two_epochs, tmp_path):
    views = with_settings(two_epochs, augmentation={"enabled": True, "num_views": 1})
    Trained(views, images_to_remove=tmp_path / "data/images")


@pytest.fixture
def model(family, source):
    return attach_adapter(family.load_model(source), family, LoraSpec(dropout=0.0)).eval()


@pytest.fixture
def cache(model, family, tmp_path) -> FeatureCache:
    store = FeatureStore(tmp_path / "features", torch.float32, family)
    return FeatureCache(model, family, store, DiskQuota(tmp_path, 10**9, FEATURE_FILES))


def inputs_of(cache: FeatureCache, example):
    row = cache.family.encode(example, open_row_images(example, store=cache.store))
    inputs = ModelInputs(cache.family, cache)(cache.family.collate([row]))
    cache.flush()
    return inputs


DAMAGE = {
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: path.write_bytes(b""),
    "zeros at its end, as after a power cut": lambda path: path.write_bytes(
        path.read_bytes()[:-64] + bytes(64)
    ),
    "no safetensors": lambda path: path.write_bytes(b"%PDF-1.7" * 100),
    "of nothing known": lambda path: path.write_bytes(save({"weights": torch.zeros(2)})),
    "without grid": lambda path: path.write_bytes(save({"features": torch.zeros(2, 128)})),
    "of other sizes": lambda path: write_features(path, ImageFeatures(torch.zeros(9, 8), (1, 6, 6))),
    "of another dtype": lambda path: write_features(
        path, ImageFeatures(torch.zeros(9, 128).half(), (1, 6, 6))
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_recomputed(damage, cache, dataset, caplog):
    example = dataset.examples[0]
    expected = inputs_of(cache, example)["mm_encoder_outputs"]["image"].pooler_output[0].clone()
    (path,) = cache.store.folder.rglob("*.safetensors")
    damage(path)
    found = inputs_of(cache, example)["mm_encoder_outputs"]["image"].pooler_output[0]
    assert torch.equal(found, expected)
    assert caplog.text.count("is invalid and will be recomputed") == 1
    assert (cache.hits, cache.misses) == (0, 2)
    inputs_of(cache, example)
    assert cache.hits == 1


def test_answers_are_the_same_with_cached_features(cache, dataset, several_images):
    examples = [*dataset.examples[:4], several_images]

    def texts(features):
        generator = AnswerGenerator(cache.model, cache.family, 8, 3, features=features)
        return {answer.index: answer.text for answer in generator.generate(examples)}

    assert texts(None) == texts(cache) == texts(cache)
    assert cache.misses == len({sha256 for example in examples for sha256 in example.image_hashes})


def write_entry(folder: Path, name: str, age_minutes: float) -> Path:
    path = FeatureStore(folder / ("0" * 32), torch.float32, None).path(sha256(name.encode()).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1000))
    used = time.time() - 60 * age_minutes
    os.utime(path, (used, used))
    return path


def test_the_least_recently_used_features_are_evicted_but_none_in_use(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    oldest, older, used_again = (write_entry(tmp_path, *each) for each in (("a", 9), ("b", 8), ("c", 7)))
    quota = DiskQuota(tmp_path, 4500, FEATURE_FILES)
    os.utime(used_again)  # by another run, since then

    def kept(name):
        return quota.reserve(1000) and bool(write_entry(tmp_path, name, -1))

    assert (kept("d"), oldest.exists()) == (True, True)
    assert (kept("e"), oldest.exists(), older.exists()) == (True, False, True)
    assert (kept("f"), older.exists()) == (True, False)
    assert (kept("g"), kept("h"), used_again.exists()) == (False, False, True)
    assert caplog.text.count("full") == 1


def test_other_files_in_the_folder_are_neither_counted_nor_evicted(tmp_path):
    others = [
        tmp_path / "model.safetensors",
        tmp_path / "models/base/model.safetensors",
        tmp_path / "old-run/final_model/adapter_model.safetensors",
        tmp_path / f"old-run/{'0' * 32}/ab/{'0' * 64}.safetensors",
        tmp_path / "downloads/ab/page.part",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (0, 0))
    quota = DiskQuota(tmp_path, 900, FEATURE_FILES)
    assert (quota.used_bytes, quota.reserve(1000)) == (0, False)
    assert all(path.exists() for path in others)


def test_free_space_is_reserved_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_quota, "FREE_BYTES", shutil.disk_usage(tmp_path).free + 10**9)
    assert not DiskQuota(tmp_path, 10**12, FEATURE_FILES).reserve(1000)


def test_abandoned_partial_files_are_removed(tmp_path):
    folder = write_entry(tmp_path, "a", 0).parent
    part, fresh = (folder / f".{'0' * 64}.safetensors.{number * 32}.part" for number in "12")
    for path in (part, fresh):
        path.write_bytes(b"x")
    os.utime(part, (0, 0))
    DiskQuota(tmp_path, 1000, FEATURE_FILES)
    assert (part.exists(), fresh.exists()) == (False, True)


def test_a_full_cache_or_a_failing_disk_only_costs_time(cache, dataset, tmp_path, caplog):
    cache.quota = DiskQuota(tmp_path, 0, FEATURE_FILES)
    inputs_of(cache, dataset.examples[0])
    assert not list(tmp_path.rglob("*.safetensors"))
    cache.quota = DiskQuota(tmp_path, 10**9, FEATURE_FILES)
    cache.store.folder.write_bytes(b"a file, where a folder should be")
    inputs_of(cache, dataset.examples[0])
    cache.quota = DiskQuota(tmp_path / "unmounted", 10**9, FEATURE_FILES)
    inputs_of(cache, dataset.examples[0])
    assert caplog.text.count("feature cache: full") == 3


INVALID = {
    "lora.scope All trains the vision tower": {"lora": {"scope": "All"}},
    "augmentation creates new views in every epoch": {"augmentation": {"enabled": True}},
}


@pytest.mark.train
@pytest.mark.parametrize("why", INVALID)
def test_an_invalid_cache_is_rejected_if_enabled_and_else_off(why, config, family, source):
    wrong = with_settings(config, **INVALID[why], feature_cache={"enabled": True})
    with pytest.raises(UserError, match=why) as caught:
        Trained(wrong)
    assert caught.value.reason is FailureReason.InvalidConfig
    unset = with_settings(config, **INVALID[why])
    Trained(unset)
    assert not (Path(unset.output_dir) / "features").exists()


def test_scope_all_allows_the_cache_if_no_target_is_in_the_vision_tower(config, family, source):
    lora = LoraSpec(target_modules=["gate_proj"], scope="All")
    model = attach_adapter(family.load_model(source), family, lora)
    assert reason_against_caching(config.model_copy(update={"lora": lora}), model, family) is None


def test_other_weights_or_settings_have_another_fingerprint(model, family):
    modules = family.vision_modules(model)
    names = [fingerprint(modules, {"dtype": "float32"}), fingerprint(modules, {"dtype": "bfloat16"})]
    next(modules[1].parameters()).data[0] += 1e-6
    names.append(fingerprint(modules, {"dtype": "float32"}))
    assert len(set(names)) == 3


def test_features_survive_writing_and_reading(tmp_path, family):
    features = torch.randn(4, 128).bfloat16()
    write_features(tmp_path / "a", ImageFeatures(features, (1, 4, 4)))
    found = read_features(tmp_path / "a", torch.bfloat16, family.features_shape)
    assert torch.equal(found.features, features)
    assert found.grid == (1, 4, 4)
