"""`finscribe train`: runs a fine-tuning, on this machine or as the container of a FineTuneJob's pod."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from finscribe_core.constants import ENV_NODES, ENV_PROCESSES_PER_NODE, EXIT_RETRY
from finscribe_core.trainer_config import DifficultySchedule, TrainerConfig
from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.runtime.garbage import imports_excluded


@click.command(context_settings=HELP_SETTINGS)
@config_options(config_help="YAML file, as in the training guide.")
@click.option("--train-file", help="Training rows instead of the config's dataset_path.")
@click.option("--val-file", help="Validation rows instead of the config's validation_path.")
@click.option("--output-dir", help="Folder for checkpoints and results instead of the config's output_dir.")
@click.option(
    "--resume", metavar="CHECKPOINT", help="Checkpoint to resume from: a folder or an s3:// prefix."
)
@click.option("--use-quantization", is_flag=True, help="QLoRA: load the language model in 4 bits.")
@click.option(
    "--difficulty-schedule",
    type=click.Choice([str(schedule) for schedule in DifficultySchedule]),
    help="Curriculum: the order in which rows are trained by difficulty.",
)
@click.option(
    "--nproc-per-node",
    envvar=ENV_PROCESSES_PER_NODE,
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of training processes on this machine: one per GPU; also PET_NPROC_PER_NODE, of torchrun.",
)
@click.option(
    "--published-only",
    is_flag=True,
    help="If the result of the run is in the bucket, make latest.json name it; train nothing.",
)
@click.option(
    "--data-state",
    is_flag=True,
    help="Print a fingerprint of the files of rows, and the number of training rows; train nothing.",
)
@click.option(
    "--known", metavar="FINGERPRINT", help="With --data-state: count no rows while the data has it."
)
@click.option("--dry-run", is_flag=True, help="Check everything that the training needs; train nothing.")
@overwrite_option
def train(  # noqa: PLR0913 - one for each option
    config_file: Path,
    resume: str | None,
    nproc_per_node: int,
    *,
    published_only: bool,
    data_state: bool,
    known: str | None,
    dry_run: bool,
    overwrite: bool,
    **overrides: Any,
) -> None:
    """Fine-tune PaddleOCR-VL (or a text model) with LoRA, on this machine.

    \b
    Writes below output_dir:
      checkpoint-<step>/   checkpoints, for --resume
      final_model/         the best adapter: of the lowest validation loss, or by early_stopping.metric
      merged_model/        a complete model, if output_formats contains Merged
      evaluation/          report.html: base and tuned model on the same documents
      config.yaml          the config with all defaults
      metrics.json         all metrics, with data and versions
      logs/                training curves, for TensorBoard
      features/            feature cache of the pages, if it can be used

    An output_dir with checkpoints or results of another training is refused, unless --overwrite is passed.
    The results are written together, at the end of the run.

    Ctrl+C finishes the current step, saves a checkpoint and exits; a second Ctrl+C exits immediately.

    \b
    Exit codes:  0 done   78 user error: change config or data   75 transient error: run again   70 bug
                 69 another machine has ended

    \b
    Examples:
      finscribe train --config finetune_config.yaml
      finscribe train --config finetune_config.yaml --dry-run
      finscribe train --config finetune_config.yaml --train-file data/train.jsonl --val-file data/val.jsonl
      finscribe train --config finetune_config.yaml --use-quantization
      finscribe train --config finetune_config.yaml --difficulty-schedule easy_to_hard
      finscribe train --config finetune_config.yaml --set training.learning_rate=1e-5 --set lora.r=32
      finscribe train --config finetune_config.yaml --resume ./finetuned_model/checkpoint-1000
      finscribe train --config finetune_config.yaml --nproc-per-node 4
    """  # noqa: D301 - click reads \b as "keep these lines"
    if known is not None and not data_state:
        raise click.UsageError("--known applies to --data-state only.")
    if published_only + data_state + dry_run > 1:
        raise click.UsageError("Pass one of --published-only, --data-state and --dry-run.")
    for number in (signal.SIGINT, signal.SIGTERM):  # until the session installs its own handlers
        signal.signal(number, _exit_before_the_session)
    from finscribe_trainer.pipeline.config import load_config  # noqa: PLC0415 - `--help` is fast

    def load() -> TrainerConfig:
        return load_config(config_file, overrides)

    if data_state:
        from finscribe_trainer.pipeline.data_state import run_data_state_session  # noqa: PLC0415

        sys.exit(run_data_state_session(load, known))
    if published_only:  # what the operator asks for, without a GPU
        from finscribe_trainer.pipeline.session import run_published_session  # noqa: PLC0415 - imports torch

        sys.exit(run_published_session(load))
    # With RANK it is a child of `launch_session` or of torchrun.
    is_alone = nproc_per_node == 1 and os.environ.get(ENV_NODES, "1") == "1"
    if dry_run or is_alone or "RANK" in os.environ:
        with imports_excluded():
            from finscribe_trainer.pipeline.session import run_session  # noqa: PLC0415 - imports torch
        sys.exit(run_session(load, resume, overwrite=overwrite, check_only=dry_run))
    from finscribe_trainer.pipeline.launcher import launch_session  # noqa: PLC0415 - imports no torch

    sys.exit(launch_session(load, nproc_per_node))


def _exit_before_the_session(*_: object) -> None:
    os.write(2, b"error (Interrupted): Stopped before the training began.\n")
    os._exit(EXIT_RETRY)
