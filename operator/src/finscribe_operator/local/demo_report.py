"""Describes the demo's training and the content of its bucket."""

import re
from collections.abc import Iterable
from itertools import groupby

from rich.console import Group
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.local.embedded_s3 import StoredObject

FOLDED = re.compile(r"^(datasets/[^/]+/images|.*/checkpoints/[^/]+|.*/runs/[^/]+/(adapter|merged|logs))/")
"""Prefixes that are shown as one row."""
HEADING = re.compile(r"^(results/[^/]+/runs/[^/]+|[^/]+/[^/]+)/")
"""The part of a key that is shown once, above its rows."""
NAME_WIDTH = 39
"""Fits the longest name, a checkpoint's, so that the columns of all prefixes are aligned."""
DESCRIPTIONS = (
    (r"^datasets/.*/images/", "rendered invoices"),
    (r"^datasets/.*train\.jsonl$", "training rows: instruction, image, expected answer"),
    (r"^datasets/.*val\.jsonl$", "validation rows, for early stopping"),
    (r"^datasets/.*test\.jsonl$", "test rows, of other vendors"),
    (r"^datasets/.*test-template\.jsonl$", "test rows, of another template"),
    (r"/checkpoints/", "what an interrupted run resumes from"),
    (r"/adapter/", "the result: the LoRA adapter, with tokenizer, processor and model card"),
    (r"/merged/", "the base model with the adapter merged in"),
    (r"/report\.html$", "base and tuned model on the same documents: open it in a browser"),
    (r"/report\.md$", "the same as Markdown"),
    (r"/results-(base|tuned)\.json$", "every answer of that model, with its score"),
    (r"/config\.yaml$", "the run's configuration, with defaults written out"),
    (r"/metrics\.json$", "every loss of the run"),
    (r"/logs/", "training curves, for TensorBoard"),
    (r"/manifest\.json$", "every file with size and SHA-256, written last"),
    (r"/latest\.json$", "names the newest successful run"),
)


def build_listing(objects: Iterable[StoredObject]) -> Group:
    """The bucket's content, for each prefix: names, sizes and what they contain; names are never broken."""
    parts: list[Text | Table] = []
    for heading, below in groupby(objects, lambda stored: _heading(stored.key)):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, min_width=NAME_WIDTH)
        table.add_column(no_wrap=True, justify="right", min_width=8)
        table.add_column()
        for key, members in groupby(below, lambda stored: fold(stored.key)):
            group = list(members)
            count = f" ({len(group)} file{'s' if len(group) > 1 else ''})" if key.endswith("/") else ""
            name = "  " + f"{key.removeprefix(heading)}{count}".strip()
            table.add_row(name, decimal(sum(stored.size for stored in group)), explain(key))
        parts += [Text(heading, style="bold", no_wrap=True, overflow="ignore"), table]
    return Group(*parts)


def _heading(key: str) -> str:
    match = HEADING.match(key)
    return match[0] if match else ""


def fold(key: str) -> str:
    """The key, or the prefix that it is shown below.

    >>> fold("datasets/invoices/images/7.png")
    'datasets/invoices/images/'
    """
    match = FOLDED.match(key)
    return match[0] if match else key


def explain(key: str) -> str:
    """What an object contains."""
    return next((description for pattern, description in DESCRIPTIONS if re.search(pattern, key)), "")


def describe_loss(status: FineTuneJobStatus) -> str:
    """The validation loss before and after, and where training ended."""
    metrics, progress = status.metrics, status.progress
    early = progress.step < progress.total_steps
    ended = "Early stopping ended training" if early else "Training ran to its end"
    return (
        f"Validation loss: [bold]{metrics.base_eval_loss}[/bold] of the base model, "
        f"[bold green]{metrics.best_eval_loss}[/bold green] at best. "
        f"{ended} at step {progress.step} of {progress.total_steps}."
    )
