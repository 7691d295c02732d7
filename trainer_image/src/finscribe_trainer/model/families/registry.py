"""Chooses a model's family by the model_type in its config."""

from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.causal_lm import CausalLM
from finscribe_trainer.model.families.paddleocr_vl import PaddleOCRVL
from finscribe_trainer.model.source import ModelSource, model_errors


def load_family(source: ModelSource) -> Family:
    """The family of a model, with its processor or tokenizer; loads no weights.

    Raises:
        UserError: ModelNotFound; ModelUnsupported when it is neither PaddleOCR-VL nor a causal LM.
    """
    with model_errors(source):
        config = AutoConfig.from_pretrained(
            source.location, revision=source.revision, trust_remote_code=False
        )
    if config.model_type == "paddleocr_vl":
        return PaddleOCRVL(source, config)
    if config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return CausalLM(source, config)
    raise UserError(
        FailureReason.ModelUnsupported,
        f"{source.name} has the unsupported model type {config.model_type}.",
        "Use PaddleOCR-VL or a causal language model.",
    )
