"""The interface of a model family: loads the model, encodes rows, builds batches and model inputs."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from jinja2 import TemplateError
from PIL.Image import Image
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.source import ModelSource


@dataclass(frozen=True)
class ImageFeatures:
    """The features of an image that the language model takes: the output of vision tower and projector."""

    features: torch.Tensor
    """(image tokens, hidden size)."""
    grid: tuple[int, int, int]
    """Frames, height and width in patches, as in `image_grid_thw`."""


@dataclass(frozen=True)
class UncachedImage:
    """An image whose features will be added to the feature cache."""

    image: Image
    key: str
    """Key in the feature cache."""


ImageInput = Image | ImageFeatures | UncachedImage
"""An image as a model's input: pixels, cached features, or pixels whose features will be cached."""


class PromptError(ValueError):
    """A chat template refuses a conversation; the message is the template's own."""


@contextmanager
def template_errors() -> Iterator[None]:
    """Raise PromptError for any error of a chat template, which is a program by the model's authors."""
    try:
        yield
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise PromptError(" ".join(str(error).split()) or type(error).__name__) from error


class Family(ABC):
    """A model architecture: encodes rows as tensors, and names the parts of its models."""

    language_model_pattern: ClassVar[str]
    """Regular expression of the module paths that belong to the language model."""
    unquantized_modules: ClassVar[tuple[str, ...]]
    """Regular expressions, matched from the start of a module's path, of what QLoRA does not quantize."""
    reads_images: ClassVar[bool]
    """Whether rows may have images."""
    processing: Any
    """Processor or tokenizer; saved with every export."""
    tokenizer: PreTrainedTokenizerBase
    config: PretrainedConfig

    @property
    @abstractmethod
    def model_class(self) -> type[PreTrainedModel]:
        """The class of the models that `load_model` returns."""

    @abstractmethod
    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """Load the base model; options are passed to `from_pretrained`."""

    @abstractmethod
    def encode_prompt(self, example: Example, images: Sequence[ImageInput] | None = None) -> Encoded:
        """Encode the prompt as for inference: input_ids (tokens,) and, for a model that takes images,
        mm_token_type_ids (tokens,) and images.

        Args:
            example: a checked row.
            images: replacements of the row's images, one for each; the row's own when None.
        """

    @abstractmethod
    def count_prompt_tokens(self, example: Example) -> int:
        """Number of tokens of `encode_prompt`, computed without decoding an image."""

    @abstractmethod
    def render_prompt(self, turns: Sequence[Turn]) -> str:
        """The text of a prompt by the chat template, with one placeholder token for each image.

        Raises:
            PromptError: the template refuses the turns.
        """

    @cached_property
    def reserved_tokens(self) -> re.Pattern[str]:
        """Matches the tokens that would forge a message, an image or the end if a row's text contained them.

        These are all tokens that the tokenizer marks as special, and those of its added vocabulary that the
        chat template writes around messages. Other added tokens, such as those of OTSL tables, are text that
        a model may answer with.
        """
        added = [token for token in self.tokenizer.added_tokens_decoder.values() if token.content.strip()]
        special = {token.content for token in added if token.special} | {*self.tokenizer.all_special_tokens}
        frame = self._rendered_frame()
        tokens = special | {token.content for token in added if token.content in frame}
        by_length = sorted(tokens, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, by_length)) or "(?!)")

    def _rendered_frame(self) -> str:
        """What the chat template writes around messages of every role."""
        system, user, assistant = (Turn(role, "x") for role in ("system", "user", "assistant"))
        parts = []
        for turns in ((user,), (system, user), (user, assistant, user)):
            try:
                parts.append(self.render_prompt(turns))
            except PromptError:  # a template may refuse a role
                continue
        return "\n".join(parts)

    def vision_modules(self, model: Any) -> list[torch.nn.Module]:
        """The modules that turn pixels into features; empty for a model that takes no images."""
        return []

    def image_features(self, model: Any, image: Encoded) -> torch.Tensor:
        """Compute the features of one image: (image tokens, hidden size).

        Args:
            model: the base model, with or without an adapter.
            image: as in `encode_prompt`'s images.
        """
        raise NotImplementedError

    def features_shape(self, grid: Sequence[int]) -> tuple[int, int]:
        """The shape of an image's features, by its grid: frames, height and width in patches."""
        raise NotImplementedError

    def own_positions(self, model: Any, inputs: Encoded) -> torch.Tensor | None:
        """The position ids that the model itself computes for `model_inputs`; None if it has none to compare.

        Args:
            model: the base model.
            inputs: its arguments, with position_ids.
        """
        return None

    @property
    def end_token(self) -> int:
        """The id of the token that ends an answer: the tokenizer's eos_token."""
        return int(self.tokenizer.eos_token_id)

    def encode_completion(self, completion: str) -> list[int]:
        """The token ids of the answer, followed by the end token.

        Tokenized separately from the prompt, as in generation: a token of both together could span the
        boundary.
        """
        ids = self.tokenizer(completion, add_special_tokens=False)["input_ids"]
        return [*ids, self.end_token]

    def count_tokens(self, example: Example) -> int:
        """Number of tokens of prompt and completion together."""
        return self.count_prompt_tokens(example) + len(self.encode_completion(example.row.completion))

    def encode(self, example: Example, images: Sequence[ImageInput] | None = None) -> Encoded:
        """Encode a training example: labels are IGNORE_INDEX on the prompt (the prompt mask)."""
        encoded = self.encode_prompt(example, images)
        answer = torch.tensor(self.encode_completion(example.row.completion), dtype=torch.long)
        prompt = encoded["input_ids"]
        encoded["input_ids"] = torch.cat([prompt, answer])
        encoded["labels"] = torch.cat([torch.full_like(prompt, IGNORE_INDEX), answer])
        if "mm_token_type_ids" in encoded:
            encoded["mm_token_type_ids"] = torch.cat([encoded["mm_token_type_ids"], torch.zeros_like(answer)])
        return encoded

    def completion_offsets(self, completion: str) -> list[tuple[int, int]]:
        """The character span (start, end) of each token of `encode_completion` except the end token."""
        tokens = self.tokenizer(completion, add_special_tokens=False, return_offsets_mapping=True)
        return list(tokens["offset_mapping"])

    def collate(self, rows: Sequence[Encoded], *, padding: Literal["left", "right"] = "right") -> Encoded:
        """Build a batch: tensors are padded to (rows, longest, ...), other values become lists.

        Prompts for generation are padded on the left, so that all answers start at the same position.
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
        """The model's arguments and the labels: input_ids and attention_mask unchanged, images in the form
        that the model takes, and the sequence boundaries of packed rows.
        """
        return {key: value for key, value in batch.items() if isinstance(value, torch.Tensor | int | tuple)}


def decoder_layers(model: Any, setting: str) -> list[Any]:
    """The decoder layers of the language model.

    Args:
        model: the base model.
        setting: the setting that needs them, for the error message.

    Raises:
        UserError: ModelUnsupported when the model's decoder has no `layers`.
    """
    layers = getattr(model.get_decoder(), "layers", None)
    if layers is None:
        raise UserError(
            FailureReason.ModelUnsupported,
            f"{setting} is not supported for {type(model).__name__}: its decoder has no `layers`.",
            f"Set {setting} to false.",
        )
    return list(layers)


def _pad(tensors: list[torch.Tensor], value: int, side: str) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value, padding_side=side)
