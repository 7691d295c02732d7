"""`finscribe predict`: reads documents with a model, without ground truth."""

import sys
from pathlib import Path

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.cli.page_options import page_options, read_password
from finscribe_trainer.runtime.garbage import imports_excluded

_FORMATS = ("jsonl", "json", "csv")


@click.command(
    short_help="Read documents with a model: JSON and its confidence.",
    context_settings=HELP_SETTINGS,
)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option("--model", required=True, help="An adapter's or a model's folder, s3:// prefix, or hub id.")
@click.option("--base-model", help="The adapter's base model, instead of the one in adapter_config.json.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; standard output by default.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    help="Format of the output; by default from its suffix, else jsonl.",
)
@click.option("--schema", help="JSON Schema to check answers with, or none; FinScribe's own by default.")
@click.option("--prompt", help="Prompt of documents without one; by default the one of generated rows.")
@page_options
@click.option(
    "--draft",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write rows for review (.jsonl), for `finscribe data corrections`.",
)
@click.option(
    "--html",
    "view",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a page to look through the answers.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Documents per batch: larger batches are faster and take more memory.",
)
@click.option(
    "--max-new-tokens",
    type=click.IntRange(1, 131072),
    default=2048,
    show_default=True,
    help="Tokens after which an answer is cut off.",
)
@click.option(
    "--precision",
    type=click.Choice(("0.95", "0.99")),
    default="0.95",
    show_default=True,
    help="Share of right documents that is promised among those that need no review (calibrated adapters).",
)
@overwrite_option
def predict(  # noqa: PLR0913, PLR0917 - one for each option
    inputs: tuple[str, ...],
    model: str,
    base_model: str | None,
    output: Path | None,
    format_name: str | None,
    schema: str | None,
    prompt: str | None,
    dpi: int | None,
    max_pages: int,
    password_file: Path | None,
    draft: Path | None,
    view: Path | None,
    batch_size: int,
    max_new_tokens: int,
    precision: str,
    *,
    overwrite: bool,
) -> None:
    """Read documents with a model, and write JSON with a confidence for each field.

    \b
    IN is an image or a PDF, a folder of them, rows without answers (.jsonl, .jsonl.gz, .parquet), or an
    s3:// URI of one; a prefix ends with '/'. The model may be an adapter, a merged model or a base model.

    \b
    Writes
      <output>                  one document per line: answer, confidence, problems (docs/predict.md)
      <output>.partial.jsonl    json and csv: the answers so far, from which the same command resumes
      <output>.inputs/          files downloaded from s3://, and the pages of PDFs

    A .jsonl output is appended to: documents that have an answer in it are skipped.

    \b
    Exit codes:  0 done   78 some documents could not be read (all others are answered), or a user error
                 75 transient error: run again   70 bug

    \b
    Examples:
      finscribe predict --model finetuned_model/final_model scans --output answers.jsonl
      finscribe predict --model s3://models/invoices/runs/run-1/adapter s3://inbox/today/ \\
        --output answers.csv --html answers.html
    """  # noqa: D301 - click reads \b as "keep these lines"
    from finscribe_trainer.cli.session import command_session  # noqa: PLC0415 - `--help` is fast

    with command_session():
        # torch takes seconds to import.
        with imports_excluded():
            from finscribe_trainer.data.document_pages import PageOptions  # noqa: PLC0415
            from finscribe_trainer.documents.schema import INSTRUCTION  # noqa: PLC0415
            from finscribe_trainer.prediction.formats import Format, render  # noqa: PLC0415
            from finscribe_trainer.prediction.predict import (  # noqa: PLC0415
                Outputs,
                Request,
                failed_documents,
                predict_to_files,
            )
            from finscribe_trainer.prediction.records import Prediction, counts  # noqa: PLC0415

        suffix = output.suffix.removeprefix(".").lower() if output else ""
        chosen = Format(format_name or (suffix if suffix in _FORMATS else "jsonl"))
        to_terminal = output is None and chosen is Format.jsonl

        def show(prediction: Prediction) -> None:
            if to_terminal:
                _write(render([prediction], chosen))

        pages = PageOptions(dpi=dpi, max_pages=max_pages, password=read_password(password_file))
        request = Request(
            inputs,
            model,
            base_model,
            prompt or INSTRUCTION,
            schema,
            max_new_tokens,
            batch_size,
            pages,
            float(precision),
        )
        predictions = predict_to_files(
            request, Outputs(output, chosen, draft, view, overwrite=overwrite), show
        )
        if output is None and not to_terminal:
            _write(render(predictions, chosen))
        found = counts(predictions)
        click.echo(", ".join(f"{count} {kind}" for kind, count in found.items() if count) + ".", err=True)
        if error := failed_documents(predictions):
            raise error


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
