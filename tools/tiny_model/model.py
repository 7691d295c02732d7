"""The model: the real classes with 4 million parameters, and its processor."""

import torch
from transformers import (
    PaddleOCRVLConfig,
    PaddleOCRVLForConditionalGeneration,
    PaddleOCRVLProcessor,
    PreTrainedTokenizerFast,
)

from tools.tiny_model import processor
from tools.tiny_model.processor import special_token_ids

LARGEST_PAGE = 800 * 28 * 28
"""In pixels: larger pages are scaled down, which makes their text too small to be read."""


def build_config(tokenizer: PreTrainedTokenizerFast) -> PaddleOCRVLConfig:
    """Vision: 2 layers of width 128; language model: 4 layers of width 256."""
    return PaddleOCRVLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 256,
            "intermediate_size": 768,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "max_position_embeddings": 4096,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 12, 12]},
        },
        vision_config={
            "hidden_size": 128,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 24 * 14,
        },
        **special_token_ids(tokenizer),
        tie_word_embeddings=True,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> PaddleOCRVLForConditionalGeneration:
    """The model with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PaddleOCRVLForConditionalGeneration(build_config(tokenizer))


def build_processor(tokenizer: PreTrainedTokenizerFast) -> PaddleOCRVLProcessor:
    """The processor; pages whose sides are multiples of 28 pixels are not scaled."""
    return processor.build_processor(tokenizer, LARGEST_PAGE)
