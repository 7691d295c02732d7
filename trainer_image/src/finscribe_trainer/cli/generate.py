"""`finscribe data generate`: generates a data set of synthetic documents."""

import os
from pathlib import Path

import click

from finscribe_trainer.cli.help_settings import HELP_SETTINGS
from finscribe_trainer.cli.overwrite_option import overwrite_option
from finscribe_trainer.data_tools.synthetic.contact_sheet import write_contact_sheet
from finscribe_trainer.data_tools.synthetic.dataset import Plan, generate_dataset
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.data_tools.synthetic.row import ALL, DEGRADATIONS, MIX, Choice
from finscribe_trainer.data_tools.synthetic.templates import TEMPLATES
from finscribe_trainer.runtime.outputs import claim_files

Shares = tuple[float, float, float]


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> Shares:
    try:
        train, val, test = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not three numbers, such as 0.9,0.05,0.05") from None
    if not (min(train, val, test) >= 0 and abs(train + val + test - 1) < 1e-6):
        raise click.BadParameter(f"{value!r} does not sum up to 1")
    return train, val, test


@click.command(
    short_help="Generate synthetic documents with ground truth.",
    context_settings=HELP_SETTINGS,
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to: new or empty, or from an interrupted run of the same command.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="Number of documents.",
)
@click.option(
    "--template-set",
    type=click.Choice([ALL, *TEMPLATES]),
    default=ALL,
    show_default=True,
    help="One template, or all.",
)
@click.option(
    "--format",
    expose_value=False,  # there is only one format
    type=click.Choice(["jsonl"]),
    default="jsonl",
    show_default=True,
    help="Format of the rows.",
)
@click.option("--seed", type=click.IntRange(0), default=42, show_default=True, help="Random seed.")
@click.option(
    "--locale",
    type=click.Choice([ALL, *LOCALES]),
    default=ALL,
    show_default=True,
    help="A country's language, currency, taxes and paper size, or all.",
)
@click.option(
    "--degrade",
    type=click.Choice(DEGRADATIONS),
    default=MIX,
    show_default=True,
    help="How strongly scans are degraded.",
)
@click.option(
    "--splits",
    callback=_shares,
    default="0.9,0.05,0.05",
    show_default=True,
    help="Fractions of training, validation and test rows.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Number of processes.  [default: one per CPU core]",
)
@click.option(
    "--contact-sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the first 24 pages in one JPEG; without --output-dir nothing else is written.",
)
@overwrite_option
def generate(  # noqa: PLR0913, PLR0917 - click passes one argument an option
    output_dir: Path | None,
    count: int,
    template_set: str,
    seed: int,
    locale: str,
    degrade: str,
    splits: Shares,
    workers: int | None,
    contact_sheet: Path | None,
    *,
    overwrite: bool,
) -> None:
    """Generate invoices, receipts, statements and purchase orders, with their ground truth as JSON.

    \b
    Writes below --output-dir:
      train.jsonl, val.jsonl, test.jsonl   rows: instruction, input (the image), output (canonical JSON),
                                           boxes (of all fields), template, locale
      images/                              scans, as JPEG
      schema.json                          the canonical schema
      generated.json                       the options

    The same options write the same files, byte for byte, with any number of workers. An interrupted run
    resumes when the command is run again. All data is fictitious: email addresses end in .example.

    \b
    Exit codes:  0 done   78 the folder contains other files   75 disk full, or Ctrl+C: run again

    \b
    Examples:
      finscribe data generate --output-dir data/synthetic --count 5000 --template-set all --format jsonl
      finscribe data generate --output-dir data/german --count 500 --locale de_DE --degrade heavy
      finscribe data generate --contact-sheet sheet.jpg --template-set till
    """  # noqa: D301 - click reads \b as "keep these lines"
    if output_dir is None and contact_sheet is None:
        raise click.UsageError("Pass --output-dir or --contact-sheet.")
    choice = Choice(seed, template_set, locale, degrade)
    if contact_sheet and contact_sheet.suffix.lower() not in (".jpg", ".jpeg"):
        raise click.UsageError(f"--contact-sheet {contact_sheet} is a JPEG: it must end in .jpg.")
    if contact_sheet:
        with claim_files(contact_sheet, overwrite=overwrite):
            shown = write_contact_sheet(choice, count, contact_sheet)
        click.echo(f"Wrote {contact_sheet}: the first {shown} pages.")
    if output_dir:
        plan = Plan(choice, count, splits)
        sizes = generate_dataset(plan, output_dir, workers or os.cpu_count() or 1, overwrite=overwrite)
        rows = ", ".join(f"{size} {split}" for split, size in sizes.items() if size)
        click.echo(f"Wrote {rows} rows and {count} images to {output_dir}.")
