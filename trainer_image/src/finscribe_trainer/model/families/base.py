"""What every model family offers to the recipe."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from PIL.Image import Image
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.source import ModelSource


@dataclass(frozen=True)
class ImageFeatures:
    """What the language model sees of an image: the output of vision tower and projector."""

    features: torch.Tensor
    """(image tokens, hidden size)."""
    grid: tuple[int, int, int]
    """Frames, height and width in patches, as in `image_grid_thw`."""


@dataclass(frozen=True)
class NewImage:
    """An image whose features are to be kept."""

    image: Image
    key: str


Shown = Image | ImageFeatures | NewImage


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

    @property
    @abstractmethod
    def model_class(self) -> type[PreTrainedModel]:
        """The class that `load_model` makes an instance of."""

    @abstractmethod
    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """The base model's weights; options go to `from_pretrained`."""

    @abstractmethod
    def encode_prompt(self, example: Example, images: Sequence[Shown] | None = None) -> Encoded:
        """The prompt as the model will see it in use, ready to be answered: input_ids (tokens,) and, for
        a model that reads images, mm_token_type_ids (tokens,) and images.

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

    def vision_modules(self, model: Any) -> list[torch.nn.Module]:
        """What turns pixels into features; nothing where no images are read."""
        return []

    def image_features(self, model: Any, image: Encoded) -> torch.Tensor:
        """What the language model sees of one image, (image tokens, hidden size).

        Args:
            model: the base model, or one with an adapter.
            image: as in `encode_prompt`'s images.
        """
        raise NotImplementedError

    def features_shape(self, grid: Sequence[int]) -> tuple[int, int]:
        """The shape of an image's features, by its frames, height and width in patches."""
        raise NotImplementedError

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

    def encode(self, example: Example, images: Sequence[Shown] | None = None) -> Encoded:
        """A training example: labels are IGNORE_INDEX over the prompt, so that only the answer is learned."""
        encoded = self.encode_prompt(example, images)
        answer = torch.tensor(self.encode_completion(example.row.completion), dtype=torch.long)
        prompt = encoded["input_ids"]
        encoded["input_ids"] = torch.cat([prompt, answer])
        encoded["labels"] = torch.cat([torch.full_like(prompt, IGNORE_INDEX), answer])
        if "mm_token_type_ids" in encoded:
            encoded["mm_token_type_ids"] = torch.cat([encoded["mm_token_type_ids"], torch.zeros_like(answer)])
        return encoded

    def completion_offsets(self, completion: str) -> list[tuple[int, int]]:
        """The span of characters of each token of `encode_completion` but the end token: (start, end)."""
        tokens = self.tokenizer(completion, add_special_tokens=False, return_offsets_mapping=True)
        return list(tokens["offset_mapping"])

    def collate(self, rows: Sequence[Encoded], *, padding: Literal["left", "right"] = "right") -> Encoded:
        """A batch, whose every value has an entry for each row: tensors (rows, longest, ...) and lists.

        Prompts that are to be answered are padded on the left, so that every answer begins at once.
        """
        pad = self.tokenizer.pad_token_id
        fill = {"input_ids": self.tokenizer.eos_token_id if pad is None else pad, "labels": IGNORE_INDEX}
        rows = [{**row, "attention_mask": torch.ones_like(row["input_ids"])} for row in rows]
        batch: Encoded = {}
        for key, first in rows[0].items():
            values = [row[key] for row in rows]
            batch[key] = _pad(values, fill.get(key, 0), padding) if torch.is_tensor(first) else values
        return batch

    def model_inputs(self, batch: Encoded) -> Encoded:
        """What the model is called with, and the batch's labels: input_ids and attention_mask as they are,
        images in the form that the model takes, and what attention is told of packed rows.
        """
        return {key: value for key, value in batch.items() if isinstance(value, torch.Tensor | int | tuple)}


def decoder_layers(model: Any, setting: str) -> list[Any]:
    """The layers of the language model.

    Raises:
        UserError: ModelUnsupported where they are elsewhere than most models have them.
    """
    layers = getattr(model.get_decoder(), "layers", None)
    if layers is None:
        raise UserError(
            FailureReason.ModelUnsupported,
            f"{setting}: the layers of {type(model).__name__} are not where they are looked for.",
            f"Set {setting} to false.",
        )
    return list(layers)


def _pad(tensors: list[torch.Tensor], value: int, side: str) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value, padding_side=side)
