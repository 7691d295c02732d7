import re

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraScope, LoraSpec, OutputFormat
from finscribe_trainer.model.families.paddleocr_vl import PaddleOCRVL
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.lora import attach_adapter, target_pattern
from finscribe_trainer.model.source import ModelSource

LANGUAGE = "model.language_model.layers.0.self_attn.q_proj"
VISION = "model.visual.vision_model.encoder.layers.0.self_attn.q_proj"
CASES = [
    (["q_proj"], LoraScope.LanguageModel, LANGUAGE, True),
    (["q_proj"], LoraScope.LanguageModel, VISION, False),
    (["q_proj"], LoraScope.All, VISION, True),
    (["q_proj"], LoraScope.All, LANGUAGE, True),
    (["self_attn.q_proj"], LoraScope.LanguageModel, LANGUAGE, True),
    (["proj"], LoraScope.All, LANGUAGE, False),
    (["k_proj", "v_proj"], LoraScope.All, LANGUAGE, False),
    (["q.proj"], LoraScope.All, LANGUAGE, False),
]


@pytest.mark.parametrize(("names", "scope", "path", "matches"), CASES)
def test_a_target_matches_whole_names_within_the_scope(names, scope, path, matches):
    pattern = target_pattern(LoraSpec(target_modules=names, scope=scope), PaddleOCRVL.language_model_pattern)
    assert bool(re.fullmatch(pattern, path)) is matches


def test_the_vision_tower_stays_frozen_by_default(family, source):
    model = attach_adapter(family.load_model(source), family, LoraSpec())
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("language_model" in name and "lora_" in name for name in trained)


def test_unknown_targets_are_reported_with_existing_names(family, source):
    with pytest.raises(UserError, match=r"\['query'\] matches no module") as caught:
        attach_adapter(family.load_model(source), family, LoraSpec(target_modules=["query"]))
    assert caught.value.reason is FailureReason.LoraTargetsNotFound
    assert "q_proj" in caught.value.remedy


TIED = {
    "the head": (["lm_head"], LoraScope.All),
    "the embeddings": (["embed_tokens"], LoraScope.LanguageModel),
    "both, beside others": (["q_proj", "lm_head", "embed_tokens"], LoraScope.All),
}


@pytest.mark.parametrize(("targets", "scope"), TIED.values(), ids=TIED)
def test_targets_with_tied_weights_are_refused_before_training_if_a_merged_model_is_wanted(
    targets, scope, config, family, source
):
    lora = config.lora.model_copy(update={"target_modules": targets, "scope": scope})
    adapter_only = config.model_copy(update={"lora": lora})
    load_adapted_model(adapter_only, source, family)
    both = [OutputFormat.Adapter, OutputFormat.Merged]
    with pytest.raises(UserError, match=r"(lm_head|embed_tokens) shares its weights with ") as caught:
        load_adapted_model(adapter_only.model_copy(update={"output_formats": both}), source, family)
    assert caught.value.reason is FailureReason.InvalidConfig
    assert "or Merged from output_formats" in caught.value.remedy


def test_a_head_with_its_own_weights_may_be_merged(config, text_model):
    lora = config.lora.model_copy(update={"target_modules": ["lm_head"], "scope": LoraScope.All})
    merged = config.model_copy(update={"lora": lora, "output_formats": [OutputFormat.Merged]})
    source = ModelSource(str(text_model))
    load_adapted_model(merged, source, load_family(source))
