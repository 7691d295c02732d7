"""What every model family offers to the recipe."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from PIL.Image import Image
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.families.source import ModelSource

IGNORED = -100
"""Label of a token that is not learned."""
Encoded = dict[str, torch.Tensor]


class Family(ABC):
    """A kind of model: turns rows into tensors and knows its parts."""

    language_model_pattern: ClassVar[str]
    """Regular expression of the module paths that belong to the language model."""
    unquantised_modules: ClassVar[tuple[str, ...]]
    """Regular expressions, matched from the start of a module's path, of what QLoRA keeps unquantised."""
    reads_images: ClassVar[bool]
    """Whether rows may have images."""
    processing: Any
    """Processor or tokenizer, saved beside every export."""
    tokenizer: PreTrainedTokenizerBase
    config: PretrainedConfig

    @abstractmethod
    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """The base model's weights; options go to `from_pretrained`."""

    @abstractmethod
    def encode_prompt(self, example: Example, images: Sequence[Image] | None = None) -> Encoded:
        """The prompt as the model will see it in use, ready to be answered: input_ids (tokens,) and, for
        images, pixel_values, image_grid_thw and mm_token_type_ids.

        Args:
            example: a checked row.
            images: what is shown instead of the row's own images, one for each.
        """

    @abstractmethod
    def count_prompt_tokens(self, example: Example) -> int:
        """How many tokens `encode_prompt` makes, found without decoding an image."""

    @property
    @abstractmethod
    def reserved_tokens(self) -> tuple[str, ...]:
        """Tokens that would break prompt or answer if a row's text held them."""

    def encode_completion(self, completion: str) -> list[int]:
        """The answer's tokens and the end token.

        Tokenised apart from the prompt, as in generation: tokenised together, tokens could reach over the
        boundary.
        """
        ids = self.tokenizer(completion, add_special_tokens=False)["input_ids"]
        return [*ids, self.tokenizer.eos_token_id]

    def count_tokens(self, example: Example) -> int:
        """Tokens of prompt and completion together."""
        return self.count_prompt_tokens(example) + len(self.encode_completion(example.row.completion))

    def encode(self, example: Example, images: Sequence[Image] | None = None) -> Encoded:
        """A training example: labels are IGNORED over the prompt, so that only the answer is learned."""
        encoded = self.encode_prompt(example, images)
        answer = torch.tensor(self.encode_completion(example.row.completion), dtype=torch.long)
        prompt = encoded["input_ids"]
        encoded["input_ids"] = torch.cat([prompt, answer])
        encoded["labels"] = torch.cat([torch.full_like(prompt, IGNORED), answer])
        if "mm_token_type_ids" in encoded:
            encoded["mm_token_type_ids"] = torch.cat([encoded["mm_token_type_ids"], torch.zeros_like(answer)])
        return encoded

    def collate(self, rows: Sequence[Encoded], *, padding: Literal["left", "right"] = "right") -> Encoded:
        """A batch: token tensors (rows, longest), images one after another.

        Prompts that are to be answered are padded on the left, so that every answer begins at once.
        """
        pad = self.tokenizer.pad_token_id
        fill = {"input_ids": self.tokenizer.eos_token_id if pad is None else pad, "labels": IGNORED}
        keys = dict.fromkeys(key for row in rows for key in row)
        batch = {
            key: _pad(
                [row[key] if key in row else torch.zeros_like(row["input_ids"]) for row in rows],
                fill.get(key, 0),
                padding,
            )
            for key in keys
            if key in ("input_ids", "labels", "mm_token_type_ids")
        }
        batch["attention_mask"] = _pad([torch.ones_like(row["input_ids"]) for row in rows], 0, padding)
        for key in keys:
            if key not in batch:
                batch[key] = torch.cat([row[key] for row in rows if key in row])
        return batch


def _pad(tensors: list[torch.Tensor], value: int, side: str) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value, padding_side=side)
