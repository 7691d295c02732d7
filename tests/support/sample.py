"""The synthetic invoices and the tiny models of the tests, as fixtures.

Only tests that use one of them import torch; tests of the operator do not.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.runtime.garbage import imports_excluded

if TYPE_CHECKING:
    from finscribe_trainer.data.dataset import Dataset, Example
    from finscribe_trainer.model.families.base import Family
    from finscribe_trainer.model.source import ModelSource


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight training rows and four validation rows, the fourth of each without image, and the tiny model.

    All tests of a worker share the folder: a test that changes a file copies it first.
    """
    with imports_excluded():
        from finscribe_trainer.data_tools.sample.dataset import write_dataset
        from tools.random_model import write_random_model

    folder = tmp_path_factory.mktemp("sample")
    texts = write_dataset(folder, num_rows=8, num_validation_rows=4, seed=1, text_row_every=8)
    write_random_model(folder / "model", texts, seed=1)
    return folder


@pytest.fixture(scope="session")
def text_model(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal language model without chat template and without padding token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tools.random_model import build_tokenizer

    folder = tmp_path_factory.mktemp("text-model")
    tokenizer = build_tokenizer([(sample / "train.jsonl").read_text()])
    tokenizer.pad_token = None
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def source(sample: Path) -> "ModelSource":
    """The location of the tiny model."""
    from finscribe_trainer.model.source import ModelSource

    return ModelSource(str(sample / "model"))


@pytest.fixture(scope="session")
def family(source: "ModelSource") -> "Family":
    """The processor and tokenizer of the tiny model."""
    from finscribe_trainer.model.families.registry import load_family

    return load_family(source)


@pytest.fixture(scope="session")
def dataset(sample: Path) -> "Dataset":
    """The training rows."""
    from finscribe_trainer.data.dataset import load_dataset
    from finscribe_trainer.data.files import DataFile

    return load_dataset(DataFile(sample / "train.jsonl", "train.jsonl"), max_image_pixels=10**6)


@pytest.fixture(scope="session")
def several_images(dataset: "Dataset") -> "Example":
    """A row with two images beside each other, of two sizes, and a third in its second turn."""
    from finscribe_trainer.data.rows import Turn

    first, second = (example for example in dataset.examples[:2])
    turns = (Turn("user", "Compare.", 2), Turn("assistant", "Done."), Turn("user", "And this?", 1))
    return replace(
        first,
        row=replace(first.row, turns=turns),
        images=(*first.images, *second.images, *first.images),
        sizes=(*first.sizes, *second.sizes, *first.sizes),
        image_hashes=(*first.image_hashes, *second.image_hashes, *first.image_hashes),
    )


@pytest.fixture
def config(sample: Path, tmp_path: Path) -> TrainerConfig:
    """Three steps with the tiny model; tests change single settings."""
    return TrainerConfig.model_validate(
        {
            "model_name_or_path": str(sample / "model"),
            "dataset_path": str(sample / "train.jsonl"),
            "validation_path": str(sample / "val.jsonl"),
            "output_dir": str(tmp_path / "out"),
            "training": {
                "learning_rate": 5e-3,
                "max_steps": 3,
                "per_device_train_batch_size": 2,
                "gradient_accumulation_steps": 2,
                "eval_steps": 1,
                "logging_steps": 1,
                "gradient_checkpointing": False,
                "dataloader_num_workers": 0,
            },
            "preflight": {"enabled": False},  # a second of each test
            "evaluation": {"enabled": False, "training_documents": 0},
        }
    )
