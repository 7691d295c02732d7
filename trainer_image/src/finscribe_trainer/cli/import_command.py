"""`finscribe data import`: turns documents and other programs' data sets into rows."""

from pathlib import Path

import click

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.cli.page_options import page_options, read_password

_FORMATS = (
    *(
        "auto",
        "pdf-json",
        "imagefolder",
        "donut",
        "sharegpt",
        "alpaca",
        "erniekit",
        "messages",
        "label-studio",
    ),
    *("coco-text", "sroie", "funsd", "docvqa", "paddleocr", "csv", "hf-parquet"),
)
_MAX_IMAGE_PIXELS = TrainerConfig.model_fields["max_image_pixels"].default
_SHOWN = 20


@click.command(
    name="import",
    short_help="Turn documents and other programs' data into rows.",
    context_settings=HELP_SETTINGS,
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from",
    "format_name",
    type=click.Choice(_FORMATS),
    default="auto",
    show_default=True,
    help="Format of IN; auto finds out.",
)
@click.option(
    "--mapping",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Names of fields (.yaml). A file that does not exist is written as a proposal; no rows are then.",
)
@click.option("--prompt", help="Prompt of documents whose format has none.")
@click.option(
    "--max-image-pixels",
    type=click.IntRange(784),
    default=_MAX_IMAGE_PIXELS,
    show_default=True,
    help="Maximum number of pixels of an image.",
)
@page_options
@click.option(
    "--text-layer",
    type=click.Choice(["ignore", "check"]),
    default="ignore",
    show_default=True,
    help="check warns of values that the text of a PDF does not have.",
)
@click.option("--strict", is_flag=True, help="Fail if a document is dropped; the others are written.")
@overwrite_option
def import_command(  # noqa: PLR0913, PLR0917 - one for each option
    source: Path,
    output: Path,
    format_name: str,
    mapping: Path | None,
    prompt: str | None,
    dpi: int | None,
    max_pages: int,
    max_image_pixels: int,
    password_file: Path | None,
    text_layer: str,
    *,
    strict: bool,
    overwrite: bool,
) -> None:
    """Turn documents and other programs' data into rows.

    IN is a folder or a file: PDFs, scans or photos with their data, or a data set that another program has
    exported. docs/import.md describes each format. A document of several pages becomes a row with several
    images. A document that can't be read is dropped, and reported with its file and line. The same command
    continues an import that was stopped.

    \b
    Writes below OUT:
      rows.jsonl    a row for each document
      pages         its pages, as images
      import.json   the report

    \b
    Exit codes:  0 done   78 nothing to import, or see --strict   75 interrupted, or transient error   70 bug

    \b
    Examples:
      finscribe data import invoices imported
      finscribe data import invoices imported --mapping fields.yaml
      finscribe data import --from label-studio export.json imported --dpi 150
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.data.document_pages import PageOptions  # noqa: PLC0415 - `--help` is fast
    from finscribe_trainer.data_tools.importing.import_data import (  # noqa: PLC0415 - likewise
        CANONICAL,
        OTHER_FIELDS,
        Request,
        import_data,
    )

    pages = PageOptions(dpi, max_image_pixels, max_pages, read_password(password_file))
    request = Request(source, output, format_name, mapping, prompt, pages, check_text=text_layer == "check")
    outcome = import_data(request, overwrite=overwrite)
    click.echo(f"{source} is {outcome.recognition.format}: {outcome.recognition.why}.")
    if outcome.proposal:
        click.echo(f"Wrote {outcome.proposal}: look through it, then run the same command again.")
        return
    for item in outcome.dropped[:_SHOWN]:
        click.echo(f"dropped {item.where}: {item.reason}.", err=True)
    if len(outcome.dropped) > _SHOWN:
        click.echo(f"... and {len(outcome.dropped) - _SHOWN} more, in {output / 'import.json'}.", err=True)
    for field, count in outcome.left_out.most_common(_SHOWN):
        click.echo(f"left out {field!r} of {count} documents, which is not in {mapping}.", err=True)
    for where, fields in list(outcome.not_in_text.items())[:_SHOWN]:
        click.echo(f"{where}: its text does not have the value of {', '.join(fields)}.", err=True)
    if text_layer == "check":
        lacking = len(outcome.not_in_text)
        click.echo(f"{outcome.num_texts} documents have a text layer; {lacking} of them lack a value.")
    click.echo(
        f"Wrote {outcome.rows} rows with {outcome.pages} pages to {output}; dropped {len(outcome.dropped)}."
    )
    if outcome.kinds[OTHER_FIELDS]:
        click.echo(
            "The answers have the field names of the source. --mapping fields.yaml (and another OUT) maps "
            "them to FinScribe's schema."
        )
    schema = "" if outcome.kinds.keys() == {CANONICAL} else " --schema none"
    click.echo(f"Next: finscribe data validate --input {output / 'rows.jsonl'}{schema}")
    if strict and outcome.dropped:
        from finscribe_core.errors import FailureReason, UserError  # noqa: PLC0415 - likewise

        raise UserError(
            FailureReason.DatasetInvalid,
            f"{len(outcome.dropped)} documents were dropped (--strict); the others are written.",
            "Correct them, and import again.",
        )
