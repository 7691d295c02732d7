"""`finscribe data anonymize`: stand-ins for whoever is named in rows."""

import secrets
from pathlib import Path

import click

from finscribe_core.constants import ENV_ANONYMIZE_KEY

_MIN_KEY = 16


@click.command(
    short_help="Replace names, addresses and other personal data.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    help="Rows: a .jsonl, .jsonl.gz or .parquet file, or a folder of them.",
)
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
    help=f"Secret of {_MIN_KEY} or more characters; the same one gives the same stand-ins in other sets. "
    "Prefer the variable: others see a command line.  [default: a new one, forgotten afterwards]",
)
@click.option("--drop-images", is_flag=True, help="Leave images out: what they show can't be changed.")
def anonymize(source: Path, output: Path, key: str | None, drop_images: bool) -> None:
    """Replace names, addresses, tax numbers, telephone numbers, mail addresses and IBANs by stand-ins.

    The same original gets the same stand-in in every row, in prompts and answers. They are made with the
    key: without it no original can be found by trying. Amounts, dates and the numbers of documents stay, so
    that sums still hold. Who is named only in free text, and by no answer's vendor or client, stays, too:
    look at the result before you hand it on.

    \b
    Writes --output: prompt and completion (or messages); other keys of the rows are left out

    \b
    Exit codes:  0 done   78 rows must be corrected, hold images, or the output exists

    \b
    Examples:
      finscribe data anonymize --input rows.jsonl --output anonymous.jsonl
      finscribe data anonymize --input scans.jsonl --output texts.jsonl --drop-images
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.data_tools.curate.anonymize import anonymize_rows  # noqa: PLC0415 - `--help` is fast

    if key is not None and len(key) < _MIN_KEY:
        raise click.UsageError(f"The key is shorter than {_MIN_KEY} characters: it could be guessed.")
    secret = key.encode() if key else secrets.token_bytes(32)
    outcome = anonymize_rows(source, output, secret, drop_images=drop_images)
    click.echo(f"Wrote {outcome.rows} rows to {output}.")
    for kind, count in sorted(outcome.replaced.items()):
        click.echo(f"  {kind:<8} {count:>9} replaced")
    if outcome.images:
        click.echo(f"  {'image':<8} {outcome.images:>9} left out")
    if outcome.unstructured:
        click.echo(
            f"  {outcome.unstructured} answers name no vendor or client: only patterns, and names known "
            "from other rows, were looked for in them."
        )
