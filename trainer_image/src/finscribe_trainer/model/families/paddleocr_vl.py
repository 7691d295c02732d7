"""The family of PaddleOCR-VL models, by transformers' own class (no code from the hub is run)."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from peft import PeftModel
from transformers import (
    AutoProcessor,
    PaddleOCRVLForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import (
    Family,
    ImageFeatures,
    ImageInput,
    PromptError,
    UncachedImage,
    template_errors,
)
from finscribe_trainer.model.families.positions import mrope_positions
from finscribe_trainer.model.source import ModelSource, model_errors


class PaddleOCRVL(Family):
    """Takes rows with and without images, also within one batch.

    The prompt is built with the checkpoint's chat template: version 1 ends it with "Assistant: ", versions
    1.5 and 1.6 with "Assistant:" and a newline. Image sizes and pixel statistics are taken from its processor
    config: the defaults of the class differ from the published ones.
    """

    language_model_pattern: ClassVar[str] = r"(?:.*\.)?language_model\."
    unquantized_modules: ClassVar[tuple[str, ...]] = (
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
                f"{source.name} has no chat template, so the prompt format it was trained with is unknown.",
                "Use a checkpoint that contains chat_template.jinja, as the published ones do.",
            )

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class of the transformers library."""
        return PaddleOCRVLForConditionalGeneration

    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """Load the model, from safetensors only."""
        with model_errors(source):
            return PaddleOCRVLForConditionalGeneration.from_pretrained(
                source.location, revision=source.revision or "main", use_safetensors=True, **options
            )

    def encode(self, example: Example, images: Sequence[ImageInput] | None = None) -> Encoded:
        """As in the base class, with position_ids (tokens, 3)."""
        encoded = super().encode(example, images)
        grids = [image["image_grid_thw"] for image in encoded["images"]]
        encoded["position_ids"] = mrope_positions(encoded["mm_token_type_ids"], grids, self._merge_size)
        return encoded

    def encode_prompt(self, example: Example, images: Sequence[ImageInput] | None = None) -> Encoded:
        """Each image has image_grid_thw (3,), and pixel_values (patches, 3, 14, 14) or features (image
        tokens, hidden size).
        """
        inputs = [open_image(path) for path in example.images] if images is None else images
        encoded = [self._encode_image(image) for image in inputs]
        counts = [self.features_shape(image["image_grid_thw"].tolist())[0] for image in encoded]
        ids = torch.tensor(self._prompt_ids(example, counts), dtype=torch.long)
        types = (ids == self.config.image_token_id).long()
        return {"input_ids": ids, "mm_token_type_ids": types, "images": encoded}

    def _encode_image(self, image: ImageInput) -> Encoded:
        if isinstance(image, ImageFeatures):
            return {"features": image.features, "image_grid_thw": torch.tensor(image.grid)}
        if isinstance(image, UncachedImage):
            return {**self._encode_image(image.image), "key": image.key}
        inputs = self.processing.image_processor(images=[image], return_tensors="pt")
        return {"pixel_values": inputs["pixel_values"], "image_grid_thw": inputs["image_grid_thw"][0]}

    def count_prompt_tokens(self, example: Example) -> int:
        """Number of text tokens, plus (height / 14) (width / 14) / 4 for each image, by its resized size."""
        text_tokens = len(self._prompt_ids(example, [1] * len(example.images))) - len(example.images)
        return text_tokens + sum(self._image_tokens(*size) for size in example.sizes)

    def _prompt_ids(self, example: Example, image_tokens: Sequence[int]) -> list[int]:
        """The prompt's token ids, with `image_tokens` placeholder tokens for each image."""
        text = self.render_prompt(example.row.turns)
        before, *behind = text.split(self.processing.image_token)
        for count, part in zip(image_tokens, behind, strict=True):
            before += self.processing.image_token * count + part
        bos = self.tokenizer.bos_token
        return list(
            self.tokenizer(before, add_special_tokens=not (bos and text.startswith(bos)))["input_ids"]
        )

    def render_prompt(self, turns: Sequence[Turn]) -> str:
        """By the checkpoint's chat template, which must write each image once."""
        with template_errors():
            text = str(
                self.processing.apply_chat_template(
                    _messages(turns), add_generation_prompt=True, tokenize=False
                )
            )
        written, images = text.count(self.processing.image_token), sum(turn.num_images for turn in turns)
        if written != images:
            raise PromptError(f"it writes {written} images instead of {images}")
        return text

    def _image_tokens(self, width: int, height: int) -> int:
        patches: int = self.processing.image_processor.get_number_of_image_patches(height, width)
        return patches // self._merge_size**2

    def vision_modules(self, model: Any) -> list[torch.nn.Module]:
        """Vision tower and projector."""
        inner = _base(model).model
        return [inner.visual, inner.projector]

    def image_features(self, model: Any, image: Encoded) -> torch.Tensor:
        """As the model's own forward pass computes them."""
        outputs = _base(model).get_image_features(image["pixel_values"], image["image_grid_thw"][None])
        features: torch.Tensor = outputs.pooler_output[0]
        return features

    def features_shape(self, grid: Sequence[int]) -> tuple[int, int]:
        """One token for each square of 2 x 2 patches."""
        return math.prod(grid) // self._merge_size**2, int(self.config.text_config.hidden_size)

    def own_positions(self, model: Any, inputs: Encoded) -> torch.Tensor | None:
        """(3, rows, tokens)."""
        names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
        given = {name: inputs[name] for name in names if name in inputs}
        positions: torch.Tensor = _base(model).model.get_rope_index(**given)[0]
        return positions

    @property
    def _merge_size(self) -> int:
        return int(self.config.vision_config.spatial_merge_size)

    def model_inputs(self, batch: Encoded) -> Encoded:
        """Adds the images of all rows as pixels or features, and makes position_ids (3, rows, tokens)."""
        inputs = super().model_inputs(batch)
        if "position_ids" in inputs:
            inputs["position_ids"] = inputs["position_ids"].permute(2, 0, 1)
        images = [image for row in batch["images"] for image in row]
        if not images:
            return inputs
        inputs["image_grid_thw"] = torch.stack([image["image_grid_thw"] for image in images])
        if "features" in images[0]:
            features: Any = tuple(image["features"] for image in images)
            inputs["mm_encoder_outputs"] = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        else:
            inputs["pixel_values"] = torch.cat([image["pixel_values"] for image in images])
        return inputs


def _base(model: Any) -> Any:
    return model.get_base_model() if isinstance(model, PeftModel) else model


def _messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [
        {
            "role": turn.role,
            "content": [*([{"type": "image"}] * turn.num_images), {"type": "text", "text": turn.text}],
        }
        for turn in turns
    ]
