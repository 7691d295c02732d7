"""The three models of the benchmark, and the rows that each is trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks.learning_rate.training import train
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource
from tools.random_model import build_tokenizer, write_random_model

_ALL_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def random_weights(folder: Path) -> TrainerConfig:
    """A tiny PaddleOCR-VL with random weights; adapters on all linear layers."""
    texts = write_dataset(folder, num_rows=48, num_validation_rows=16, seed=1, text_row_every=8)
    write_random_model(folder / "model", texts, seed=1)
    return _config(folder, {"r": 16, "target_modules": _ALL_LAYERS})


def text_only(folder: Path) -> TrainerConfig:
    """A Llama of two layers with random weights, on the texts of invoices."""
    texts = write_dataset(folder, num_rows=48, num_validation_rows=16, seed=3, text_row_every=1)
    tokenizer = build_tokenizer(texts)
    sizes: dict[str, Any] = {
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    torch.manual_seed(3)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return _config(folder, {"r": 16, "target_modules": _ALL_LAYERS})


def fine_tuned(folder: Path) -> TrainerConfig:
    """The first model after a short training on other invoices, with a new adapter of a lower rank."""
    config = random_weights(folder / "earlier")
    earlier = config.model_copy(update={"training": config.training.model_copy(update={"max_steps": 40})})
    merged: PreTrainedModel = train(earlier, 5e-3).model.merge_and_unload()
    merged.save_pretrained(folder / "model")
    load_family(ModelSource(config.model_name_or_path)).processing.save_pretrained(folder / "model")
    write_dataset(folder, num_rows=48, num_validation_rows=16, seed=2, text_row_every=8)
    return _config(folder, {"r": 8, "target_modules": _ALL_LAYERS})


MODELS: dict[str, Callable[[Path], TrainerConfig]] = {
    "PaddleOCR-VL, random weights": random_weights,
    "PaddleOCR-VL, fine-tuned before": fine_tuned,
    "Llama, random weights": text_only,
}


def _config(folder: Path, lora: dict[str, Any]) -> TrainerConfig:
    return TrainerConfig.model_validate(
        {
            "model_name_or_path": str(folder / "model"),
            "dataset_path": str(folder / "train.jsonl"),
            "validation_path": str(folder / "val.jsonl"),
            "output_dir": str(folder / "out"),
            "lora": lora,
            "training": {
                "max_steps": 60,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 1,
                "gradient_checkpointing": False,
                "dataloader_num_workers": 0,
            },
            "evaluation": {"enabled": False, "training_documents": 0},
        }
    )
