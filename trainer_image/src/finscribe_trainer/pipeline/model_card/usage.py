"""How a result is used with plain transformers, as the code of its card."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.source import ModelSource

HEADING = "## How to use it"


@dataclass(frozen=True)
class Usage:
    """What the code depends on."""

    base: str
    """The base model: a hub id, or where it was."""
    revision: str | None
    prompt: str | None
    """What rows ask; None where they differ."""
    reads_images: bool
    has_chat_template: bool
    merged: bool = False
    """True of a model that stands alone, false of an adapter."""

    @property
    def base_on_hub(self) -> str | None:
        """The base's id, where it is one: the hub refuses cards that name anything else."""
        local = self.base.startswith((".", "/", "~")) or Path(self.base).exists()
        return None if local or self.base.count("/") != 1 else self.base

    @property
    def base_name(self) -> str:
        """What a card calls the base: where it lies on a disk or in a bucket is for nobody else to know."""
        return self.base_on_hub or file_name(self.base)

    @property
    def task(self) -> str:
        """The hub's name of what it does."""
        return "image-text-to-text" if self.reads_images else "text-generation"


def usage_of(family: Family, source: ModelSource, prompt: str | None) -> Usage:
    """How an adapter of this base is used."""
    return Usage(
        base=source.name.removeprefix("hf://"),
        revision=source.revision,
        prompt=prompt,
        reads_images=family.reads_images,
        has_chat_template=bool(family.processing.chat_template),
    )


def shared_prompt(examples: Sequence[Example]) -> str | None:
    """What at least half of the rows with a page ask, and several do.

    Anything rarer, and the prompt of a row of text, may be a document's own words, which are none of a card.
    """
    asked = Counter(example.row.turns[-1].text for example in examples if example.images)
    for prompt, count in asked.most_common(1):
        if count > 1 and count >= asked.total() / 2:
            return prompt
    return None


def how_to_use(usage: Usage) -> str:
    """The section of the card."""
    return render("how_to_use.md.jinja", usage=usage, heading=HEADING)


def render(template: str, **values: Any) -> str:
    """A template of this folder, filled in."""
    environment = Environment(  # noqa: S701 - Markdown and Python, no HTML
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"python": _literal, "cell": _cell, "file_name": file_name}
    return environment.get_template(template).render(values)


def file_name(path: str) -> str:
    """The last part of a path or URI.

    >>> file_name("s3://team-docs/invoices/train.jsonl"), file_name("data/train/")
    ('train.jsonl', 'train')
    """
    return path.rstrip("/").rsplit("/", 1)[-1]


def _literal(text: str) -> str:
    """The text as Python's source has it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _cell(text: object) -> str:
    return str(text).replace("|", r"\|").replace("\n", " ")
