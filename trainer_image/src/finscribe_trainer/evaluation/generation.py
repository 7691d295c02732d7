"""Lets a model answer prompts: greedy, in batches, and the same whatever batch a prompt falls into."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import send_to_device
from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel, StoppingCriteria, StoppingCriteriaList

from finscribe_trainer.batches.dataset import read_images
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.oom_retry import BatchSizeBackoff
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family

FEWEST_TOKENS = 32


@dataclass(frozen=True)
class Answer:
    """What a model answered."""

    index: int
    """Of the example."""
    text: str
    tokens: int
    """With the end token, if there is one."""
    cut_off: bool
    """True when it reached the limit before its end."""
    seconds: float
    """Its share of its batch's time."""


def answer_limit(family: Family, examples: Sequence[Example]) -> int:
    """Tokens an answer may have: half as many again as the longest right one, and a few more."""
    longest = max(len(family.encode_completion(example.row.completion)) for example in examples)
    return max(FEWEST_TOKENS, math.ceil(1.5 * (longest - 1)) + 8)


class AnswerGenerator:
    """Answers examples with a model as it stands, adapter included where one is active.

    Greedy whatever the checkpoint's generation_config asks for: sampling, penalties and forced tokens would
    make two models incomparable. No random number is drawn.

    Args:
        model: a model of `family`; left as it was found, also in train mode with gradient checkpointing.
        family: makes the prompts.
        max_new_tokens: tokens after which an answer is cut off.
        batch_size: prompts answered at once.
        stop: asked after every token; once it says True, reading ends without the batch under way.
        features: what is kept of images, when the model's vision tower is frozen.
    """

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        family: Family,
        max_new_tokens: int,
        batch_size: int,
        stop: Callable[[], bool] = lambda: False,
        features: FeatureCache | None = None,
    ) -> None:
        self.model: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self.family = family
        self.max_new_tokens = max_new_tokens
        self.batch_size = batch_size
        self.stop = stop
        self.features = features
        self.rows_at_once = BatchSizeBackoff("reading documents", "perDeviceEvalBatchSize")
        self.end_tokens = _end_tokens(self.model, family)

    def read(self, examples: Sequence[Example], done: Collection[int] = ()) -> Iterator[Answer]:
        """Answers, batch by batch, longest expected answers first.

        Args:
            examples: what to answer.
            done: indices to leave out; the other examples' batches stay the same.
        """
        for batch in self._batches(examples):
            indices = [index for index in batch if index not in done]
            if not indices:
                continue
            began = time.perf_counter()
            rows = [examples[index] for index in indices]
            answers = self._generate_as_fits(rows)
            if self.stop():
                return
            seconds = (time.perf_counter() - began) / len(indices)
            for index, ids in zip(indices, answers, strict=True):
                yield self._answer(index, ids, seconds)

    def _batches(self, examples: Sequence[Example]) -> list[list[int]]:
        """Alike together: each batch takes as long as its longest prompt and answer."""

        def lengths(index: int) -> tuple[int, int]:
            example = examples[index]
            answer = self.family.encode_completion(example.row.completion)
            return len(answer), self.family.count_prompt_tokens(example)

        order = sorted(range(len(examples)), key=lengths, reverse=True)
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def _generate_as_fits(self, rows: list[Example]) -> list[list[int]]:
        parts = self.rows_at_once.work(len(rows), lambda part: self._generate(rows[part]))
        return [ids for answers in parts for ids in answers]

    def _generate(self, examples: list[Example]) -> list[list[int]]:
        """The tokens of each answer, cut behind its end token."""
        store = self.features.store if self.features else None
        rows = [self.family.encode_prompt(row, read_images(row, store=store)) for row in examples]
        batch = send_to_device(self.family.collate(rows, padding="left"), self.model.device)
        prompts = ModelInputs(self.family, self.features)(batch)
        config = GenerationConfig(
            max_new_tokens=self.max_new_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=sorted(self.end_tokens),
            pad_token_id=min(self.end_tokens),  # what follows an end is cut off
        )
        with _answering(self.model):
            sequences = self.model.generate(
                **prompts,
                generation_config=config,
                stopping_criteria=StoppingCriteriaList([_Asked(self.stop)]),
            )
        prompt_length = prompts["input_ids"].shape[1]
        return [self._until_end(ids) for ids in sequences[:, prompt_length:].tolist()]

    def _until_end(self, ids: list[int]) -> list[int]:
        end = next((i for i, token in enumerate(ids) if token in self.end_tokens), len(ids))
        return ids[: end + 1]

    def _answer(self, index: int, ids: list[int], seconds: float) -> Answer:
        ended = bool(ids) and ids[-1] in self.end_tokens
        text = self.family.tokenizer.decode(
            ids[:-1] if ended else ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return Answer(index, str(text), len(ids), cut_off=not ended, seconds=seconds)


def _end_tokens(model: Any, family: Family) -> frozenset[int]:
    """What ends an answer: the token that training appends, and those the checkpoint names."""
    named = model.generation_config.eos_token_id
    own = [named] if isinstance(named, int) else named or []
    return frozenset({int(family.tokenizer.eos_token_id), *own})


@contextmanager
def _answering(model: Any) -> Iterator[None]:
    """Without dropout, without gradient checkpointing (which rules out a cache), and by no one's settings but
    ours: `generate` takes whatever it is not told from the checkpoint's generation_config.
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


class _Asked(StoppingCriteria):
    """Ends every answer once `stop` says so."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> Any:
        return torch.full((len(input_ids),), self.stop(), device=input_ids.device)
