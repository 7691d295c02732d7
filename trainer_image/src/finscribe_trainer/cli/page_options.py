"""The options --dpi, --max-pages and --password-file of the commands that read documents of several pages."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from finscribe_core.constants import ENV_PDF_PASSWORD

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--dpi",
        type=click.IntRange(36, 1200),
        help="Resolution of PDF pages.  "
        "[default: 200, or what the model reads without making the page smaller]",
    ),
    click.option(
        "--max-pages",
        type=click.IntRange(1, 10_000),
        default=20,
        show_default=True,
        help="Most pages of a document.",
    ),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"File with the password of encrypted PDFs; or set {ENV_PDF_PASSWORD}.",
    ),
)


def page_options(command: Command) -> Command:
    """Add --dpi, --max-pages and --password-file."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_password(file: Path | None) -> str | None:
    """The password of encrypted PDFs: in the file, else in the environment."""
    if file is not None:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    return os.environ.get(ENV_PDF_PASSWORD)
