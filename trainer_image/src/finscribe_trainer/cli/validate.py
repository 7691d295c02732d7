"""`finscribe data validate`: checks rows before training."""

from pathlib import Path

import click

from finscribe_core.trainer_config import TrainerConfig, TrainingSpec
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.image_root_option import image_root_option
from finscribe_trainer.cli.overwrite_option import overwrite_option

_MAX_IMAGE_PIXELS = TrainerConfig.model_fields["max_image_pixels"].default
_MAX_SEQUENCE_LENGTH = TrainingSpec.model_fields["max_sequence_length"].default


@click.command(
    short_help="Check all rows: format, answers, totals, images, duplicates.",
    context_settings=HELP_SETTINGS,
)
@click.option(
    "--input",
    "sources",
    multiple=True,
    required=True,
    help="Rows: a .jsonl, .jsonl.gz or .parquet file, a folder of them, or an s3:// URI. May be repeated.",
)
@click.option(
    "--schema",
    help="JSON Schema of the answers, or `none` for free text.  [default: FinScribe's own]",
)
@click.option("--validation", help="Validation rows, which must not occur in the input.")
@click.option("--test", help="Test rows, which must occur neither in the input nor in the validation rows.")
@image_root_option
@click.option(
    "--model", help="Count tokens with this model's tokenizer (a folder or a hub id; no weights are loaded)."
)
@click.option(
    "--max-sequence-length",
    type=click.IntRange(16),
    default=_MAX_SEQUENCE_LENGTH,
    show_default=True,
    help="Maximum number of tokens of a row, with --model.",
)
@click.option(
    "--max-image-pixels",
    type=click.IntRange(784),
    default=_MAX_IMAGE_PIXELS,
    show_default=True,
    help="Maximum number of pixels of an image.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="report.json to write; report.md and report.html are written beside it.",
)
@click.option(
    "--max-findings",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    help="Maximum number of findings that the report lists; all are counted.",
)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@overwrite_option
def validate(  # noqa: PLR0913, PLR0917 - one for each option
    sources: tuple[str, ...],
    schema: str | None,
    validation: str | None,
    test: str | None,
    image_root: str | None,
    model: str | None,
    max_sequence_length: int,
    max_image_pixels: int,
    output: Path | None,
    max_findings: int,
    strict: bool,
    *,
    overwrite: bool,
) -> None:
    """Check all rows: format, answers, totals, images, duplicates, and overlap with the validation rows.

    Rows are processed one at a time, so data sets of any size fit into memory; detecting duplicates takes at
    most 150 bytes per row. docs/data-quality.md lists all rules.

    \b
    Exit codes:  0 no errors   78 errors (or warnings, with --strict)   75 interrupted, or transient error

    \b
    Examples:
      finscribe data validate --input data/train.jsonl --schema data/schema.json
      finscribe data validate --input data/train.jsonl --validation data/val.jsonl --output report.json
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.data_tools.validate.session import Request, run_validation  # noqa: PLC0415 - `--help` is fast

    run_validation(
        Request(
            sources,
            schema,
            validation,
            test,
            image_root,
            model,
            max_sequence_length,
            max_image_pixels,
            max_findings,
        ),
        output,
        strict=strict,
        overwrite=overwrite,
    )
