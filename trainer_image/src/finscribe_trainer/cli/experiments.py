"""`finscribe experiments`: one setting at a time, against a baseline."""

from pathlib import Path
from typing import Any

import click

from finscribe_trainer.cli.config_options import set_option, strict_option
from finscribe_trainer.pipeline.config import load_config

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(short_help="Change one setting at a time, and compare.", context_settings=_SETTINGS)
def experiments() -> None:
    """Train the same model on the same rows with other settings, and compare (A/B tests)."""


@experiments.command(
    short_help="Train the baseline and every experiment, and report.", context_settings=_SETTINGS
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The baseline's config, instead of what FILE names.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("experiments"),
    show_default=True,
    help="Each is trained in a folder of its name below.",
)
@click.option("--name", "names", multiple=True, help="Train this one only. May be repeated.")
@click.option("--fail-fast", is_flag=True, help="End at the first that fails, instead of going on.")
@set_option("Change one setting of the baseline, and so of all. May be repeated.")
@strict_option
def run(
    file: Path,
    config_file: Path | None,
    output_dir: Path,
    names: tuple[str, ...],
    fail_fast: bool,
    **overrides: Any,
) -> None:
    """Train the baseline and every experiment of FILE, and report.

    \b
    FILE is YAML:
      config: finetune_config.yaml            # the baseline
      experiments:
        - name: lower-lr
          description: Is the loss steadier?
          overrides: {training.learning_rate: 1.0e-5}

    Change one setting at a time: of two changed at once nobody can tell which one did it. Every run has the
    baseline's seed and rows; one that fails does not keep the others from being trained.

    \b
    Writes below --output-dir:
      <name>/          what `finscribe train` writes
      results.md       table, differences from the baseline with intervals and p-values
      results.json     the same, for programs
      results.png      validation losses, and how well documents are read

    Ctrl+C saves a checkpoint and ends; the same command goes on from there, and skips what is done.

    \b
    Exit codes:  0 done   78 a file must be changed, or an experiment failed for good
                 75 try again   70 a defect

    \b
    Examples:
      finscribe experiments run experiments.yaml --config finetune_config.yaml
      finscribe experiments run experiments.yaml --name lower-lr --output-dir ab-tests
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_core.experiments import plan_variants, read_experiments  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - likewise

    with command_session("What is trained so far is kept.") as stop:
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
        raise click.UsageError(f"{file} names no config: name the baseline's with --config.")
    return file.parent / named


@experiments.command(short_help="Report what has been trained so far.", context_settings=_SETTINGS)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write results.md, results.json and results.png of the experiments in DIR anew, and show them.

    DIR is the --output-dir of `finscribe experiments run`, which may still be at work.

    \b
    Exit codes:  0 done   78 DIR holds no experiments   70 a defect

    \b
    Examples:
      finscribe experiments report experiments
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session("Nothing is lost."):
        from finscribe_trainer.tuning.experiments.report import write_results  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.results import collect  # noqa: PLC0415
        from finscribe_trainer.tuning.experiments.terminal import show  # noqa: PLC0415

        results = collect(folder)
        show(results, write_results(results, folder))
