"""`finscribe experiments`: trains a baseline and variants of it, and compares them."""

from pathlib import Path
from typing import Any

import click

from finscribe_core.cli import SuggestingGroup
from finscribe_trainer.cli.config_options import set_option, strict_option
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.pipeline.config import load_config


@click.group(
    cls=SuggestingGroup,
    short_help="Compare trainings with different settings.",
    context_settings=HELP_SETTINGS,
)
def experiments() -> None:
    """Train the same model on the same rows with different settings, and compare (A/B tests)."""


@experiments.command(
    short_help="Train the baseline and all experiments, and report.", context_settings=HELP_SETTINGS
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The baseline's config, instead of the one in FILE.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("experiments"),
    show_default=True,
    help="Output folder, with a subfolder for each experiment.",
)
@click.option("--name", "names", multiple=True, help="Train only this experiment. May be repeated.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure instead of continuing.")
@set_option("Change one setting of the baseline and so of all experiments. May be repeated.")
@strict_option
@overwrite_option
def run(
    file: Path,
    config_file: Path | None,
    output_dir: Path,
    names: tuple[str, ...],
    fail_fast: bool,
    overwrite: bool,
    **overrides: Any,
) -> None:
    """Train the baseline and all experiments of FILE, and report.

    \b
    FILE is YAML:
      config: finetune_config.yaml            # the baseline
      experiments:
        - name: lower-lr
          description: Is the loss steadier?
          overrides: {training.learning_rate: 1.0e-5}

    Change one setting at a time: the effects of two changes can't be separated. All runs use the baseline's
    seed and rows; after a failure the others are still trained.

    \b
    Writes below --output-dir:
      <name>/          what `finscribe train` writes
      results.md       differences from the baseline with confidence intervals and p-values
      results.html     the same as a page, with curves
      results.json     the same in machine-readable form
      results.png      validation losses and document metrics

    Ctrl+C saves a checkpoint and exits; the same command resumes and skips what is complete.

    \b
    Exit codes:  0 done   78 user error: change a file, or an experiment failed permanently
                 75 transient error: run again   70 bug

    \b
    Examples:
      finscribe experiments run experiments.yaml --config finetune_config.yaml
      finscribe experiments run experiments.yaml --name lower-lr --output-dir ab-tests
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_core.experiments import plan_variants, read_experiments  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - likewise

    with command_session("The training so far is kept.") as stop:
        from finscribe_trainer.tuning.experiments.report import write_results  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.results import collect  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.run import run_experiments  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.terminal import show  # noqa: PLC0415

        named, document = read_experiments(file)
        base = load_config(_baseline(file, config_file, named.config), overrides)
        variants = plan_variants(named, document, base)
        failures = run_experiments(
            variants,
            output_dir,
            names,
            stop,
            fail_fast=fail_fast,
            overwrite=overwrite,
            after_each=lambda: write_results(collect(output_dir), output_dir),
        )
        results = collect(output_dir)
        show(results, write_results(results, output_dir))
        if failures:
            raise failures[0]


def _baseline(file: Path, given: Path | None, named: str | None) -> Path:
    if given is not None:
        return given
    if named is None:
        raise click.UsageError(f"{file} has no config: pass the baseline's with --config.")
    return file.parent / named


@experiments.command(short_help="Report the trainings so far.", context_settings=HELP_SETTINGS)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write the results of the experiments in DIR again, and show them.

    DIR is the --output-dir of `finscribe experiments run`, which may still be running.

    \b
    Exit codes:  0 done   78 DIR contains no experiments   70 bug

    \b
    Examples:
      finscribe experiments report experiments
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session("The trained experiments are kept."):
        from finscribe_trainer.tuning.experiments.report import write_results  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.results import collect  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.terminal import show  # noqa: PLC0415

        results = collect(folder)
        show(results, write_results(results, folder))
