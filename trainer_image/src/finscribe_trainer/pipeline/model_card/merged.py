"""Builds the model card of a merged model from the adapter's card."""

import re
from dataclasses import replace
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from finscribe_trainer.pipeline.model_card.adapter import CARD_FILE, with_front_matter
from finscribe_trainer.pipeline.model_card.usage import HEADING, Usage, how_to_use
from finscribe_trainer.runtime.markdown import code, escape

_SECTION = re.compile(rf"^{HEADING}\n.*?(?=^## )", re.MULTILINE | re.DOTALL)


def write_merged_card(merged: Path, adapter: Path, usage: Usage) -> None:
    """Write the card of the model in `merged`, which was merged from the adapter in `adapter`.

    Args:
        merged: the merged model's folder.
        adapter: the adapter's folder; its card is reused if FinScribe wrote it.
        usage: how the adapter is used; a prompt in its card takes precedence.
    """
    path = adapter / CARD_FILE
    card = (
        ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True) if path.is_file() else None
    )
    data = card.data.to_dict() if card else {}  # type: ignore[no-untyped-call] # the hub's is untyped
    usage = replace(usage, prompt=data.get("prompt") or usage.prompt, merged=True, quantized=False)
    changed = {
        **data,
        "base_model": usage.base_on_hub,
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "pipeline_tag": usage.task,
        "tags": [tag for tag in data.get("tags") or ["finscribe"] if not _is_adapter_tag(tag)],
    }
    (merged / CARD_FILE).write_text(
        with_front_matter(ModelCardData(**changed), _body(card, usage)), encoding="utf-8"
    )


def _is_adapter_tag(tag: str) -> bool:
    """Whether a tag applies to the adapter only; PEFT writes the base model's path into one."""
    return tag == "lora" or tag.startswith("base_model:")


def _body(card: ModelCard | None, usage: Usage) -> str:
    how = how_to_use(usage)
    text = card.text.lstrip() if card else ""
    if not _SECTION.search(text):
        return (
            f"# A fine-tuned {escape(usage.base_name)}\n\n"
            f"{code(usage.base_name)} with a LoRA adapter merged in.\n\n{how}"
        )
    text = text.replace("A LoRA adapter for ", "A LoRA adapter merged into its base model, ", 1)
    return _SECTION.sub(lambda _: f"{how}\n", text, count=1)
