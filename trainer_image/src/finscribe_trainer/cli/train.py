"""`finscribe train`: a fine-tuning run on this machine, and what the pod of a FineTuneJob runs."""

import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from finscribe_core.constants import ENV_HTTP_PORT, ENV_RUN, EXIT_RETRY
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import find_setting
from finscribe_core.overrides import apply_overrides, field_path, parse_assignment
from finscribe_core.parsing import parse_leniently
from finscribe_core.trainer_config import DifficultySchedule, TrainerConfig
from finscribe_core.yaml_files import read_document

log = logging.getLogger(__name__)

_FIELD_OF_FLAG = {
    "train_file": ("--train-file", "dataset_path"),
    "val_file": ("--val-file", "validation_path"),
    "output_dir": ("--output-dir", "output_dir"),
}

Flags = dict[str, tuple[str, Any]]
"""Settings that flags change, by dotted path: the flag, and the value."""


strict_option = click.option(
    "--strict", is_flag=True, help="Refuse unknown keys in the config instead of warning of them."
)
"""Of every command that reads a config with `load_config`."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML file, as in the training guide.",
)
@click.option("--train-file", help="Training rows instead of the config's dataset_path.")
@click.option("--val-file", help="Validation rows instead of the config's validation_path.")
@click.option("--output-dir", help="Folder for checkpoints and results instead of the config's output_dir.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change one setting, such as training.learning_rate=1e-5. May be repeated.",
)
@strict_option
@click.option("--resume", metavar="CHECKPOINT", help="Go on from a checkpoint: a folder, or an s3:// prefix.")
@click.option("--use-quantization", is_flag=True, help="QLoRA: hold the language model in 4 bits.")
@click.option(
    "--difficulty-schedule",
    type=click.Choice([str(schedule) for schedule in DifficultySchedule]),
    help="A curriculum: in which order difficulties are met.",
)
@click.option(
    "--nproc-per-node",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes on this machine that train together: one for each GPU.",
)
def train(config_file: Path, resume: str | None, nproc_per_node: int, **overrides: Any) -> None:
    """Fine-tune PaddleOCR-VL (or a text model) with LoRA, on this machine.

    \b
    Writes below output_dir:
      checkpoint-<step>/   to go on from, with --resume
      final_model/         the best adapter: of the lowest validation loss, or by early_stopping.metric
      merged_model/        a complete model, if output_formats names Merged
      evaluation/          report.html: base and tuned model on the same documents
      config.yaml          the config with every default written out
      metrics.json         every figure, and what it was measured on
      logs/                training curves, for TensorBoard
      features/            cached features of pages, where they can be kept

    Ctrl+C finishes the step under way, saves a checkpoint and ends; a second one ends at once.

    \b
    Exit codes:  0 done   78 the config or the data must be changed   75 try again   70 a defect

    \b
    Examples:
      finscribe train --config finetune_config.yaml
      finscribe train --config finetune_config.yaml --train-file data/train.jsonl --val-file data/val.jsonl
      finscribe train --config finetune_config.yaml --use-quantization
      finscribe train --config finetune_config.yaml --difficulty-schedule easy_to_hard
      finscribe train --config finetune_config.yaml --set training.learning_rate=1e-5 --set lora.r=32
      finscribe train --config finetune_config.yaml --resume ./finetuned_model/checkpoint-1000
      finscribe train --config finetune_config.yaml --nproc-per-node 4
    """  # noqa: D301 - click reads \b as "keep these lines"
    for number in (signal.SIGINT, signal.SIGTERM):  # until the session takes them over: nothing has begun
        signal.signal(number, lambda *_: os._exit(EXIT_RETRY))
    from finscribe_trainer.pipeline.session import launch_session, run_session  # noqa: PLC0415 - `--help` needs no torch

    def load() -> TrainerConfig:
        return load_config(config_file, overrides)

    if nproc_per_node == 1 or "RANK" in os.environ:  # which this very command sets, as torchrun does
        sys.exit(run_session(load, resume))
    sys.exit(launch_session(load, nproc_per_node))


def load_config(path: Path, overrides: dict[str, Any]) -> TrainerConfig:
    """The config file with the command line's changes; unknown keys are warned of, or refused if `strict`.

    Raises:
        UserError: InvalidConfig, naming file, line and field.
    """
    document = read_document(path, "Write one config to a file: docs/training-guide.md.")
    flags = _of_flags(overrides)
    assigned = dict(parse_assignment(text) for text in overrides.get("assignments", ()))
    config, unknown = parse_leniently(
        TrainerConfig, document, lambda data: _changed(data, flags, assigned), _said(flags, assigned)
    )
    if unknown and overrides.get("strict"):
        raise UserError(
            FailureReason.InvalidConfig, "\n".join(unknown), "Remove them, or leave --strict out."
        )
    for warning in unknown:
        log.warning("%s Ignored.", warning)
    return config


def _of_flags(overrides: dict[str, Any]) -> Flags:
    """What contradicts itself then is found when it is checked."""
    changes = {
        field: (flag, overrides[name])
        for name, (flag, field) in _FIELD_OF_FLAG.items()
        if overrides.get(name) is not None
    }
    if "validation_path" in changes:
        changes["validation_split"] = ("--val-file", None)
    if overrides.get("use_quantization"):
        changes["method"] = ("--use-quantization", "QLoRA")
    if schedule := overrides.get("difficulty_schedule"):
        changes["curriculum.enabled"] = ("--difficulty-schedule", True)
        changes["curriculum.difficulty_schedule"] = ("--difficulty-schedule", schedule)
    return changes


def _changed(data: dict[str, Any], flags: Flags, assigned: dict[str, Any]) -> dict[str, Any]:
    """The file's data with what the command line says instead.

    Raises:
        UserError: InvalidConfig for an unknown path, or a flag that --set undoes.
    """
    values = {name: value for name, (_, value) in flags.items()}
    data = apply_overrides(TrainerConfig, data, values, "the command line's")
    data = apply_overrides(TrainerConfig, data, assigned, "--set")
    for name, (flag, value) in flags.items():
        found = find_setting(TrainerConfig, data, name)
        if found is None or found[1] != value:
            raise UserError(
                FailureReason.InvalidConfig, f"{flag} and --set contradict each other on {name}.", "Keep one."
            )
    return data


def _said(flags: Flags, assigned: dict[str, Any]) -> dict[str, str]:
    """What of the command line is to blame for each setting it changes, by dotted path."""
    said = {field_path(TrainerConfig, name): f"--set {name}" for name in assigned}
    said |= {name: flag for name, (flag, _) in flags.items()}
    return said | {place: said[name] for name, place in TrainerConfig.same_settings if name in said}


def run_name(config: TrainerConfig) -> str:
    """The operator's name for the run; a name of its own for a local training that uploads."""
    given = os.environ.get(ENV_RUN, "")
    if given or config.output_uri is None:
        return given
    return datetime.now(UTC).strftime("local-%Y%m%d-%H%M%S")


def http_port() -> int | None:
    """The port to report on, if the environment names one.

    Raises:
        UserError: it is no port.
    """
    text = os.environ.get(ENV_HTTP_PORT)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 65536):
        raise UserError(
            FailureReason.InvalidConfig, f"{ENV_HTTP_PORT}={text!r} is no port.", "Use 1 to 65535."
        )
    return int(text)
