import json
import logging

import pytest
import torch

from finscribe_core.errors import RetryableError, UserError
from finscribe_core.trainer_config import DocumentMetric, TrainerConfig
from finscribe_trainer.evaluation.generation import AnswerGenerator
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.checkpoints import read_checkpoint
from finscribe_trainer.training.fit import Trained, fit
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train


@pytest.fixture
def config(sample, tmp_path):
    return {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "output_dir": str(tmp_path / "out"),
        "training": {
            "learning_rate": 0.01,
            "max_steps": 3,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 1,
            "eval_steps": 1,
            "logging_steps": 1,
            "lr_scheduler_type": "constant",
            "dataloader_num_workers": 0,
        },
        "evaluation": {"training_documents": 3, "max_new_tokens": 8},
    }


@pytest.fixture
def quickly_learned(config, tmp_path):
    """A config with four rows of one short answer, which the tiny model learns within some steps."""
    rows = [
        {"instruction": "Read", "input": word, "output": '{"invoice_number": "INV"}'}
        for word in ("total", "desk", "lamp", "paper")
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return {
        **config,
        "dataset_path": str(path),
        "validation_path": str(path),
        "training": {**config["training"], "learning_rate": 0.02, "max_steps": 60, "eval_steps": 4},
        "lora": {"target_modules": modules, "r": 64},
        "evaluation": {"training_documents": 4},
    }


def run_fit(
    data: dict, resume: str | None = None, stop: StopSignal | None = None
) -> tuple[Trained, RunReporter]:
    config = TrainerConfig.model_validate(data)
    source = ModelSource(config.model_name_or_path)
    family = load_family(source)
    storage = Storage.from_config(config.storage)
    run = Run(config, "", resume, RunReporter(run="", job=""), stop or StopSignal())
    splits = load_splits(config, run.output_dir, storage)
    checkpoint = read_checkpoint(run.output_dir / resume) if resume else None
    model = load_adapted_model(config, source, family)
    return fit(run, model, family, splits, checkpoint, storage), run.reporter


def evaluations(trained: Trained) -> dict[int, dict]:
    return {entry["step"]: entry for entry in trained.state.log_history if "eval_loss" in entry}


def test_evaluating_documents_changes_no_weight(config, tmp_path):
    config["training"]["gradient_checkpointing"] = True
    weights = []
    for count in (0, 3):
        changed = {
            **config,
            "evaluation": {"training_documents": count, "max_new_tokens": 8},
            "output_dir": str(tmp_path / str(count)),
        }
        model = run_fit(changed)[0].model
        weights.append({name: weight for name, weight in model.named_parameters() if "lora" in name})
    assert weights[0]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_every_metric_is_in_the_history_and_those_of_the_guide_are_logged_and_reported(config, caplog):
    with caplog.at_level(logging.INFO, "finscribe_trainer"):
        trained, reporter = run_fit(config)
    names = {f"eval_{metric}" for metric in DocumentMetric}
    assert all(names <= entry.keys() for entry in evaluations(trained).values())
    assert {f"base_{name}" for name in names} <= trained.base.keys()
    assert any(
        names <= {key.removeprefix("base_") for key in e} for e in trained.state.log_history if e["step"] == 0
    )
    lines = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("{'eval_loss': ") and "'eval_field_accuracy': 0.0, 'eval_teds_score': 0.0" in line
        for line in lines
    )
    assert any(
        line.startswith("{'base_eval_loss': ") and "'base_eval_field_accuracy'" in line for line in lines
    )
    assert reporter.snapshot().metrics.eval_validation_pass_rate == "0"


def test_the_best_adapter_is_the_first_with_the_best_metric_and_training_stops_without_improvement(
    quickly_learned,
):
    quickly_learned["early_stopping"] = {"metric": "eval_field_accuracy", "patience": 2}
    trained, reporter = run_fit(quickly_learned)
    history = evaluations(trained)
    accuracies = {step: entry["eval_field_accuracy"] for step, entry in history.items()}
    first = min(step for step, accuracy in accuracies.items() if accuracy == 1)
    assert trained.base["base_eval_field_accuracy"] == 0
    assert trained.state.best_global_step == first
    assert trained.stopped_early
    assert max(history) == first + 2 * 4
    assert trained.best_loss == history[first]["eval_loss"]
    assert float(reporter.snapshot().metrics.eval_field_accuracy) == accuracies[max(history)]


def test_early_stopping_by_a_document_metric_continues_after_a_resume(quickly_learned, tmp_path):
    quickly_learned["early_stopping"] = {"metric": "eval_field_accuracy", "patience": 2}
    quickly_learned["training"]["save_total_limit"] = 9
    whole, _ = run_fit(quickly_learned)
    resumed, _ = run_fit(quickly_learned, resume=f"checkpoint-{whole.state.best_global_step}")
    assert resumed.state.global_step == whole.state.global_step
    assert resumed.state.best_global_step == whole.state.best_global_step
    assert resumed.base == whole.base


def test_a_stop_while_documents_are_evaluated_saves_a_checkpoint_without_their_metrics(
    config, tmp_path, monkeypatch
):
    stop, generate, calls = StopSignal(), AnswerGenerator._generate, []

    def stop_in_the_second_evaluation(generator, examples):
        calls.append(examples)
        if len(calls) == 2:  # the first was that of the base model
            stop.requested.set()
        return generate(generator, examples)

    monkeypatch.setattr(AnswerGenerator, "_generate", stop_in_the_second_evaluation)
    with pytest.raises(RetryableError, match="checkpoint saved after step 1"):
        run_fit(config, stop=stop)
    checkpoint = read_checkpoint(tmp_path / "out" / "checkpoint-1")
    assert checkpoint.logged("base_eval_field_accuracy")
    assert not checkpoint.logged("eval_")
    assert checkpoint.state["best_metric"] is None


def test_a_metric_that_applies_to_no_document_is_rejected_before_the_first_step(quickly_learned):
    quickly_learned["early_stopping"] = {"metric": "eval_teds_score"}
    with pytest.raises(UserError, match="eval_teds_score applies to none of the 4 validation documents"):
        run_fit(quickly_learned)
