"""Special tokens, chat template and processor of small models in the classes of PaddleOCR-VL."""

from typing import Any

from transformers import PaddleOCRVLProcessor, PreTrainedTokenizerFast
from transformers.models.paddleocr_vl.image_processing_pil_paddleocr_vl import PaddleOCRVLImageProcessorPil

BOS, EOS, PAD, UNK = "<|begin_of_sentence|>", "</s>", "<pad>", "<unk>"
IMAGE, IMAGE_START, IMAGE_END = "<|IMAGE_PLACEHOLDER|>", "<|IMAGE_START|>", "<|IMAGE_END|>"
SPECIAL_TOKENS = [PAD, BOS, EOS, UNK, IMAGE, IMAGE_START, IMAGE_END]
"""The first tokens of every vocabulary."""

CHAT_TEMPLATE = """\
{{- "<|begin_of_sentence|>" -}}
{%- for message in messages -%}
    {%- if message["role"] == "user" -%}
        {{- "User: " -}}
        {%- for content in message["content"] if content["type"] == "image" -%}
            {{- "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>" -}}
        {%- endfor -%}
        {%- for content in message["content"] if content["type"] == "text" -%}
            {{- content["text"] -}}
        {%- endfor -%}
        {{- "\\n" -}}
    {%- elif message["role"] == "assistant" -%}
        {{- "Assistant: " -}}
        {%- for content in message["content"] if content["type"] == "text" -%}
            {{- content["text"] -}}
        {%- endfor -%}
        {{- "</s>" -}}
    {%- elif message["role"] == "system" -%}
        {%- for content in message["content"] if content["type"] == "text" -%}
            {{- content["text"] + "\\n" -}}
        {%- endfor -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "Assistant: " -}}
{%- endif -%}
"""
"""The format of version 1's template: a system message is its text and a newline, without a role's
name. Versions 1.5 and later end the prompt with a newline instead."""


def special_token_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The arguments of a model's configuration that are tokens; there is none for videos."""
    ids = tokenizer.get_vocab()
    return {
        "image_token_id": ids[IMAGE],
        "vision_start_token_id": ids[IMAGE_START],
        "vision_end_token_id": ids[IMAGE_END],
        "video_token_id": len(tokenizer) + 1,
    }


def build_processor(
    tokenizer: PreTrainedTokenizerFast, max_pixels: int, chat_template: str = CHAT_TEMPLATE
) -> PaddleOCRVLProcessor:
    """The processor of a small model; pages of more than `max_pixels` are scaled down."""
    return PaddleOCRVLProcessor(
        image_processor=PaddleOCRVLImageProcessorPil(
            size={"shortest_edge": 28 * 28, "longest_edge": max_pixels},
            image_mean=[0.5, 0.5, 0.5],
            image_std=[0.5, 0.5, 0.5],
        ),
        tokenizer=tokenizer,
        chat_template=chat_template,
    )
