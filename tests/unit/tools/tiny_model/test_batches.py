"""A batch has the tokens, pixels and results of the real processor and model."""

import random

import numpy as np
import pytest
import torch

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw, to_image
from tools.tiny_model.batches import Batches
from tools.tiny_model.losses import Losses
from tools.tiny_model.model import build_model, build_processor
from tools.tiny_model.pages import PageSize, make_page
from tools.tiny_model.tasks import after, transcribe
from tools.tiny_model.tokenizer import build_tokenizer
from tools.tiny_model.vision import image_features

SIZE = PageSize(16, 5)


@pytest.fixture(scope="module")
def made():
    tokenizer = build_tokenizer()
    pages = [make_page(SIZE, random.Random(number), test=False) for number in range(2)]
    questions = [[transcribe(page), *after(page, random.Random(0), 2)] for page in pages]
    batch = Batches(tokenizer).assemble(pages, questions, np.random.default_rng(5))
    images = [to_image(patches) for patches in draw(character_indices(pages), np.random.default_rng(5))]
    return build_processor(tokenizer), build_model(tokenizer, 0).eval(), batch, images, questions


def _inputs(processor, image, prompt):
    content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def test_the_image_features_are_those_of_the_model(made):
    processor, model, batch, images, _ = made
    inputs = _inputs(processor, images[1], "OCR:")

    with torch.no_grad():
        ours = image_features(model, batch.patches)[1]
        [expected] = model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"]).pooler_output

    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_questions_in_one_sequence_have_the_loss_of_each_question_asked_alone(made):
    processor, model, batch, images, questions = made
    tokens = loss = 0.0
    for image, asked in zip(images, questions, strict=True):
        for question in asked:
            inputs = _inputs(processor, image, question.prompt)
            answer = processor.tokenizer(question.answer + "</s>", return_tensors="pt")["input_ids"]
            prompt = inputs["input_ids"]
            ids = torch.cat([prompt, answer], dim=1)
            with torch.no_grad():
                found = model(
                    input_ids=ids,
                    mm_token_type_ids=torch.cat(
                        [inputs["mm_token_type_ids"], torch.zeros_like(answer)], dim=1
                    ),
                    pixel_values=inputs["pixel_values"],
                    image_grid_thw=inputs["image_grid_thw"],
                    labels=ids.index_fill(1, torch.arange(prompt.shape[1]), -100),
                )
            tokens += answer.shape[1]
            loss += found.loss.item() * answer.shape[1]

    with torch.no_grad():
        ours, _ = Losses(model, 0)(batch, guided=False)

    assert ours.item() == pytest.approx(loss / tokens, rel=1e-4)
