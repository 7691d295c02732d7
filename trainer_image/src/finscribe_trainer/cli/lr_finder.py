"""`finscribe lr-finder`: which learning rate to begin with."""

import math
from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import config_options
from finscribe_trainer.pipeline.config import load_config

PLOT_SUFFIXES = (".png", ".svg", ".pdf")
_RATE = click.FloatRange(0, min_open=True)


@click.command(
    short_help="Find a learning rate to begin with.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@config_options(set_help="Change one setting of the config, such as lora.r=32. May be repeated.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("lr_finder_results.png"),
    show_default=True,
    help="Plot to write: .png, .svg or .pdf. The figures are written beside it, as .json.",
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
    help="Optimizer steps from one to the other.",
)
def lr_finder(
    config_file: Path, output: Path, start_lr: float, end_lr: float, num_steps: int, **overrides: Any
) -> None:
    """Let the learning rate rise from step to step, and watch the loss (the range test of Smith 2015).

    A throw-away adapter takes --num-steps steps, as a training would: same model, rows, order, loss and
    optimizer. The learning rate rises exponentially; the test ends before --end-lr when the loss has grown to
    four times its best. Nothing is kept of the adapter, and no document is read.

    The suggestion is where the smoothed loss falls most steeply, and at most a third of the rate from which
    it rises. Where the loss falls nowhere, nothing is suggested, and the reason is said.

    Ctrl+C ends the test; what was measured so far is plotted.

    \b
    Exit codes:  0 done   78 the config or the data must be changed   75 try again   70 a defect

    \b
    Examples:
      finscribe lr-finder --config finetune_config.yaml --output lr_finder_results.png
      finscribe lr-finder --config finetune_config.yaml --start-lr 1e-6 --end-lr 1e-2 --num-steps 200
    """  # noqa: D301 - click reads \b as "keep these lines"
    if not start_lr < end_lr or not math.isfinite(end_lr):
        raise click.UsageError("--start-lr must be below --end-lr, and that a finite number.")
    if output.suffix.lower() not in PLOT_SUFFIXES:
        raise click.UsageError(f"--output must end in {', '.join(PLOT_SUFFIXES)}.")
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - likewise
    from finscribe_trainer.runtime.files import check_writable  # noqa: PLC0415 - `--help` needs no torch

    with command_session("Nothing was measured.") as stop:
        config = load_config(config_file, overrides)
        from finscribe_trainer.tuning.lr_finder.plot import write_curve  # noqa: PLC0415
        from finscribe_trainer.tuning.lr_finder.range_test import Rise, run_range_test  # noqa: PLC0415 - likewise

        check_writable(output)
        curve = run_range_test(config, Rise(start_lr, end_lr, num_steps), stop)
        paths = write_curve(curve, output)
    click.echo(curve.message)
    if curve.suggestion is not None:
        click.echo(f"Suggestion: --set training.learning_rate={curve.suggestion:g}")
    click.echo(f"The curve is in {' and '.join(map(str, paths))}.")
