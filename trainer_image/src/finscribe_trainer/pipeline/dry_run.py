"""`finscribe train --dry-run`: checks everything that a training needs, and trains nothing."""

import tempfile
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError, disk_errors_as_finscribe_errors
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.image_count import image_count, with_images
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.adapter_fit import check_adapter_fits
from finscribe_trainer.model.initial_adapter import fetch_initial_adapter
from finscribe_trainer.model.model_files import weights_problem
from finscribe_trainer.model.precision import check_compiler, check_optimizer, choose_attention, choose_dtype
from finscribe_trainer.model.source import ModelSource, fetch_model_files
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.pipeline.rows_of_model import load_family_and_rows
from finscribe_trainer.runtime.outputs import claim_folder
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri
from finscribe_trainer.training.arguments import steps_per_epoch
from finscribe_trainer.training.checkpoint_fit import check_fit
from finscribe_trainer.training.checkpoints import read_named_checkpoint, refuse_earlier_training
from finscribe_trainer.training.curves.setup import check_curves
from finscribe_trainer.training.run import Run

_WEIGHTS = ".safetensors"


def dry_run(run: Run, storage: Storage) -> str:
    """Check storage, output folder, rows, images and the model's files; downloads are deleted again.

    Of the weights only names and headers are checked. They are not downloaded.

    Returns:
        what was checked, as lines of text.

    Raises:
        FinscribeError: as the training would.
    """
    config = run.config
    check_curves(config)
    if config.output_uri:
        storage.check_writable(config.output_uri)
    _check_output_dir(run.output_dir)
    if not run.may_find_earlier_training:
        refuse_earlier_training(run.output_dir)
    with tempfile.TemporaryDirectory(prefix="finscribe-dry-run-") as folder:
        scratch = Path(folder)
        checkpoint = read_named_checkpoint(run.resume, scratch, storage) if run.resume else None
        splits = load_splits(config, scratch, storage)
        source = model_without_weights(config, scratch / "model", storage)
        if checkpoint:
            check_fit(checkpoint, config, source)
        elif adapter := fetch_initial_adapter(config, scratch / "adapter", storage):
            check_adapter_fits(adapter.folder, adapter.location, config, source)
        family, chosen = load_family_and_rows(config, source, splits)
        spec = config.training
        choose_attention(spec.attn_implementation, choose_dtype(spec), family.model_class)
        check_optimizer(spec.optim)
        if spec.torch_compile:
            check_compiler()
    return _summary(config, chosen)


def _check_output_dir(output_dir: Path) -> None:
    """Check that the folder can be created, or written and is not locked, without creating it."""
    if output_dir.is_dir():
        with claim_folder(output_dir, writes=()):
            return
    existing = next(path for path in (output_dir, *output_dir.resolve().parents) if path.exists())
    with disk_errors_as_finscribe_errors(), tempfile.TemporaryFile(dir=existing):
        pass


def model_without_weights(config: TrainerConfig, folder: Path, storage: Storage) -> ModelSource:
    """The base model's source; of weights a local folder's are checked, and a bucket's only named."""
    name = config.model_name_or_path
    if not is_s3_uri(name):
        source = fetch_model_files(name, config.model_revision, folder, storage)
        local = Path(source.location)
        if local.is_dir() and (problem := weights_problem(local)):
            raise UserError(FailureReason.ModelNotFound, f"{source.name} {problem.text}", problem.remedy)
        return source
    prefix = name.rstrip("/")
    names = storage.names(f"{prefix}/", FailureReason.ModelNotFound)
    if not any(one.endswith(_WEIGHTS) for one in names):
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name} contains no model.safetensors.",
            "Use the prefix that directly contains config.json and model.safetensors.",
        )
    small = [one for one in names if not one.endswith(_WEIGHTS)]
    storage.fetch_objects(
        [(f"{prefix}/{one}", folder / one) for one in small], missing=FailureReason.ModelNotFound
    )
    return ModelSource(str(folder), None, name)


def _summary(config: TrainerConfig, splits: Splits) -> str:
    """The numbers that show whether the right files were read."""
    rows = [*splits.train, *splits.validation, *(splits.test or ())]
    steps = steps_per_epoch(config.training, len(splits.train))
    test = f", {len(splits.test)} test" if splits.test is not None else ""
    return "\n".join(
        [
            "Everything was checked, and nothing trained:",
            f"  rows     {len(splits.train)} training, {len(splits.validation)} validation{test}; "
            f"{image_count(with_images(rows), len(rows))}; "
            f"{splits.num_excluded} are too long and left out",
            f"  model    {config.model_name_or_path}",
            f"  steps    {steps} per epoch on one device",
            f"  output   {config.output_uri or config.output_dir}",
        ]
    )
