"""The tokenizer: one token for each character of the synthetic documents, bytes for all other characters."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from finscribe_trainer.data_tools.small_pages.characters import characters
from tools.tiny_model.processor import (
    BOS,
    EOS,
    IMAGE,
    IMAGE_END,
    IMAGE_START,
    PAD,
    SPECIAL_TOKENS,
    UNK,
)

ROLES = ("User: ", "Assistant: ")
"""Parts of every prompt; one token each."""
PROMPTS = ("OCR:", "After: ")
"""Starts of the two instructions of pretraining; one token each."""

_BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer whose merges do nothing but join the bytes of one character."""
    tokens = [*SPECIAL_TOKENS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges: list[tuple[str, str]] = []
    for character in characters():
        [(spelled, _)] = _BYTES.pre_tokenize_str(character)
        for end in range(1, len(spelled)):
            if (merge := (spelled[:end], spelled[end])) not in merges:
                merges.append(merge)
                tokens.append(spelled[: end + 1])
    bpe = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    bpe.pre_tokenizer = _BYTES
    bpe.decoder = decoders.ByteLevel()
    bpe.add_special_tokens(SPECIAL_TOKENS)
    bpe.add_tokens([AddedToken(text, normalized=False) for text in (*ROLES, *PROMPTS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNK,
        extra_special_tokens={"image_token": IMAGE, "start_token": IMAGE_START, "end_token": IMAGE_END},
        clean_up_tokenization_spaces=False,
    )
