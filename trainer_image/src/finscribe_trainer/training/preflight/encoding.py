"""Checks an encoded row: image tokens, sizes, prompt, labels and the end of the answer."""

import math
import re
from collections.abc import Iterator

import torch

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.model.batch import IGNORE_INDEX, Encoded
from finscribe_trainer.model.families.base import Family, PromptError
from finscribe_trainer.training.preflight.findings import Defect, Finding

_MARKER = re.compile(r"<\|[^<>|\s]+\|>")
"""What chat templates write around messages."""
_MAX_SHRINKAGE = 16
"""Pixels of a page for each pixel that the model gets, from which on its answer must fit its tokens."""
_MAX_ANSWER_TOKENS = 8
"""Tokens of an answer for each image token: more can't be read from so few squares of 28 x 28 pixels."""


def encoding_findings(example: Example, encoded: Encoded, family: Family) -> Iterator[Finding]:
    """The defects of a training row.

    Args:
        example: the row.
        encoded: the same, as the training encodes it.
        family: the model's.
    """
    prompt = family.encode_prompt(example)
    yield from _image_findings(example, encoded, family)
    yield from _template_findings(example, family)
    yield from _label_findings(example, encoded, prompt, family)


def _image_findings(example: Example, encoded: Encoded, family: Family) -> Iterator[Finding]:
    if not example.images or not family.reads_images:
        return
    grids = [image["image_grid_thw"].tolist() for image in encoded["images"]]
    expected = sum(family.features_shape(grid)[0] for grid in grids)
    written = int(encoded["mm_token_type_ids"].sum())
    if written == 0:
        yield Finding(
            Defect.no_image_tokens,
            f"{example.where}: the prompt has no token for the {expected} features of its image",
        )
    elif written != expected:
        yield Finding(
            Defect.wrong_processor_size,
            f"{example.where}: the prompt has {written} image tokens for {expected} features",
        )
    processor, vision = family.processing.image_processor, family.config.vision_config
    sizes = (
        ("patch_size", processor.patch_size, vision.patch_size),
        ("merge_size", processor.merge_size, vision.spatial_merge_size),
    )
    for name, own, models in sizes:
        if own != models:
            yield Finding(
                Defect.wrong_processor_size, f"the processor's {name} is {own}, the model's {models}"
            )
    given = sum(width * height for width, height in example.sizes)
    kept = sum(map(math.prod, grids)) * vision.patch_size**2
    answer = len(family.encode_completion(example.row.completion))
    if given > _MAX_SHRINKAGE * kept and answer > _MAX_ANSWER_TOKENS * expected:
        yield Finding(
            Defect.wrong_processor_size,
            f"{example.where}: the processor shrinks the page to {expected} image tokens, too few for an "
            f"answer of {answer} tokens",
        )


def _template_findings(example: Example, family: Family) -> Iterator[Finding]:
    turns, completion = example.row.turns, example.row.completion
    prompt = family.render_prompt(turns)
    tokens = family.tokenizer
    for marker in dict.fromkeys(_MARKER.findall(family.render_prompt((Turn("user", "x"),)))):
        if len(tokens(marker, add_special_tokens=False)["input_ids"]) != 1:
            yield Finding(
                Defect.wrong_template,
                f"the chat template writes {marker}, which is no token of the tokenizer",
            )
            return
    try:
        whole = family.render_prompt((*turns, Turn("assistant", completion)))
    except PromptError:  # a template may refuse to go on after an answer
        return
    start = prompt.rstrip()
    before, found, _ = whole[len(start) :].partition(completion.strip())
    if not whole.startswith(start) or not found or (family.reads_images and before.strip()):
        yield Finding(
            Defect.wrong_template,
            f"{example.where}: an answer is generated after {prompt[-40:]!r}, but the chat template writes "
            "something else before an answer",
        )


def _label_findings(example: Example, encoded: Encoded, prompt: Encoded, family: Family) -> Iterator[Finding]:
    ids, labels = encoded["input_ids"], encoded["labels"]
    counted, length = labels != IGNORE_INDEX, len(prompt["input_ids"])
    if not torch.equal(ids[:length], prompt["input_ids"]):
        yield Finding(Defect.wrong_template, f"{example.where}: the prompt is another one in generation")
    if bool((labels[counted] != ids[counted]).any()):
        yield Finding(Defect.shifted_labels, f"{example.where}: labels are not the tokens at their places")
    elif bool(counted[:length].any()):
        unmasked = int(counted[:length].sum())
        yield Finding(
            Defect.unmasked_prompt, f"{example.where}: {unmasked} tokens of the prompt count in the loss"
        )
    elif int(labels[-1]) != family.end_token:
        yield Finding(
            Defect.endless_answers, f"{example.where}: the token that ends an answer is not learned"
        )
