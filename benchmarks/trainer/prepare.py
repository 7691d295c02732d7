"""Prepares the input of all training programs: model, rows in training order, and initial adapter.

`python -m benchmarks.trainer.prepare SETTINGS SHAPE ROWS`; SHAPE is empty if the settings name an existing
model, ROWS if documents are to be generated. Also writes facts.json.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from random import Random

import torch

from benchmarks.trainer.facts import Facts
from benchmarks.trainer.programs.ours import config
from benchmarks.trainer.settings import Settings, read_settings
from benchmarks.trainer.shapes import SHAPES, write_model
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.cli.generate import generate
from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.table_images import write_image
from finscribe_trainer.data_tools.synthetic.content import make_document
from finscribe_trainer.data_tools.synthetic.locales import LOCALES
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, to_answer
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.training.sampler import DataOrder

NUM_VALIDATION_ROWS = 2
_NUM_TEXTS = 300
"""Synthetic answers from which the tokenizer of a random model is trained."""


def prepare(settings: Settings, shape: str, rows: str) -> None:
    """Write everything into the settings' folder."""
    num_rows = settings.num_rows + NUM_VALIDATION_ROWS
    template = SHAPES[shape].template if shape else "all"
    examples = _examples(Path(rows) if rows else _generate_rows(settings, num_rows, template), num_rows)
    train, validation = examples[: settings.num_rows], examples[settings.num_rows :]
    order = DataOrder(len(train), settings.seed)
    epochs = [order.of(epoch) for epoch in range(settings.num_epochs)]
    (settings.folder / "images").mkdir()
    _write_rows(settings.rows, train)
    _write_rows(settings.validation_rows, validation)
    _write_rows(settings.ordered_rows, [train[row] for epoch in epochs for row in epoch])
    if shape:
        texts = [example.row.completion for example in examples] + _answers(settings.seed)
        dtype = torch.bfloat16 if settings.bf16 else torch.float32
        write_model(Path(settings.model), SHAPES[shape], texts, seed=settings.seed, dtype=dtype)
    _write_adapter_and_facts(settings, train)


def _generate_rows(settings: Settings, num_rows: int, template: str) -> Path:
    """Generate documents with `finscribe data generate`."""
    folder = settings.folder / "generated"
    options = {
        "--output-dir": folder,
        "--count": num_rows,
        "--template-set": template,
        "--splits": "1,0,0",
        "--degrade": "light",
        "--seed": settings.seed,
        "--workers": 1,
    }
    generate.main([str(text) for pair in options.items() for text in pair], standalone_mode=False)
    return folder / "train.jsonl"


def _examples(file: Path, num_rows: int) -> list[Example]:
    """The first rows that have one prompt and one image."""
    found = load_dataset(DataFile(file, str(file)), max_image_pixels=50_000_000).examples
    fit = [example for example in found if len(example.images) == len(example.row.turns) == 1]
    if len(fit) < num_rows:
        sys.exit(
            f"{file} has {len(fit)} rows of one prompt and one image; {num_rows} are needed, the last "
            f"{NUM_VALIDATION_ROWS} of which for validation. Lower --num-rows."
        )
    return fit[:num_rows]


def _write_rows(file: Path, examples: list[Example]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for example in examples:
            [image], [turn] = example.images, example.row.turns
            copy = file.parent / "images" / image.name
            if not copy.exists():
                write_image(image, copy)
            row = {"prompt": turn.text, "image": f"images/{image.name}", "completion": example.row.completion}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _answers(seed: int) -> list[str]:
    random, locales = Random(seed), list(LOCALES.values())  # noqa: S311 - synthetic documents, not secrets
    kinds = [random.choice(DOCUMENT_TYPES) for _ in range(_NUM_TEXTS)]
    return [to_answer(make_document(kind, random.choice(locales), random).document) for kind in kinds]


def _write_adapter_and_facts(settings: Settings, train: list[Example]) -> None:
    """Write the adapter with which FinScribe starts at this seed, and the sizes."""
    source = ModelSource(settings.model)
    family = load_family(source)
    spec = TrainerConfig.model_validate(config(settings, settings.folder / "unused"))
    model = load_adapted_model(spec, source, family)
    model.save_pretrained(str(settings.initial_adapter))
    trained, total = model.get_nb_trainable_parameters()
    vision = sum(weight.numel() for name, weight in model.named_parameters() if ".visual." in name)
    facts = Facts(total - trained, vision, trained, *_tokens(family, train))
    (settings.folder / Facts.FILE).write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")


def _tokens(family: Family, train: list[Example]) -> tuple[int, int]:
    prompts = sum(family.count_prompt_tokens(example) for example in train)
    return prompts, sum(family.count_tokens(example) for example in train) - prompts


if __name__ == "__main__":
    prepare(read_settings(Path(sys.argv[1])), sys.argv[2], sys.argv[3])
