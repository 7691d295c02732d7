"""Pages and their questions."""

import random

import numpy as np
import pytest

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw
from finscribe_trainer.data_tools.small_pages.values import Values, held_out
from tools.tiny_model.pages import PageSize, make_page
from tools.tiny_model.tasks import after, transcribe

SIZES = (PageSize(12, 1), PageSize(16, 5), PageSize(24, 14))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_seed_gives_the_same_page_with_the_same_pixels(size):
    def make():
        page = make_page(size, random.Random(7), test=False)
        return page, draw(character_indices([page]), np.random.default_rng(7))

    (page, patches), (again, patches_again) = make(), make()

    assert page == again
    assert np.array_equal(patches, patches_again)
    assert [len(row) for row in page] == [size.columns] * size.rows


@pytest.mark.parametrize("kind", ["word", "amount", "number", "day"])
def test_test_values_never_occur_in_training(kind):
    training, test = (Values(random.Random(1), test) for test in (False, True))
    if kind == "amount":
        training = [training.plain_amount() for _ in range(300)]
        test = [test.plain_amount() for _ in range(100)]
    else:
        training = [getattr(training, kind)() for _ in range(300)]
        test = [getattr(test, kind)() for _ in range(100)]

    assert not any(map(held_out, training))
    assert all(map(held_out, test))


def test_a_transcription_has_the_lines_with_single_spaces_and_no_blank_ones():
    page = ["Coffee   3.50", "             ", " Total   3.50"]

    question = transcribe(page)

    assert (question.prompt, question.answer) == ("OCR:", "Coffee 3.50\nTotal 3.50")
    assert question.cells[7] == (0, 9)
    assert question.cells[11] is None
    assert question.cells[12] == (2, 1)


def test_a_question_for_the_rest_of_a_line_asks_for_a_word_that_the_page_has_once():
    page = ["Coffee   3.50", "Tea  x   3.50", "Tea      4.10"]

    questions = after(page, random.Random(0), 9)

    found = {question.prompt: question.answer for question in questions}
    assert found == {"After: Coffee": "3.50", "After: x": "3.50"}
    assert {question.cells[0] for question in questions} == {(0, 9), (1, 9)}
