"""`finscribe data split`: splits rows into training, validation and test."""

from pathlib import Path

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.cli.rows_option import rows_option

_SHARE = click.FloatRange(0, 1, max_open=True)


@click.command(
    short_help="Split rows into training, validation and test.",
    context_settings=HELP_SETTINGS,
)
@rows_option
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write to; it must not contain train.jsonl, val.jsonl or test.jsonl.",
)
@click.option(
    "--validation", type=_SHARE, default=0.05, show_default=True, help="Fraction of the rows; 0 for none."
)
@click.option(
    "--test", type=_SHARE, default=0.05, show_default=True, help="Fraction of the rows; 0 for none."
)
@click.option("--seed", type=click.IntRange(0), default=42, show_default=True, help="Seed of the split.")
@click.option(
    "--group-by",
    metavar="FIELD",
    help="Keep rows with the same value of a row key (template) or answer field (vendor.name) in one split.",
)
@click.option("--stratify", is_flag=True, help="Split each document_type by the same fractions.")
@overwrite_option
def split(  # noqa: PLR0913, PLR0917 - click passes one argument an option
    source: Path,
    output_dir: Path,
    validation: float,
    test: float,
    seed: int,
    group_by: str | None,
    stratify: bool,
    *,
    overwrite: bool,
) -> None:
    """Split rows so that no validation or test document occurs in training.

    Rows that share an image (by content) or a prompt go to the same split, so duplicates never leak. The same
    rows and options give the same split.

    \b
    Writes below --output-dir:
      train.jsonl, val.jsonl, test.jsonl   the rows, with all keys and numbers unchanged
      images                               under their names, as hard links

    \b
    Exit codes:  0 done   78 rows must be corrected, or an output exists   70 bug

    \b
    Examples:
      finscribe data split --input reviewed.jsonl --output-dir data
      finscribe data split --input shards/ --output-dir data --validation 0.1 --test 0 --stratify
      finscribe data split --input reviewed.jsonl --output-dir by-vendor --group-by vendor.name
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.data_tools.curate.split import Plan, split_rows  # noqa: PLC0415 - `--help` is fast

    if validation + test >= 1:
        raise click.UsageError(f"--validation {validation:g} and --test {test:g} leave no training rows.")
    counts = split_rows(
        source,
        output_dir,
        Plan(validation, test, seed, group_by, stratify),
        overwrite=overwrite,
    )
    click.echo(
        f"Wrote {', '.join(f'{count} {side}' for side, count in counts.items())} rows to {output_dir}."
    )
