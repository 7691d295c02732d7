"""Renders the card's section on how to use the model with transformers."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.runtime.markdown import code, escape, fence

HEADING = "## How to use it"


@dataclass(frozen=True)
class Usage:
    """All that the section's code depends on."""

    base: str
    """The base model: a hub id, the built-in model's name, or its location."""
    revision: str | None
    prompt: str | None
    """The prompt of the training rows; None if they differ."""
    reads_images: bool
    has_chat_template: bool
    merged: bool = False
    """True for a merged model, false for an adapter."""
    quantized: bool = False
    """Whether the adapter was trained on a base model in 4 bits."""

    @property
    def base_is_built_in(self) -> bool:
        """Whether the base model is in FinScribe's package."""
        return self.base == BUILT_IN_MODEL

    @property
    def base_on_hub(self) -> str | None:
        """The base model's hub id, if it has one: the hub rejects cards with any other base model."""
        local = self.base.startswith((".", "/", "~")) or Path(self.base).exists()
        return None if self.base_is_built_in or local or self.base.count("/") != 1 else self.base

    @property
    def base_name(self) -> str:
        """The base model's name in the card: without its path on a disk or in a bucket, which is private."""
        return self.base if self.base_is_built_in else self.base_on_hub or file_name(self.base)

    @property
    def task(self) -> str:
        """The model's task, in the hub's terms."""
        return "image-text-to-text" if self.reads_images else "text-generation"


def usage_for(family: Family, source: ModelSource, prompt: str | None, *, quantized: bool = False) -> Usage:
    """The usage of an adapter of this base model, in 4 bits or not."""
    return Usage(
        base=source.name.removeprefix("hf://"),
        revision=source.revision,
        prompt=prompt,
        reads_images=family.reads_images,
        has_chat_template=bool(family.processing.chat_template),
        quantized=quantized,
    )


def shared_prompt(examples: Sequence[Example]) -> str | None:
    """The prompt of at least half of the rows with an image, if more than one has it.

    A rarer prompt, and that of a row without an image, may contain a document's text, which must not appear
    in a card.
    """
    prompts = Counter(example.row.turns[-1].text for example in examples if example.images)
    for prompt, count in prompts.most_common(1):
        if count > 1 and count >= prompts.total() / 2:
            return prompt
    return None


def how_to_use(usage: Usage) -> str:
    """The card's section."""
    return render("how_to_use.md.jinja", usage=usage, heading=HEADING)


def render(template: str, **values: Any) -> str:
    """Render a template of this folder."""
    environment = Environment(  # noqa: S701 - Markdown and Python, no HTML
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"python": _literal, "cell": _cell, "file_name": file_name}
    environment.filters |= {"markdown": escape, "code": code, "fence": fence}
    return environment.get_template(template).render(values)


def file_name(path: str) -> str:
    """The last part of a path or URI.

    >>> file_name("s3://team-docs/invoices/train.jsonl"), file_name("data/train/")
    ('train.jsonl', 'train')
    """
    return path.rstrip("/").rsplit("/", 1)[-1]


def _literal(text: str) -> str:
    """The text as a Python string literal in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _cell(text: object) -> str:
    """A code span in a table's cell."""
    return code(text).replace("|", r"\|")
