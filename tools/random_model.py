"""Creates a small PaddleOCR-VL with random weights for tests and benchmarks: its answers are meaningless."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PaddleOCRVLConfig, PaddleOCRVLForConditionalGeneration, PreTrainedTokenizerFast

from finscribe_trainer.runtime.files import follow_umask
from tools.tiny_model.processor import (
    BOS,
    EOS,
    IMAGE,
    PAD,
    SPECIAL_TOKENS,
    UNK,
    build_processor,
    special_token_ids,
)

VOCABULARY_SIZE = 640
MAX_IMAGE_PIXELS = 80_000
"""Pages are scaled down to about this size: 100 image tokens of 28 x 28 pixels each."""


def write_random_model(folder: Path, texts: list[str], seed: int) -> None:
    """Write model, processor and tokenizer to `folder`, in the layout of a hub repository.

    Args:
        folder: created if missing.
        texts: texts to train the tokenizer on.
        seed: seed of the weights.
    """
    tokenizer = build_tokenizer(texts)
    processor = build_processor(tokenizer, MAX_IMAGE_PIXELS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PaddleOCRVLForConditionalGeneration(build_config(tokenizer))
    model.save_pretrained(folder)
    follow_umask(folder)
    processor.save_pretrained(folder)


def build_tokenizer(texts: list[str], vocabulary_size: int = VOCABULARY_SIZE) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the special tokens of PaddleOCR-VL."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        extra_special_tokens={"image_token": IMAGE},
    )


def build_config(tokenizer: PreTrainedTokenizerFast) -> PaddleOCRVLConfig:
    """A configuration with a hundred-thousandth of the parameters of the real model."""
    return PaddleOCRVLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "initializer_range": 0.08,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 500000.0,
                "mrope_section": [4, 6, 6],
            },
        },
        vision_config={
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
        },
        **special_token_ids(tokenizer),
    )
