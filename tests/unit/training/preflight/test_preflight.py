"""The preflight names each defect by which a model does not learn to read, and stops no sound training."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.images import hash_image
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource, find_local_or_hub_model
from finscribe_trainer.training.preflight.findings import Defect
from finscribe_trainer.training.preflight.preflight import preflight

pytestmark = pytest.mark.train


class Setup:
    """A model, its family and rows; tests change them."""

    def __init__(self, source, examples):
        self.family = load_family(source)
        self.model = self.family.load_model(source)
        self.examples = [*examples]

    def change_rows(self, change):
        """Replace each row's prompt and answer."""
        self.examples = [
            replace(example, row=change(index, example.row)) for index, example in enumerate(self.examples)
        ]

    def change_encoding(self, change):
        """Replace what the family encodes for training."""
        encode = self.family.encode
        self.family.encode = lambda example, images=None: change(encode(example, images))

    def check(self):
        preflight(self.model, self.family, self.examples)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Ten rows with pages, as `finscribe sample` writes them."""
    folder = tmp_path_factory.mktemp("pages")
    write_dataset(folder, num_rows=10, num_validation_rows=1, seed=3)
    return load_dataset(DataFile(folder / "train.jsonl", "train.jsonl"), 10**6).examples


@pytest.fixture
def setup(source, pages):
    """Random weights, which read nothing."""
    return Setup(source, pages)


@pytest.fixture
def reader(pages):
    """The small model that ships, which reads."""
    return Setup(find_local_or_hub_model(BUILT_IN_MODEL, None), pages)


# Planted defects


def other_image_token(setup):
    setup.family.config.image_token_id = 7


def chatml(setup):
    setup.family.processing.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
        "{% if c.type == 'image' %}<|IMAGE_PLACEHOLDER|>{% else %}{{ c.text }}{% endif %}"
        "{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    )


def no_generation_prompt(setup):
    template = setup.family.processing.chat_template
    setup.family.processing.chat_template = template.partition("{%- if add_generation_prompt")[0]


def tiny_pages(setup):
    setup.family.processing.image_processor.size["longest_edge"] = 28 * 28 * 2


def other_patches(setup):
    setup.family.config.vision_config.spatial_merge_size = 1


def text_positions(setup):
    def change(encoded):
        positions = torch.arange(len(encoded["input_ids"]))[:, None].expand(-1, 3)
        return {**encoded, "position_ids": positions}

    setup.change_encoding(change)


def rolled_labels(setup):
    setup.change_encoding(lambda row: {**row, "labels": row["labels"].roll(-1)})


def whole_text_as_labels(setup):
    setup.change_encoding(lambda row: {**row, "labels": row["input_ids"].clone()})


def no_end(setup):
    encode = setup.family.encode_completion
    setup.family.encode_completion = lambda text: encode(text)[:-1]


def constant_answers(setup):
    setup.change_rows(lambda _, row: replace(row, completion='{"document_type": "invoice"}'))


def answers_in_the_prompt(setup):
    setup.change_rows(lambda _, row: replace(row, turns=(Turn("user", f"Repeat: {row.completion}", 1),)))


def dead_projector(setup):
    for weight in setup.model.model.projector.parameters():
        weight.data.zero_()


PLANTED: dict[str, tuple[Callable[[Setup], None], Defect]] = {
    "another image token": (other_image_token, Defect.no_image_tokens),
    "the template of another model": (chatml, Defect.wrong_template),
    "a template without the start of an answer": (no_generation_prompt, Defect.wrong_template),
    "positions of a text": (text_positions, Defect.lost_positions),
    "pages shrunk to two squares": (tiny_pages, Defect.wrong_processor_size),
    "another number of patches in a square": (other_patches, Defect.wrong_processor_size),
    "labels shifted by one": (rolled_labels, Defect.shifted_labels),
    "labels of the prompt": (whole_text_as_labels, Defect.unmasked_prompt),
    "answers without their end": (no_end, Defect.endless_answers),
    "the same answer for all pages": (constant_answers, Defect.text_only_answers),
    "answers that are in the prompt": (answers_in_the_prompt, Defect.text_only_answers),
    "a vision tower that is not connected": (dead_projector, Defect.page_without_effect),
}


@pytest.mark.parametrize(("plant", "defect"), PLANTED.values(), ids=PLANTED)
def test_a_planted_defect_is_named(plant, defect, setup):
    plant(setup)
    with pytest.raises(UserError, match=rf"^{defect}: ") as caught:
        setup.check()
    assert caught.value.reason is FailureReason.PreflightFailed
    assert "preflight.enabled" in caught.value.remedy


@pytest.mark.parametrize("distance", [1, 3])
def test_pages_of_other_rows_are_named(distance, reader):
    pages = [(row.images, row.sizes, row.image_hashes) for row in reader.examples]
    pages = [*pages[distance:], *pages[:distance]]
    reader.examples = [
        replace(row, images=images, sizes=sizes, image_hashes=hashes)
        for row, (images, sizes, hashes) in zip(reader.examples, pages, strict=True)
    ]
    with pytest.raises(UserError, match=f"^{Defect.swapped_images}: "):
        reader.check()


# Sound set-ups


def answers(function):
    return lambda setup: setup.change_rows(lambda index, row: replace(row, completion=function(index)))


def as_lines(setup):
    def values(row):
        return "\n".join(str(value) for _, value in leaves(json.loads(row.completion)))

    setup.change_rows(lambda _, row: replace(row, completion=values(row)))


def prompts(*turns):
    return lambda setup: setup.change_rows(lambda _, row: replace(row, turns=turns))


def some_without_page(setup):
    empty = {"images": (), "sizes": (), "image_hashes": ()}
    plain = replace(setup.examples[0].row, turns=(Turn("user", "What is this?"),), images=())
    setup.examples[::3] = [replace(row, row=plain, **empty) for row in setup.examples[::3]]


def only_texts(setup):
    some_without_page(setup)
    setup.examples = setup.examples[::3]


def first_rows(count):
    def change(setup):
        setup.examples = setup.examples[:count]

    return change


def the_same_page_in_all(setup):
    first = setup.examples[0]
    setup.examples = [
        replace(row, images=first.images, sizes=first.sizes, image_hashes=first.image_hashes)
        for row in setup.examples
    ]


def two_pages(setup):
    setup.change_rows(lambda _, row: replace(row, turns=(Turn("user", "Both pages.", 2),)))
    rows = setup.examples
    setup.examples = [
        replace(
            row,
            images=row.images + other.images,
            sizes=row.sizes + other.sizes,
            image_hashes=row.image_hashes + other.image_hashes,
        )
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)
    ]


def pages_of(size):
    def change(setup):
        folder = setup.examples[0].images[0].parent / f"{size[0]}x{size[1]}"
        folder.mkdir(exist_ok=True)
        for index, row in enumerate(setup.examples):
            path = folder / f"{index}.png"
            with Image.open(row.images[0]) as page:
                page.resize(size).save(path)
            setup.examples[index] = replace(
                row, images=(path,), sizes=(size,), image_hashes=(hash_image(path),)
            )

    return change


def ending(text):
    def change(setup):
        template = setup.family.processing.chat_template
        old = '{{- "Assistant: " -}}\n{%- endif'
        assert old in template
        setup.family.processing.chat_template = template.replace(old, "{{- " + repr(text) + " -}}\n{%- endif")

    return change


def adapter(**options):
    def change(setup):
        config = LoraConfig(target_modules=r".*language_model.*q_proj", lora_dropout=0.9, **options)
        setup.model = get_peft_model(setup.model, config)
        setup.model.train()

    return change


def half_precision(setup):
    setup.model.to(torch.bfloat16)


SYSTEM = (Turn("system", "Be brief."), Turn("user", "Read.", 1))
CHAT = (Turn("user", "Look.", 1), Turn("assistant", "I see a page."), Turn("user", "Read."))
SOUND: dict[str, Callable[[Setup], object]] = {
    "rows of the sample": lambda setup: None,
    "plain text": as_lines,
    "classes": answers(lambda index: ("invoice", "receipt")[index % 2]),
    "a class named in the prompt": lambda setup: (
        prompts(Turn("user", "Is it an invoice or a receipt?", 1))(setup),
        answers(lambda index: ("invoice", "receipt")[index % 2])(setup),
    ),
    "tables": answers(lambda index: f"<fcel>Tea<fcel>{index}.50<nl>"),
    "spaces around answers": answers(lambda index: f"\n {json.dumps({'total': index})} \n"),
    "a system message": prompts(*SYSTEM),
    "several messages": prompts(*CHAT),
    "some rows without page": some_without_page,
    "only texts": only_texts,
    "one row": first_rows(1),
    "two rows": first_rows(2),
    "the same page in all rows": the_same_page_in_all,
    "two pages": two_pages,
    "large scans": pages_of((1200, 1600)),
    "small pages": pages_of((56, 56)),
    "the end of PaddleOCR-VL 1.5's prompt": ending("Assistant:\n"),
    "a new adapter with dropout": adapter(),
    "an adapter that is trained": adapter(init_lora_weights=False),
    "bfloat16": half_precision,
}


@pytest.mark.parametrize("prepare", SOUND.values(), ids=SOUND)
def test_a_sound_training_is_not_stopped(prepare, setup):
    prepare(setup)
    modes, state = [module.training for module in setup.model.modules()], torch.get_rng_state()
    setup.check()
    assert [module.training for module in setup.model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)


READS: dict[str, Callable[[Setup], object]] = {
    name: SOUND[name] for name in ("rows of the sample", "classes", "plain text")
}


@pytest.mark.parametrize("prepare", READS.values(), ids=READS)
def test_a_sound_training_of_a_model_that_reads_is_not_stopped(prepare, reader):
    prepare(reader)
    reader.check()


def test_a_text_model_is_checked_too(text_model):
    source = ModelSource(str(text_model))
    rows = [Row((Turn("user", f"Read {n}."),), f'{{"total": {n}}}') for n in range(9)]
    setup = Setup(source, [])
    setup.examples = [Example(row, f"rows.jsonl:{index}") for index, row in enumerate(rows)]
    setup.check()
    whole_text_as_labels(setup)
    with pytest.raises(UserError, match=Defect.unmasked_prompt):
        setup.check()
