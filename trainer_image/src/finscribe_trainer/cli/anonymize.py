"""`finscribe data anonymize`: replaces personal data in rows by pseudonyms."""

import secrets
from pathlib import Path

import click

from finscribe_core.constants import ENV_ANONYMIZE_KEY
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.cli.rows_option import rows_option

_MIN_KEY = 16


@click.command(
    short_help="Replace names, addresses and other personal data.",
    context_settings=HELP_SETTINGS,
)
@rows_option
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Rows to write (.jsonl, new).",
)
@click.option(
    "--key",
    envvar=ENV_ANONYMIZE_KEY,
    show_envvar=True,
    help=f"Secret of {_MIN_KEY} or more characters; the same one gives the same pseudonyms in other sets. "
    "Prefer the variable: other users can see a command line.  [default: a random key that is not stored]",
)
@click.option("--drop-images", is_flag=True, help="Remove images: their content can't be replaced.")
@overwrite_option
def anonymize(source: Path, output: Path, key: str | None, *, drop_images: bool, overwrite: bool) -> None:
    """Replace names, addresses, tax numbers, telephone numbers, email addresses and IBANs by pseudonyms.

    The same original gets the same pseudonym in every row, in prompts and answers. Pseudonyms are derived
    with the key: without it, originals can't be found by brute force. Amounts, dates and document numbers
    are kept, so that totals still add up. Names that occur only in free text, and not as a vendor or client
    of an answer, are kept, too: review the result before you share it.

    \b
    Writes --output: prompt and completion (or messages); other keys of the rows are dropped

    \b
    Exit codes:  0 done   78 rows must be corrected or contain images, or the output exists

    \b
    Examples:
      finscribe data anonymize --input rows.jsonl --output anonymous.jsonl
      finscribe data anonymize --input scans.jsonl --output texts.jsonl --drop-images
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.data_tools.curate.anonymize import anonymize_rows  # noqa: PLC0415 - `--help` is fast

    if key is not None and len(key) < _MIN_KEY:
        raise click.UsageError(f"The key has fewer than {_MIN_KEY} characters: it could be guessed.")
    secret = key.encode() if key else secrets.token_bytes(32)
    outcome = anonymize_rows(source, output, secret, drop_images=drop_images, overwrite=overwrite)
    click.echo(f"Wrote {outcome.rows} rows to {output}.")
    for kind, count in sorted(outcome.replaced.items()):
        click.echo(f"  {kind:<8} {count:>9} replaced")
    if outcome.images:
        click.echo(f"  {'image':<8} {outcome.images:>9} removed")
    if outcome.unstructured:
        click.echo(
            f"  {outcome.unstructured} answers have no vendor or client: in them, only patterns and names "
            "known from other rows were replaced."
        )
