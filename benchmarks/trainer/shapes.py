"""Builds PaddleOCR-VL models with random weights, in the real size and in smaller ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PaddleOCRVLConfig,
    PaddleOCRVLForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from tools.random_model import build_tokenizer
from tools.tiny_model.processor import (
    BOS,
    CHAT_TEMPLATE,
    EOS,
    IMAGE,
    IMAGE_END,
    IMAGE_START,
    PAD,
    build_processor,
)

CHAT_TEMPLATE_1_5 = CHAT_TEMPLATE.replace('"Assistant: "', '"Assistant:\\n"')
"""Versions 1.5 and later end the prompt with a newline; ms-swift supports only these."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a model and of its input pages."""

    vision: tuple[int, int, int, int]
    """Hidden size, MLP size, layers, heads."""
    language: tuple[int, int, int, int, int]
    """Hidden size, MLP size, layers, query heads, key heads."""
    head_dim: int
    vocabulary: int
    num_tokens: int
    """Tokens of the vocabulary that the tokenizer uses."""
    max_pixels: int
    """Pages are downscaled to about this many pixels."""
    template: str
    """Template set of generated pages; till receipts are small without downscaling."""


SHAPES = {
    "tiny": Shape((48, 96, 2, 2), (128, 256, 2, 4, 2), 32, 1024, 1000, 40_000, "till"),
    # 1/25 of the parameters, in the real proportions: vision 45 %, language model 30 %, vocabulary 20 %.
    "small": Shape((384, 1434, 9, 6), (384, 1152, 6, 8, 1), 64, 20_480, 8_000, 400_000, "till"),
    "0.9b": Shape((1152, 4304, 27, 16), (1024, 3072, 18, 16, 2), 128, 103_424, 8_000, 1_016_064, "all"),
}


def write_model(folder: Path, shape: Shape, texts: list[str], *, seed: int, dtype: torch.dtype) -> None:
    """Write model, processor and tokenizer to the folder, in the layout of a model on the Hugging Face Hub.

    Args:
        folder: Created if missing.
        shape: Sizes of the model.
        texts: Texts from which the tokenizer's vocabulary is trained.
        seed: Of the weights.
        dtype: Of the weights.
    """
    tokenizer = build_tokenizer(texts, shape.num_tokens)
    processor = build_processor(tokenizer, shape.max_pixels, CHAT_TEMPLATE_1_5)
    torch.manual_seed(seed)
    model: Any = PaddleOCRVLForConditionalGeneration(_config(shape, tokenizer))
    model.to(dtype).save_pretrained(folder)
    processor.save_pretrained(folder)


def _config(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> PaddleOCRVLConfig:
    def ids(token: str) -> int:
        return int(tokenizer.get_vocab()[token])

    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    width, inner, layers, heads, key_heads = shape.language
    half = shape.head_dim // 2
    return PaddleOCRVLConfig(
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": key_heads,
            "head_dim": shape.head_dim,
            "pad_token_id": ids(PAD),
            "bos_token_id": ids(BOS),
            "eos_token_id": ids(EOS),
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 500000.0,
                "mrope_section": [half // 4, half * 3 // 8, half * 3 // 8],
            },
        },
        vision_config=dict(zip(names, shape.vision, strict=True)),
        image_token_id=ids(IMAGE),
        vision_start_token_id=ids(IMAGE_START),
        vision_end_token_id=ids(IMAGE_END),
        video_token_id=shape.vocabulary - 1,
        tie_word_embeddings=True,
    )
