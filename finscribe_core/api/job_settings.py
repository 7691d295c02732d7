"""Writes the spec of a job as the trainer's configuration."""

from finscribe_core.api.base import count_bytes
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_core.constants import (
    DOWNLOAD_CACHE_DIR,
    FEATURE_CACHE_DIR,
    MODEL_DIR,
    OCI_SCHEME,
    WORK_DIR,
)
from finscribe_core.trainer_config import FeatureCacheSpec, PreflightSpec, StorageEndpoint, TrainerConfig

OUTPUT_DIR = f"{WORK_DIR}/output"


def build_trainer_config(job: FineTuneJob) -> TrainerConfig:
    """The spec as the trainer's configuration."""
    spec = job.spec
    is_image = spec.model.source.startswith(OCI_SCHEME)
    return TrainerConfig(
        model_name_or_path=MODEL_DIR if is_image else spec.model.source.removeprefix("hf://"),
        model_name=spec.model.source if is_image else None,
        model_revision=spec.model.revision,
        adapter_name_or_path=spec.model.adapter,
        adapter_policy=spec.model.adapter_policy,
        dataset_path=spec.dataset.train,
        validation_path=spec.dataset.validation,
        validation_split=spec.dataset.validation_split,
        test_path=spec.dataset.test,
        image_root=spec.dataset.image_root,
        max_image_pixels=spec.dataset.max_image_pixels,
        max_pages=spec.dataset.max_pages,
        require_images=spec.dataset.require_images,
        method=spec.method,
        lora=spec.lora,
        training=spec.training,
        early_stopping=spec.early_stopping,
        loss=spec.loss,
        augmentation=spec.augmentation,
        curriculum=spec.curriculum,
        feature_cache=_feature_cache(spec),
        feature_cache_dir=FEATURE_CACHE_DIR if spec.feature_cache.persistent_volume_claim else None,
        cache_dir=DOWNLOAD_CACHE_DIR if spec.cache else None,
        cache_max_size=spec.cache.max_size if spec.cache else None,
        preflight=spec.preflight or PreflightSpec(),
        evaluation=spec.evaluation,
        output_dir=OUTPUT_DIR,
        output_uri=spec.output.uri,
        output_formats=spec.output.formats,
        keep_checkpoints=spec.output.keep_checkpoints,
        keep_runs=spec.output.keep_runs,
        storage=StorageEndpoint(endpoint=spec.storage.endpoint, region=spec.storage.region),
    )


def _feature_cache(spec: FineTuneJobSpec) -> FeatureCacheSpec:
    """The cache's settings, limited to half of the scratch volume: a pod that fills it is evicted."""
    own = spec.feature_cache.model_dump(include=set(FeatureCacheSpec.model_fields))
    half = count_bytes(spec.resources.scratch) // 2
    if spec.feature_cache.persistent_volume_claim is None and count_bytes(own["max_size"]) > half:
        own["max_size"] = str(max(1, half))
    return FeatureCacheSpec.model_validate(own)
