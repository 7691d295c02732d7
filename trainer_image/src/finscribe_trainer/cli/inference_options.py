"""The options --batch-size, --max-new-tokens and --limit of `finscribe evaluate` and `finscribe compare`."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(1, 1024),
        default=8,
        show_default=True,
        help="Documents per batch: larger batches are faster and take more memory.",
    ),
    click.option(
        "--max-new-tokens",
        type=click.IntRange(1, 131072),
        help="Tokens after which an answer is cut off; by default from the longest ground truth.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1),
        help="Maximum number of documents: a reproducible sample over the whole test set.",
    ),
)


def inference_options(command: Command) -> Command:
    """Add --batch-size, --max-new-tokens and --limit."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
