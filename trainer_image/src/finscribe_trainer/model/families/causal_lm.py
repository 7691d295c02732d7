"""The family of text models: any causal language model of the transformers library."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
)

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import Family, ImageInput, template_errors
from finscribe_trainer.model.source import ModelSource, model_errors


class CausalLM(Family):
    """Takes rows without images.

    The prompt is built with the tokenizer's chat template; without one it is the text and a newline.
    """

    language_model_pattern: ClassVar[str] = ""
    unquantized_modules: ClassVar[tuple[str, ...]] = ("lm_head",)
    reads_images: ClassVar[bool] = False

    def __init__(self, source: ModelSource, config: PretrainedConfig) -> None:
        with model_errors(source):
            self.processing = AutoTokenizer.from_pretrained(
                source.location, revision=source.revision, trust_remote_code=False
            )
        self.config = config
        self.tokenizer = self.processing
        self._name = source.name
        if self.tokenizer.eos_token_id is None:
            raise UserError(
                FailureReason.ModelUnsupported,
                f"{source.name}: the tokenizer has no eos_token, so no answer could end.",
                "Use a model whose tokenizer defines an eos_token.",
            )

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class for the config's model type."""
        found: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(self.config)]
        model_class: type[PreTrainedModel] = found
        return model_class

    def load_model(self, source: ModelSource, **options: Any) -> PreTrainedModel:
        """Load the model, from safetensors only."""
        with model_errors(source):
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                source.location,
                revision=source.revision,
                use_safetensors=True,
                trust_remote_code=False,
                **options,
            )
        return model

    def encode_prompt(self, example: Example, images: Sequence[ImageInput] | None = None) -> Encoded:
        """input_ids (tokens,)."""
        return {"input_ids": torch.tensor(self._prompt_ids(example), dtype=torch.long)}

    def count_prompt_tokens(self, example: Example) -> int:
        """Tokens of the text."""
        return len(self._prompt_ids(example))

    def _prompt_ids(self, example: Example) -> list[int]:
        if example.images:
            raise UserError(
                FailureReason.ModelUnsupported,
                f"{example.where}: the row has an image, but {self._name} takes text only.",
                "Use a PaddleOCR-VL model, or rows without images.",
            )
        text = self.render_prompt(example.row.turns)
        # Without a chat template, the tokenizer itself adds the tokens at the beginning.
        return list(self.tokenizer(text, add_special_tokens=not self.tokenizer.chat_template)["input_ids"])

    def render_prompt(self, turns: Sequence[Turn]) -> str:
        """By the tokenizer's chat template; without one, the texts and a newline."""
        if not self.tokenizer.chat_template:
            return "\n".join(turn.text for turn in turns) + "\n"
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        with template_errors():
            return str(
                self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            )
