"""`finscribe data corrections`: converts reviewed corrections to training rows."""

from pathlib import Path

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option

_SHOWN = 20


@click.command(
    short_help="Convert reviewed corrections to training rows.",
    context_settings=HELP_SETTINGS,
)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    help="Reviews: one JSON object per line.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Rows to write (.jsonl, new); image paths are relative to its folder.",
)
@overwrite_option
def corrections(source: Path, output: Path, *, overwrite: bool) -> None:
    """Convert reviewed corrections to training rows: the active-learning step.

    A review contains a document, the model's answer and the ground truth; docs/prepare.md describes each
    field. An accepted review becomes a row if the ground truth conforms to the canonical schema and adds up.
    Of several reviews of one document, the last in the file is used.

    \b
    Writes --output: instruction, input, output (canonical JSON)

    \b
    Exit codes:  0 every accepted review became a row   78 some were skipped (the others are written)

    \b
    Example:
      finscribe data corrections --input corrections.jsonl --output corrected.jsonl
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_core.errors import FailureReason, UserError  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.data_tools.curate.corrections import write_corrections  # noqa: PLC0415

    outcome = write_corrections(source, output, overwrite=overwrite)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.counts.items()))
    click.echo(f"Reviews: {counts}. Wrote {output}.")
    if outcome.excluded:
        more = len(outcome.excluded) - _SHOWN
        lines = [*outcome.excluded[:_SHOWN], *([f"... and {more} more."] if more > 0 else [])]
        raise UserError(
            FailureReason.DatasetInvalid,
            "\n".join(lines),
            "Correct these reviews and run the command again.",
        )
