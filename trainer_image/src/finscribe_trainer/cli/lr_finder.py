"""`finscribe lr-finder`: suggests a learning rate by a range test."""

import math
from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.pipeline.config import load_config
from finscribe_trainer.runtime.garbage import imports_excluded

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_RATE = click.FloatRange(0, min_open=True)


@click.command(
    short_help="Suggest a learning rate.",
    context_settings=HELP_SETTINGS,
)
@config_options(set_help="Change one setting of the config, such as lora.r=32. May be repeated.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("lr_finder_results.png"),
    show_default=True,
    help="Plot to write: .png, .svg or .pdf. The data are written beside it as .json.",
)
@click.option(
    "--start-lr", type=_RATE, default=1e-7, show_default=True, help="Learning rate of the first step."
)
@click.option("--end-lr", type=_RATE, default=1.0, show_default=True, help="Learning rate of the last step.")
@click.option(
    "--num-steps",
    type=click.IntRange(20, 10000),
    default=100,
    show_default=True,
    help="Number of optimizer steps.",
)
@overwrite_option
def lr_finder(
    config_file: Path,
    output: Path,
    start_lr: float,
    end_lr: float,
    num_steps: int,
    *,
    overwrite: bool,
    **overrides: Any,
) -> None:
    """Increase the learning rate at every step and record the loss (range test, Smith 2015).

    A temporary adapter is trained for --num-steps steps with the model, rows, order, loss and optimizer of
    a training. The learning rate rises exponentially; the test ends early when the loss exceeds four times
    its minimum. The adapter is discarded, and no documents are evaluated.

    The suggestion is the learning rate at which the smoothed loss stops falling, divided by the square root
    of 2. If the loss never falls, the reason is reported instead of a suggestion.

    Ctrl+C ends the test; the steps so far are plotted.

    \b
    Exit codes:  0 done   78 user error: change config or data   75 transient error: run again   70 bug

    \b
    Examples:
      finscribe lr-finder --config finetune_config.yaml --output lr_finder_results.png
      finscribe lr-finder --config finetune_config.yaml --start-lr 1e-6 --end-lr 1e-2 --num-steps 200
    """  # noqa: D301 - click reads \b as "keep these lines"
    if not start_lr < end_lr or not math.isfinite(end_lr):
        raise click.UsageError("--start-lr must be less than --end-lr, and --end-lr finite.")
    if output.suffix.lower() not in PLOT_SUFFIXES:
        raise click.UsageError(f"--output must end in {', '.join(PLOT_SUFFIXES)}.")
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - likewise
    from finscribe_trainer.runtime.outputs import claim_files  # noqa: PLC0415 - `--help` needs no torch

    with command_session("No steps were recorded.") as stop:
        config = load_config(config_file, overrides)
        with imports_excluded():
            from finscribe_trainer.training.range_test.plot import write_curve  # noqa: PLC0415
            from finscribe_trainer.training.range_test.run import ExponentialSchedule  # noqa: PLC0415
            from finscribe_trainer.tuning.lr_finder.range_test import run_range_test  # noqa: PLC0415 - likewise

        with claim_files(output, output.with_suffix(".json"), overwrite=overwrite):
            curve = run_range_test(config, ExponentialSchedule(start_lr, end_lr, num_steps), stop)
            paths = write_curve(curve, output)
    click.echo(curve.message)
    if curve.suggestion is not None:
        click.echo(f"Suggestion: --set training.learning_rate={curve.suggestion:g}")
    click.echo(f"Curve: {' and '.join(map(str, paths))}.")
