"""Batches of pages of one size, with several questions for each page.

A page is encoded once: the tokens of all its questions follow it, and each question sees the page and itself
only, at the positions it has when it is asked alone.
"""

import random
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw
from tools.tiny_model.pages import PageSize, make_page
from tools.tiny_model.processor import BOS, EOS, IMAGE, IMAGE_END, IMAGE_START, PAD
from tools.tiny_model.tasks import Question, after, transcribe

NOTHING = -1
"""In `Batch.targets`, `read` and `next`: no target."""


@dataclass(frozen=True)
class Batch:
    """Tensors of a batch; pages are its first dimension.

    Attributes:
        patches: Normalised grey patches, [pages, rows of patches, columns of patches, 14, 14].
        characters: Index of the character in each cell, [pages, rows, columns].
        tokens: [pages, tokens].
        positions: Positions of the tokens in time, height and width, [3, pages, tokens].
        mask: Which tokens (third dimension) see which (fourth dimension), [pages, 1, tokens, tokens].
        targets: The next token where it belongs to an answer, [pages, tokens].
        read: Image token (0 is the page's first) that shows the last character, [pages, tokens].
        next: Image token that the next token of an answer is read from, [pages, tokens].
    """

    patches: torch.Tensor
    characters: torch.Tensor
    tokens: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    targets: torch.Tensor
    read: torch.Tensor
    next: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


class Batches:
    """Makes batches; token ids come from the tokenizer.

    Attributes:
        tokenizer: The model's.
        pad: Id of the padding token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._ids: dict[str, list[int]] = {}
        self.tokenizer = tokenizer
        [self.pad], [self._eos], [self._image] = map(self.encode, (PAD, EOS, IMAGE))
        self._before = self.encode(f"{BOS}User: {IMAGE_START}")
        self._after, self._assistant = self.encode(IMAGE_END), self.encode("\nAssistant: ")

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def prompt(self, text: str, image_tokens: int) -> list[int]:
        """The ids of a prompt for a page, as the chat template writes it."""
        image = [self._image] * image_tokens
        return [*self._before, *image, *self._after, *self.encode(text), *self._assistant]

    def _characters(self, text: str) -> list[int]:
        """The ids of an answer: one for each character."""
        for character in set(text) - self._ids.keys():
            self._ids[character] = self.encode(character)
        return [token for character in text for token in self._ids[character]]

    def make(self, size: PageSize, pages: int, seed: str, *, lookups: int) -> Batch:
        """A batch of training pages, each with its transcription and up to `lookups` other questions."""
        rng = random.Random(seed)  # noqa: S311 - pages, not cryptography
        texts = [make_page(size, rng, test=False) for _ in range(pages)]
        questions = [[transcribe(page), *after(page, rng, lookups)] for page in texts]
        return self.assemble(texts, questions, np.random.default_rng(list(seed.encode())))

    def assemble(
        self, pages: list[list[str]], questions: list[list[Question]], rng: np.random.Generator
    ) -> Batch:
        """A batch of given pages and questions, drawn with `rng`."""
        indices = character_indices(pages)
        rows, columns = indices.shape[1:]
        across = columns // 2
        head = [*self._before, *[self._image] * (rows * across), *self._after]
        first_image = len(self._before)
        last = first_image + max(rows, across)
        lines = [self._lay_out(asked, len(head), last + 1, across) for asked in questions]
        length = max(len(line[0]) for line in lines)
        table = np.zeros((6, len(pages), length), np.int64)
        table[0], table[3:] = self.pad, NOTHING
        table[0, :, : len(head)] = head
        for row, line in enumerate(lines):
            for kind, values in enumerate(line):
                table[kind, row, len(head) : len(values)] = values[len(head) :]
        tokens, questions_of, text, targets, read, following = torch.from_numpy(table)
        image = torch.arange(rows * across)
        spots = torch.stack([torch.zeros_like(image), image // across, image % across]) + first_image
        start = torch.arange(first_image).expand(3, -1)
        top = torch.cat([start, spots, torch.full((3, 1), last)], dim=1)
        positions = torch.cat(
            [top[:, None].expand(-1, len(pages), -1), text[None, :, len(head) :].expand(3, -1, -1)], dim=2
        )
        seen = (questions_of[:, None, :] == 0) | (questions_of[:, None, :] == questions_of[:, :, None])
        pixels = torch.from_numpy(draw(indices, rng)).float()
        return Batch(
            patches=pixels / 127.5 - 1,
            characters=torch.from_numpy(indices),
            tokens=tokens,
            positions=positions.contiguous(),
            mask=(seen & torch.ones(length, length, dtype=torch.bool).tril())[:, None],
            targets=targets,
            read=read,
            next=following,
        )

    def _lay_out(self, questions: list[Question], head: int, position: int, across: int) -> list[list[int]]:
        """Tokens, number of the question, positions, targets, and cells of a page's questions."""
        blank = [NOTHING] * head
        tokens, asked, places = [0] * head, [0] * head, [0] * head
        targets, read, following = [*blank], [*blank], [*blank]
        for number, question in enumerate(questions, start=1):
            prompt = [*self.encode(question.prompt), *self._assistant]
            answer = self._characters(question.answer)
            cells = [_cell(cell, across) for cell in question.cells]
            before = [NOTHING] * (len(prompt) - 1)
            tokens += prompt + answer
            asked += [number] * (len(prompt) + len(answer))
            places += range(position, position + len(prompt) + len(answer))
            targets += [*before, *answer, self._eos]
            following += [*before, *cells, NOTHING]
            start = [_cell(question.start, across)] * 3  # last character, line break, "Assistant: "
            read += [*before[2:], *start, *cells]
        return [tokens, asked, places, targets, read, following]


def _cell(place: tuple[int, int] | None, across: int) -> int:
    """The image token of a row and column; `across` image tokens are a row."""
    return NOTHING if place is None else place[0] * across + place[1] // 2
