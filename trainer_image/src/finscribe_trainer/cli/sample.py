"""`finscribe sample`: writes a small data set for trying out FinScribe."""

from pathlib import Path

import click

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.runtime.garbage import imports_excluded


@click.command(context_settings=HELP_SETTINGS)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write to: new or empty.",
)
@click.option(
    "--rows", type=click.IntRange(1, 100_000), default=2400, show_default=True, help="Training rows."
)
@click.option(
    "--validation-rows",
    type=click.IntRange(1, 100_000),
    default=32,
    show_default=True,
    help="Validation rows.",
)
@click.option(
    "--test-rows",
    type=click.IntRange(1, 100_000),
    default=64,
    show_default=True,
    help="Rows of each of the two test sets.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Random seed.")
@overwrite_option
def sample(
    output_dir: Path, rows: int, validation_rows: int, test_rows: int, seed: int, *, overwrite: bool
) -> None:
    """Write small synthetic receipts and invoices, to try out a fine-tuning run.

    \b
    Writes   train.jsonl, val.jsonl   rows: instruction, image, output
             test.jsonl               words, numbers, dates and amounts that no training row has
             test-template.jsonl      these, with labels and a layout that no training row has
             images/                  pages of 20 columns and 10 rows

    The same options write the same rows and pages. The model for them, finscribe/tiny-ocr-vl, is in this
    package: it reads small pages, and trains on a CPU in minutes.

    \b
    Exit codes:  0 done   75 disk full, or interrupted   78 the folder is not empty, or can't be used

    \b
    Examples:
      finscribe sample --output-dir sample
      finscribe train --config examples/trainer-config.yaml
    """  # noqa: D301 - click reads \b as "keep these lines"
    with imports_excluded():
        from finscribe_trainer.data_tools.sample.dataset import write_dataset  # noqa: PLC0415 - likewise
    from finscribe_trainer.reporting import setup_logging  # noqa: PLC0415 - `--help` needs no torch
    from finscribe_trainer.runtime.outputs import claim_folder, replace_together  # noqa: PLC0415 - likewise

    setup_logging()
    with (
        claim_folder(output_dir, overwrite=overwrite),
        replace_together(output_dir, last="train.jsonl") as folder,
    ):
        write_dataset(folder, rows, validation_rows, seed, num_test_rows=test_rows)
    click.echo(
        f"Wrote {rows} training, {validation_rows} validation and {2 * test_rows} test rows to {output_dir}. "
        f"A model that reads them: {BUILT_IN_MODEL}"
    )
