"""The option --input of the commands that read local rows."""

from pathlib import Path

import click

rows_option = click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    help="Rows: a .jsonl, .jsonl.gz or .parquet file, or a folder of them.",
)
