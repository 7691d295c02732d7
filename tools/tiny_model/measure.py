"""Measures the character error rate on pages whose values do not occur in training, by greedy generation."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from transformers import PaddleOCRVLForConditionalGeneration

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw
from tools.tiny_model.batches import Batches
from tools.tiny_model.pages import PageSize, make_page
from tools.tiny_model.tasks import Question, after, transcribe


@dataclass(frozen=True)
class ErrorRates:
    """Character error rates (edit distance per character of the expected answer).

    Attributes:
        transcription: Of whole pages.
        lookup: Of the rests of lines after a word.
        exact: Share of lookups without any error.
    """

    transcription: float
    lookup: float
    exact: float


def error_rates(
    model: PaddleOCRVLForConditionalGeneration, batches: Batches, size: PageSize, pages: int
) -> ErrorRates:
    """Ask for the transcription and two rests of lines on test pages, the same at each measurement."""
    rng = random.Random(f"test/{size}")  # noqa: S311 - pages, not cryptography
    texts = [make_page(size, rng, test=True) for _ in range(pages)]
    patches = draw(character_indices(texts), np.random.default_rng(list(f"test/{size}".encode())))
    reading = [(index, transcribe(text)) for index, text in enumerate(texts)]
    finding = [(index, question) for index, text in enumerate(texts) for question in after(text, rng, 2)]
    device = model.device
    normalised = torch.from_numpy(patches).float().to(device) / 127.5 - 1
    read = generate(model, batches, normalised, reading)
    found = generate(model, batches, normalised, finding) if finding else []
    exact = [answer == question.answer for answer, (_, question) in zip(found, finding, strict=True)]
    return ErrorRates(_rate(read, reading), _rate(found, finding), sum(exact) / max(1, len(exact)))


def _rate(answers: list[str], asked: list[tuple[int, Question]]) -> float:
    expected = [question.answer for _, question in asked]
    edits = sum(map(Levenshtein.distance, answers, expected))
    return edits / max(1, sum(map(len, expected)))


@torch.inference_mode()
def generate(
    model: PaddleOCRVLForConditionalGeneration,
    batches: Batches,
    patches: torch.Tensor,
    asked: list[tuple[int, Question]],
) -> list[str]:
    """The model's answers to questions, each about the page with the given index in `patches`."""
    pages = patches[[index for index, _ in asked]]
    count, high, wide = pages.shape[:3]
    prompts = [batches.prompt(question.prompt, high * wide // 4) for _, question in asked]
    length = max(map(len, prompts))
    padded = [[batches.pad] * (length - len(prompt)) + prompt for prompt in prompts]
    tokens = torch.tensor(padded, device=patches.device)
    generated = model.generate(  # type: ignore[misc]  # the class satisfies the protocol at run time
        input_ids=tokens,
        attention_mask=(tokens != batches.pad).long(),
        mm_token_type_ids=(tokens == model.config.image_token_id).int(),
        pixel_values=pages.flatten(0, 2)[:, None].expand(-1, 3, -1, -1),
        image_grid_thw=torch.tensor([[1, high, wide]] * count, device=patches.device),
        max_new_tokens=max(len(question.answer) for _, question in asked) + 8,
        do_sample=False,
    )
    return batches.tokenizer.batch_decode(generated[:, length:], skip_special_tokens=True)
