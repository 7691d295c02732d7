"""Model cards of an adapter and of its merged model, from given metrics and settings."""

from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.evaluation.results import write_results
from finscribe_trainer.pipeline.final_evaluation import BASE_RESULTS, TUNED_RESULTS
from finscribe_trainer.pipeline.model_card.adapter import CARD_FILE
from finscribe_trainer.pipeline.model_card.usage import Usage, how_to_use
from finscribe_trainer.pipeline.model_card.write import write_cards
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR, EVALUATION_DIR, MERGED_DIR
from tests.support.comparison import results_of

FOLDER = Path(__file__).parent / "model_card"
SECRET = "s3-secret-key"  # of the environment; nothing of it belongs into a card
CONFIG = TrainerConfig(
    model_name_or_path="hf://PaddlePaddle/PaddleOCR-VL",
    dataset_path="s3://team-docs/invoices/train.jsonl",
    validation_path="/home/someone/val|2.jsonl",
    output_dir="/home/someone/out",
    output_uri="s3://team-models/invoices",
)
USAGE = Usage(
    base="PaddlePaddle/PaddleOCR-VL",
    revision="0123abcd",
    prompt='Read this "invoice" as JSON.\nAnswer with nothing else.',
    reads_images=True,
    has_chat_template=True,
)
METRICS = {
    "run": "invoices-7f3c9a",
    "method": "LoRA",
    "base_eval_loss": 2.3456,
    "best_eval_loss": 0.1234,
    "best_step": 300,
    "steps": 350,
    "total_steps": 500,
    "epoch": 3.5,
    "stopped_early": True,
    "dataset": {
        "train": CONFIG.dataset_path,
        "train_rows": 800,
        "train_rows_with_images": 796,
        "train_sha256": "a" * 64,
        "validation": CONFIG.validation_path,
        "validation_rows": 40,
        "validation_sha256": "b" * 64,
        "rows_left_out": 2,
    },
    "evaluation": {
        "documents": 20,
        "gate": {"passed": True, "message": "field_accuracy 0.950 is at least 0.900."},
    },
    "versions": {"finscribe": "0.1.0", "torch": "2.15.0", "python": "3.11.9"},
}
RIGHT = {"document_type": "receipt", "financial_summary": {"grand_total": 12.5, "currency": "EUR"}}
WRONG = {"document_type": "receipt", "financial_summary": {"grand_total": 99.5}}


@pytest.fixture
def cards(tmp_path, monkeypatch) -> dict[str, str]:
    """The contents of both cards, for a run with a final evaluation."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for name in (ADAPTER_DIR, MERGED_DIR):
        (tmp_path / name).mkdir()
    for name, answer in ((BASE_RESULTS, WRONG), (TUNED_RESULTS, RIGHT)):
        write_results(results_of(name, [(RIGHT, answer)] * 20), tmp_path / EVALUATION_DIR / name)
    write_cards(tmp_path, METRICS["run"], CONFIG, METRICS, USAGE)
    return {name: (tmp_path / name / CARD_FILE).read_text() for name in (ADAPTER_DIR, MERGED_DIR)}


@pytest.mark.parametrize("name", [ADAPTER_DIR, MERGED_DIR])
def test_cards_equal_the_golden_files(cards, name, update_golden):
    path = FOLDER / f"{name}.md"
    if update_golden:
        path.write_text(cards[name], encoding="utf-8")
    assert path.read_text(encoding="utf-8") == cards[name], f"{name}: --update-golden?"


def test_the_hub_parses_metrics_and_base_model_of_a_card(cards):
    for name, library, relation in (
        (ADAPTER_DIR, "peft", "adapter"),
        (MERGED_DIR, "transformers", "finetune"),
    ):
        data = ModelCard(cards[name]).data
        assert (data.library_name, data.base_model_relation) == (library, relation)
        assert data.base_model == "PaddlePaddle/PaddleOCR-VL"
        metrics = {result.metric_type: result.metric_value for result in data.eval_results}
        assert metrics["field_accuracy"] == 1.0
        assert data["prompt"] == USAGE.prompt


def test_a_card_contains_no_paths_answers_or_secrets(cards):
    for text in cards.values():
        for private in ("team-docs", "team-models", "/home/", SECRET, "99.5"):
            assert private not in text


@pytest.mark.parametrize("base", ["/home/someone/models/invoices-base", "s3://team-models/invoices-base"])
def test_a_base_model_that_is_not_on_the_hub_is_named_by_its_last_path_component(tmp_path, base):
    for name in (ADAPTER_DIR, MERGED_DIR):
        (tmp_path / name).mkdir()
    metrics = {**METRICS, "evaluation": None}
    write_cards(tmp_path, METRICS["run"], CONFIG, metrics, replace(USAGE, base=base, revision=None))
    for name in (ADAPTER_DIR, MERGED_DIR):
        text = (tmp_path / name / CARD_FILE).read_text()
        assert base.removesuffix("invoices-base") not in text
        assert "`invoices-base`" in text


def test_the_code_of_an_adapters_card_finds_the_built_in_base_model_in_the_package():
    usage = replace(USAGE, base=BUILT_IN_MODEL, revision=None)
    code = how_to_use(usage).split("```")[1].removeprefix("python\n")
    line = next(line for line in code.splitlines() if line.startswith("base = "))
    assert "from_pretrained(find_built_in_model()" in line
    assert "from finscribe_trainer.model.built_in import find_built_in_model" in code
    assert "find_built_in_model" not in how_to_use(replace(usage, merged=True))
    assert (usage.base_on_hub, usage.base_name) == (None, BUILT_IN_MODEL)
