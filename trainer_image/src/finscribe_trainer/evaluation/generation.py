"""Generates a model's answers: greedy decoding in batches, with results that do not depend on the batches."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import send_to_device
from peft import PeftModel
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)

from finscribe_trainer.batches.dataset import load_row_images
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.oom_retry import BatchSizeBackoff
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.evaluation.token_probabilities import ChosenTokens, Token, read_tokens
from finscribe_trainer.model.families.base import Family

MIN_ANSWER_TOKENS = 32
"""Lower bound of the default max_new_tokens."""
_Tokens = tuple[list[int], list[float]]
"""The token ids of an answer, and the log-probability of each (of more, after the end; none if not asked)."""


@dataclass(frozen=True)
class Answer:
    """A generated answer."""

    index: int
    """Index of its example."""
    text: str
    tokens: int
    """Number of tokens, including the end token if there is one."""
    cut_off: bool
    """True when it reached max_new_tokens before its end token."""
    seconds: float
    """Inference time: the batch's divided by its documents."""
    scored_tokens: tuple[Token, ...] = ()
    """The tokens with their probabilities, if the generator was asked for them."""


def max_answer_tokens(family: Family, examples: Sequence[Example]) -> int:
    """The default max_new_tokens: 1.5 times the longest ground truth, plus 8."""
    longest = max(len(family.encode_completion(example.row.completion)) for example in examples)
    return max(MIN_ANSWER_TOKENS, math.ceil(1.5 * (longest - 1)) + 8)


class AnswerGenerator:
    """Generates answers with a model in its current state, including an active adapter.

    Decoding is greedy; the checkpoint's generation_config is ignored, since sampling, penalties and forced
    tokens would make two models incomparable. No random numbers are used.

    Args:
        model: a model of `family`; its state is restored, also in train mode with gradient checkpointing.
        family: encodes the prompts.
        max_new_tokens: tokens after which an answer is cut off.
        batch_size: prompts per batch.
        stop: called after every token; when it returns True, generation ends and discards the current batch.
        features: feature cache, if the model's vision tower is frozen.
        score_tokens: whether answers have the probabilities of their tokens.
    """

    def __init__(  # noqa: PLR0913 - model, limits and what each answer contains
        self,
        model: PreTrainedModel | PeftModel,
        family: Family,
        max_new_tokens: int,
        batch_size: int,
        stop: Callable[[], bool] = lambda: False,
        features: FeatureCache | None = None,
        *,
        score_tokens: bool = False,
    ) -> None:
        self.model: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.family = family
        self.max_new_tokens = max_new_tokens
        self.batch_size = batch_size
        self.stop = stop
        self.features = features
        self.score_tokens = score_tokens
        self.backoff = BatchSizeBackoff("evaluating documents", "per_device_eval_batch_size")
        self.end_tokens = _end_tokens(model, family)

    def generate(self, examples: Sequence[Example], done: Collection[int] = ()) -> Iterator[Answer]:
        """Generate answers batch by batch, longest ground truths first.

        Args:
            examples: rows whose prompts to answer.
            done: indices to skip; the batches of the other examples stay the same.

        Raises:
            GpuMemoryError: a batch of one example does not fit into the GPU's memory.
        """
        for batch in self._batches(examples):
            indices = [index for index in batch if index not in done]
            if not indices:
                continue
            started = time.perf_counter()
            rows = [examples[index] for index in indices]
            answers = self._generate_with_backoff(rows)
            if self.stop():
                return
            seconds = (time.perf_counter() - started) / len(indices)
            for index, (ids, log_probs) in zip(indices, answers, strict=True):
                yield self._answer(index, ids, log_probs, seconds)

    def _batches(self, examples: Sequence[Example]) -> list[list[int]]:
        """Batches of similar lengths: a batch takes as long as its longest prompt and answer."""

        def lengths(index: int) -> tuple[int, int]:
            example = examples[index]
            answer = self.family.encode_completion(example.row.completion)
            return len(answer), self.family.count_prompt_tokens(example)

        order = sorted(range(len(examples)), key=lengths, reverse=True)
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def _generate_with_backoff(self, rows: list[Example]) -> list[_Tokens]:
        parts = self.backoff.work(len(rows), lambda part: self._generate(rows[part]))
        return [tokens for answers in parts for tokens in answers]

    def _generate(self, examples: list[Example]) -> list[_Tokens]:
        """The tokens of each answer, up to and including its end token."""
        store = self.features.store if self.features else None
        rows = [self.family.encode_prompt(row, load_row_images(row, store=store)) for row in examples]
        batch = send_to_device(self.family.collate(rows, padding="left"), self.model.device)
        prompts = ModelInputs(self.family, self.features)(batch)
        config = GenerationConfig(
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=sorted(self.end_tokens),
            pad_token_id=min(self.end_tokens),  # tokens after the end token are removed
        )
        chosen = ChosenTokens()
        with _generation_mode(self.model):
            sequences = self.model.generate(
                **prompts,
                generation_config=config,
                logits_processor=LogitsProcessorList([chosen] if self.score_tokens else []),
                stopping_criteria=StoppingCriteriaList([_StopCriterion(self.stop)]),
            )
        prompt_length = prompts["input_ids"].shape[1]
        answers = [self._until_end(ids) for ids in sequences[:, prompt_length:].tolist()]
        log_probs = chosen.log_probs() if self.score_tokens else [[] for _ in answers]
        return list(zip(answers, log_probs, strict=True))

    def _until_end(self, ids: list[int]) -> list[int]:
        end = next((i for i, token in enumerate(ids) if token in self.end_tokens), len(ids))
        return ids[: end + 1]

    def _answer(self, index: int, ids: list[int], log_probs: list[float], seconds: float) -> Answer:
        ended = bool(ids) and ids[-1] in self.end_tokens
        body = ids[:-1] if ended else ids
        scored = read_tokens(body, log_probs, self._decode) if self.score_tokens else []
        if scored and ended:
            end = scored[-1].end
            scored.append(Token(end, end + 1, log_probs[len(body)]))
        return Answer(
            index,
            self._decode(body),
            len(ids),
            cut_off=not ended,
            seconds=seconds,
            scored_tokens=tuple(scored),
        )

    def _decode(self, ids: list[int]) -> str:
        return str(
            self.family.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )


def _end_tokens(model: Any, family: Family) -> frozenset[int]:
    """Tokens that end an answer, the same as when the model is served.

    A tuned model is served with the generation config that was exported with it, whose end token is the
    trained one. Any other model is served with its own, or with its tokenizer's if it names none.
    """
    if isinstance(model, PeftModel):
        if model.get_model_status().enabled is True:
            return frozenset({family.end_token})
        model = model.get_base_model()
    named = model.generation_config.eos_token_id if model.generation_config else None
    return frozenset([named] if isinstance(named, int) else named or [family.end_token])


@contextmanager
def _generation_mode(model: Any) -> Iterator[None]:
    """Eval mode (no dropout, no gradient checkpointing, which disables the KV cache) and an empty
    generation_config, from which `generate` would take every setting it is not passed.
    """
    modes = [(module, module.training) for module in model.modules()]
    settings = model.generation_config
    model.generation_config = GenerationConfig()
    model.eval()
    try:
        yield
    finally:
        model.generation_config = settings
        for module, training in modes:
            module.training = training


class _StopCriterion(StoppingCriteria):
    """Ends all answers when `stop` returns True."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> Any:
        return torch.full((len(input_ids),), self.stop(), device=input_ids.device)
