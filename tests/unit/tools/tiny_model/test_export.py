"""The exported folder is a model that transformers loads and generates with."""

import csv

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, PaddleOCRVLForConditionalGeneration

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw, to_image
from tools.tiny_model.export import export
from tools.tiny_model.pages import PageSize
from tools.tiny_model.stages import Part, Stage
from tools.tiny_model.train import Training


@pytest.mark.train
def test_an_exported_model_loads_and_answers_as_measured(tmp_path):
    training = Training(tmp_path, 0, (Stage("lines", (Part(PageSize(8, 1), 2),), 1),))
    training.run(stop=lambda: False)
    folder = tmp_path / "export"

    [measured] = export(training, folder, pages=2)

    assert (folder / "model.safetensors").stat().st_size < 10_000_000
    assert f"{measured.rates.transcription:.2%}" in (folder / "README.md").read_text(encoding="utf-8")
    with (folder / "errors.csv").open(encoding="utf-8") as file:
        assert [row["size"] for row in csv.DictReader(file)] == ["8x1"]
    processor = AutoProcessor.from_pretrained(folder)
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    page = to_image(draw(character_indices([["12.50 € "]]), np.random.default_rng(0))[0])
    content = [{"type": "image", "image": page}, {"type": "text", "text": "OCR:"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    assert model.generate(**inputs, max_new_tokens=3).shape[1] <= inputs["input_ids"].shape[1] + 3
