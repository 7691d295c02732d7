"""`finscribe sweep`: hyperparameter search with Optuna."""

from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.pipeline.config import load_config


@click.command(
    short_help="Search hyperparameters.",
    context_settings=HELP_SETTINGS,
)
@config_options(set_help="Change one setting of the config for all trials. May be repeated.")
@click.option("--space", type=click.Path(path_type=Path), help="YAML file with the search space.")
@click.option(
    "--param",
    "parameters",
    metavar="KEY=VALUES",
    multiple=True,
    help="A setting and its values: log:1e-6:1e-3, 0:0.2 or 8,16,32. May be repeated.",
)
@click.option(
    "--trials", type=click.IntRange(1), default=20, show_default=True, help="Total number of trials."
)
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Start no trial after this time."
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sweep"),
    show_default=True,
    help="Folder for the trials and the results.",
)
@click.option(
    "--prune/--no-prune",
    default=True,
    show_default=True,
    help="Stop a trial whose metric is worse than the median of earlier trials at the same step.",
)
@overwrite_option
def sweep(config_file: Path, space: Path | None, parameters: tuple[str, ...], **options: Any) -> None:
    """Search hyperparameters: train trials with settings suggested from the results of earlier trials.

    Optuna suggests the settings (tree-structured Parzen estimator, seeded by training.seed). The objective is
    early_stopping.metric. Trials do not evaluate documents at their end, and upload nothing.

    \b
    The search space as a file:
      training.learning_rate: {low: 1.0e-6, high: 1.0e-3, log: true}
      lora.r: {choices: [8, 16, 32]}

    \b
    Writes below --output-dir:
      best.yaml        the config with the best settings, for `finscribe train`
      trials.json      all trials by their number, from 0
      sweep.html       the metric by trial, and all completed trials
      sweep.png        the metric by trial and by setting
      trial-<n>/       what `finscribe train` writes, without checkpoints; train.log
      study.db         Optuna's database, for its dashboard

    Ctrl+C saves a checkpoint and exits; the same command resumes. A larger --trials adds trials.

    \b
    Exit codes:  0 done   78 user error: change config, space or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe sweep --config finetune_config.yaml --param training.learning_rate=log:1e-6:1e-3 --trials 12
      finscribe sweep --config finetune_config.yaml --space space.yaml --timeout 36000
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session("The training so far is kept.") as stop:
        from finscribe_trainer.tuning.sweep.report import show, write_sweep  # noqa: PLC0415
        from finscribe_trainer.tuning.sweep.space import read_space, validate_space  # noqa: PLC0415
        from finscribe_trainer.tuning.sweep.sweep import Sweep, run_sweep  # noqa: PLC0415

        base = load_config(config_file, {key: options[key] for key in ("assignments", "strict")})
        found = read_space(space, parameters)
        validate_space(base, found)
        wanted = Sweep(base, found, options["output_dir"], options["prune"])
        study = run_sweep(
            wanted,
            options["trials"],
            options["timeout"],
            stop,
            lambda s: write_sweep(wanted, s),
            overwrite=options["overwrite"],
        )
        show(wanted, study, write_sweep(wanted, study))
