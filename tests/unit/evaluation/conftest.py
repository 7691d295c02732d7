from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from finscribe_trainer.data.dataset import Example, load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.data_tools.sample.tiny_model import build_tokenizer, write_tiny_model
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """Five training rows (one without image), four validation rows (likewise), and the tiny model."""
    folder = tmp_path_factory.mktemp("sample")
    texts = write_dataset(folder, num_rows=5, num_validation_rows=4, seed=1)
    write_tiny_model(folder / "model", texts, seed=1)
    return folder


@pytest.fixture(scope="session")
def family(sample: Path) -> Family:
    return load_family(ModelSource(str(sample / "model")))


@pytest.fixture(scope="session")
def examples(sample: Path) -> list[Example]:
    return load_dataset(DataFile(sample / "train.jsonl", "train.jsonl"), max_image_pixels=10**6).examples


@pytest.fixture(scope="session")
def text_model(sample: Path, tmp_path_factory) -> Path:
    """A tiny causal language model without chat template and without padding token."""
    folder = tmp_path_factory.mktemp("text-model")
    tokenizer = build_tokenizer([(sample / "train.jsonl").read_text()])
    tokenizer.pad_token = None
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(1)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
