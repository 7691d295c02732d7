"""PaddleOCR-VL by its native class (no code from the hub is ever run)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from transformers import (
    AutoProcessor,
    PaddleOCRVLForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
)

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.families.base import Encoded, Family
from finscribe_trainer.families.source import ModelSource, model_errors


class PaddleOCRVL(Family):
    """Rows with images and rows without, in one batch.

    The prompt comes from the checkpoint's own chat template: version 1 ends it with "Assistant: ", versions
    1.5 and 1.6 with "Assistant:" and a newline. Sizes and pixel statistics come from its own processor
    config: the class's defaults differ from the published ones.
    """

    language_model_pattern: ClassVar[str] = r"(?:.*\.)?language_model\."
    unquantised_modules: ClassVar[tuple[str, ...]] = (
        r"(?:.*\.)?visual",
        r"(?:.*\.)?projector",
        "lm_head",
    )
    reads_images: ClassVar[bool] = True

    def __init__(self, source: ModelSource, config: PretrainedConfig) -> None:
        with model_errors(source):
            self.processing = AutoProcessor.from_pretrained(
                source.location, revision=source.revision, trust_remote_code=False
            )
        self.config = config
        self.tokenizer = self.processing.tokenizer
        if not self.processing.chat_template:
            raise UserError(
                FailureReason.ModelUnsupported,
                f"{source.name} has no chat template, so the prompt it was trained with is unknown.",
                "Use a checkpoint that holds chat_template.jinja, as the published ones do.",
            )

    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """The model with its weights, from safetensors only."""
        with model_errors(source):
            return PaddleOCRVLForConditionalGeneration.from_pretrained(
                source.location, revision=source.revision or "main", use_safetensors=True, **options
            )

    def encode_prompt(self, example: Example, images: Sequence[Image] | None = None) -> Encoded:
        """input_ids and mm_token_type_ids (tokens,), pixel_values (patches, 3, 14, 14), image_grid_thw
        (images, 3).
        """
        shown = iter([open_image(path) for path in example.images] if images is None else images)
        inputs = self.processing.apply_chat_template(
            _messages(example, lambda: {"type": "image", "image": next(shown)}),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        encoded = {key: inputs[key] for key in ("pixel_values", "image_grid_thw") if key in inputs}
        encoded["input_ids"] = inputs["input_ids"][0]
        types = inputs.get("mm_token_type_ids")
        encoded["mm_token_type_ids"] = (
            torch.zeros_like(encoded["input_ids"]) if types is None else types[0].to(torch.long)
        )
        return encoded

    def count_prompt_tokens(self, example: Example) -> int:
        """Text tokens, and for each image (height / 14) (width / 14) / 4 after resizing."""
        text = self.processing.apply_chat_template(
            _messages(example, lambda: {"type": "image"}), add_generation_prompt=True, tokenize=False
        )
        bos = self.tokenizer.bos_token
        ids = self.tokenizer(text, add_special_tokens=not (bos and text.startswith(bos)))["input_ids"]
        return len(ids) - len(example.images) + sum(self._image_tokens(*size) for size in example.sizes)

    def _image_tokens(self, width: int, height: int) -> int:
        processor = self.processing.image_processor
        patches: int = processor.get_number_of_image_patches(height, width)
        return patches // int(processor.merge_size) ** 2

    @property
    def reserved_tokens(self) -> tuple[str, ...]:
        """The image's placeholder and its frame, and the tokens that begin and end a text."""
        ids = (self.config.image_token_id, self.config.vision_start_token_id, self.config.vision_end_token_id)
        named = (self.tokenizer.bos_token, self.tokenizer.eos_token, self.tokenizer.pad_token)
        tokens = (*self.tokenizer.convert_ids_to_tokens(list(ids)), *named)
        return tuple(token for token in tokens if token)


def _messages(example: Example, image: Any) -> list[dict[str, Any]]:
    return [
        {
            "role": turn.role,
            "content": [*(image() for _ in range(turn.num_images)), {"type": "text", "text": turn.text}],
        }
        for turn in example.row.turns
    ]
