"""The generation config of a tuned model: its answers end with the token that the training appended."""

import copy
import logging
from typing import Any

from transformers import GenerationConfig

from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


def trained_generation_config(base: Any, family: Family) -> GenerationConfig:
    """The base model's generation config, with the trained end token as the only one.

    The base model's own may name another end token than its tokenizer, which the training appends: a server
    would never stop at the end of an answer.

    Args:
        base: the base model, or a model merged with it.
        family: its family.
    """
    end = family.end_token
    config: GenerationConfig = copy.deepcopy(base.generation_config)
    if config.eos_token_id not in (end, [end]):
        log.info("answers end with token %d; the base model's are %s", end, config.eos_token_id)
    config.eos_token_id = end
    try:
        config.validate(strict=True)
    except ValueError as error:
        log.warning("the base model's generation config is invalid and not exported: %s", error)
        return GenerationConfig(
            bos_token_id=config.bos_token_id, eos_token_id=end, pad_token_id=config.pad_token_id
        )
    return config
