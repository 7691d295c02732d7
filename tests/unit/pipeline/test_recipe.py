import json
import os

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.report import Phase
from finscribe_core.trainer_config import LrScheduler, OutputFormat, PreflightSpec, TrainerConfig
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.merge import check_merge
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.checkpoints import read_checkpoint
from finscribe_trainer.training.fit import fit
from finscribe_trainer.training.run import Run
from tests.support.checkpoint import write_checkpoint


def start(
    config: TrainerConfig, resume: str | None = None, stop: StopSignal | None = None, name: str = ""
) -> Run:
    reporter = RunReporter(run="", job="")
    return Run(config, name=name, resume=resume, reporter=reporter, stop=stop or StopSignal())


def with_training(config: TrainerConfig, **changes: object) -> TrainerConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


@pytest.mark.train
def test_a_run_writes_adapter_merged_model_config_and_metrics(config, tmp_path):
    both = config.model_copy(update={"output_formats": [OutputFormat.Adapter, OutputFormat.Merged]})
    result = train(start(both))
    out = tmp_path / "out"
    metrics = json.loads((out / "metrics.json").read_text())
    assert result.succeeded
    assert result.progress.step == result.progress.total_steps == 3
    assert metrics["best_eval_loss"] < metrics["base_eval_loss"]
    assert [entry["step"] for entry in metrics["eval_history"]] == [1, 2, 3]
    assert metrics["dataset"]["train_rows"] == 8
    assert metrics["dataset"]["train_rows_with_images"] == 7
    assert metrics["dataset"]["validation_rows_with_images"] == 3
    assert "7 of 8 training samples have images" in result.message
    assert TrainerConfig.model_validate(yaml.safe_load((out / "config.yaml").read_text())) == both
    assert "model.safetensors" in {path.name for path in (out / "merged_model").iterdir()}
    adapter = json.loads((out / "final_model" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == config.model_name_or_path
    assert not [path.name for path in (out / "final_model").iterdir() if path.suffix in (".bin", ".pt")]


@pytest.mark.parametrize(("place", "why"), [("file", "Not a directory"), ("loop", "Too many levels")])
def test_an_output_folder_that_cant_be_created_is_a_user_error(config, tmp_path, place, why):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    below = config.model_copy(update={"output_dir": str(tmp_path / place / "out")})

    with pytest.raises(UserError, match=f"{place}/out can't be used: {why}"):
        train(start(below))


@pytest.mark.train
def test_rows_and_tokens_are_counted_once_for_any_batches(config, family, dataset):
    # Each of the eight rows once: a step of three and three, and a step of two.
    run = start(with_training(config, max_steps=2, per_device_train_batch_size=3))
    train(run)
    counted = [
        run.reporter.prometheus.registry.get_sample_value(name, {"finetunejob": "", "run": ""})
        for name in ("finscribe_samples_total", "finscribe_tokens_total")
    ]
    assert counted == [8, sum(family.count_tokens(example) for example in dataset.examples)]


@pytest.mark.train
@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 1), (1.25, 3)])
def test_a_fraction_of_an_epoch_is_as_many_steps_as_in_hugging_face(config, epochs, steps):
    # Eight rows, four for each step: two steps per epoch.
    fraction = with_training(config, max_steps=None, num_train_epochs=epochs, eval_steps=steps)
    result = train(start(fraction))
    assert (result.progress.step, result.progress.total_steps) == (steps, steps)


@pytest.mark.train
def test_the_best_adapter_is_exported_not_the_last(config, tmp_path, write_rows):
    # Characters that no training answer contains: their loss rises during the training.
    rows = write_rows({"instruction": "Read this invoice as JSON.", "output": 30 * "~^`@%&#"})
    unlike = config.model_copy(update={"validation_path": str(rows.path)})
    train(start(with_training(unlike, lr_scheduler_type=LrScheduler.constant)))
    out = tmp_path / "out"
    metrics = json.loads((out / "metrics.json").read_text())
    losses = {entry["step"]: entry["eval_loss"] for entry in metrics["eval_history"]}
    assert metrics["best_step"] == min(losses, key=losses.__getitem__) == 1
    exported = load_file(out / "final_model" / "adapter_model.safetensors")
    last = load_file(out / "checkpoint-3" / "adapter_model.safetensors")
    best = load_file(out / f"checkpoint-{metrics['best_step']}" / "adapter_model.safetensors")
    assert all(torch.equal(exported[name], best[name]) for name in best)
    assert not all(torch.equal(exported[name], last[name]) for name in last)


@pytest.mark.train
def test_the_validation_loss_is_averaged_over_tokens_not_batches(config, family, source, tmp_path):
    splits = load_splits(config, tmp_path, Storage.from_config(config.storage))
    losses = []
    for batch_size in (1, 3):
        changed = with_training(config, per_device_eval_batch_size=batch_size, max_steps=1)
        run = start(changed.model_copy(update={"output_dir": f"{config.output_dir}-{batch_size}"}))
        model = load_adapted_model(run.config, source, family)
        trained = fit(run, model, family, splits, None, Storage.from_config(config.storage))
        losses.append(trained.base["base_eval_loss"])
    batch = family.model_inputs(family.collate([family.encode(example) for example in splits.validation]))
    with torch.no_grad():
        total, count = answer_loss(family.load_model(source), batch)
    assert losses == pytest.approx([float(total / count)] * 2, rel=1e-5)


@pytest.mark.train
def test_gradient_accumulation_gives_the_same_steps(config, tmp_path):
    """Two batches of two rows give the step of one batch of four, with answers of different lengths."""
    adapters = []
    for size, accumulation in ((4, 1), (2, 2)):
        changed = with_training(
            config,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            max_steps=1,
            warmup_ratio=0.0,
        )
        no_dropout = changed.lora.model_copy(update={"dropout": 0.0})
        out = tmp_path / f"out-{size}"
        train(start(changed.model_copy(update={"output_dir": str(out), "lora": no_dropout})))
        history = json.loads((out / "metrics.json").read_text())["train_history"]
        adapters.append((history[0]["loss"], history[0]["grad_norm"]))
    assert adapters[0] == pytest.approx(adapters[1], rel=1e-4)


@pytest.mark.train
def test_a_resumed_training_has_the_result_of_an_uninterrupted_one(config, tmp_path):
    whole = config.model_copy(update={"output_dir": str(tmp_path / "whole")})
    train(start(with_training(whole, max_steps=4)))
    checkpoint = tmp_path / "whole" / "checkpoint-3"
    assert read_checkpoint(checkpoint).step == 3
    result = train(start(with_training(config, max_steps=4), resume=str(checkpoint)))
    assert result.resumed_from == str(checkpoint)
    expected = load_file(tmp_path / "whole" / "final_model" / "adapter_model.safetensors")
    found = load_file(tmp_path / "out" / "final_model" / "adapter_model.safetensors")
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, msg=name)
    metrics = [json.loads((tmp_path / d / "metrics.json").read_text()) for d in ("whole", "out")]
    assert metrics[0]["base_eval_loss"] == metrics[1]["base_eval_loss"]
    assert [e["step"] for e in metrics[1]["eval_history"]] == [1, 2, 3, 4]


@pytest.mark.train
def test_a_checkpoint_of_the_last_step_needs_no_training(config, tmp_path):
    train(start(config))
    again = config.model_copy(update={"output_dir": str(tmp_path / "again")})
    result = train(start(again, resume=str(tmp_path / "out" / "checkpoint-3")))
    before, after = (
        load_file(tmp_path / d / "final_model" / "adapter_model.safetensors") for d in ("out", "again")
    )
    assert result.progress.step == 3
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("uploads", [False, True])
def test_checkpoints_of_an_earlier_training_are_kept_and_not_used(config, tmp_path, s3_env, uploads):
    earlier = write_checkpoint(tmp_path / "out" / "checkpoint-7", {"global_step": 7})
    (tmp_path / "out" / "checkpoint-8").mkdir()  # a run was killed while it wrote this
    (tmp_path / "out" / "checkpoint-9").mkdir()
    (tmp_path / "out" / "checkpoint-9" / "trainer_state.json").write_text("{}")
    (tmp_path / "out" / "config.yaml").write_text("as it was")
    if uploads:
        config = config.model_copy(update={"output_uri": f"s3://{s3_env.create_bucket()}/results"})
    with pytest.raises(UserError, match="holds checkpoints of an earlier training") as caught:
        train(start(config, name="local-now" if uploads else ""))
    assert f"--resume {earlier} " in caught.value.remedy
    assert earlier.is_dir()
    assert (tmp_path / "out" / "config.yaml").read_text() == "as it was"


@pytest.mark.train
def test_a_checkpoint_of_another_adapter_is_rejected_without_changes(config, tmp_path):
    train(start(with_training(config, max_steps=1)))
    before = (tmp_path / "out" / "config.yaml").read_text()
    wider = config.model_copy(update={"lora": config.lora.model_copy(update={"r": 5})})

    with pytest.raises(UserError, match=r"another shape or model: lora\.r was \d+ and is 5"):
        train(start(wider, resume=str(tmp_path / "out" / "checkpoint-1")))
    assert (tmp_path / "out" / "config.yaml").read_text() == before


DAMAGES = {
    "no state": lambda folder: (folder / "trainer_state.json").unlink(),
    "a state that is none": lambda folder: (folder / "trainer_state.json").write_text("[]"),
    "a state without a step": lambda folder: (folder / "trainer_state.json").write_text("{}"),
    "no optimizer": lambda folder: (folder / "optimizer.pt").unlink(),
    "an optimizer cut off": lambda folder: os.truncate(folder / "optimizer.pt", 150),
    "no schedule": lambda folder: (folder / "scheduler.pt").unlink(),
    "no weights": lambda folder: (folder / "adapter_model.safetensors").unlink(),
    "weights cut off": lambda folder: os.truncate(folder / "adapter_model.safetensors", 80),
    "no best adapter, though there was one": lambda folder: (folder / "best_adapter.safetensors").unlink(),
    "random numbers cut off": lambda folder: (folder / "rng_state.pth").write_bytes(b"PK"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_an_incomplete_checkpoint_is_rejected(damage, config, tmp_path):
    folder = write_checkpoint(tmp_path / "checkpoint-7", {"global_step": 7, "best_global_step": 3})
    assert read_checkpoint(folder).step == 7
    damage(folder)
    with pytest.raises(UserError, match="is not a complete checkpoint") as caught:
        train(start(config, resume=str(folder)))
    assert "omit --resume" in caught.value.remedy


def with_weights(sample, folder, part, value):
    """A copy of the model in which the first weights with this name have one value."""
    folder.mkdir()
    for path in (sample / "model").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(folder / "model.safetensors")
    changed = {name: torch.full_like(weight, value) for name, weight in weights.items() if part in name}
    save_file(weights | changed, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_a_nan_loss_ends_the_run(config, sample, tmp_path):
    broken = with_weights(sample, tmp_path / "model", "o_proj.weight", torch.nan)
    with pytest.raises(UserError, match="became NaN or infinite at step 0") as caught:
        train(start(config.model_copy(update={"model_name_or_path": str(broken)})))
    assert caught.value.reason is FailureReason.NonFiniteLoss


@pytest.mark.train
def test_a_defect_ends_a_run_before_its_first_step(config, sample, tmp_path):
    blind = with_weights(sample, tmp_path / "model", "mlp_AR", 0.0)
    checked = {"model_name_or_path": str(blind), "preflight": PreflightSpec()}
    run = start(config.model_copy(update=checked))
    with pytest.raises(UserError, match=r"^page without effect: ") as caught:
        train(run)
    assert caught.value.reason is FailureReason.PreflightFailed
    assert run.reporter.snapshot().progress.step == 0


@pytest.mark.train
def test_a_sound_run_is_not_changed_by_its_preflight(config, tmp_path):
    weights = []
    for name, enabled in (("with", True), ("without", False)):
        changes = {"output_dir": str(tmp_path / name), "preflight": PreflightSpec(enabled=enabled)}
        train(start(config.model_copy(update=changes)))
        weights.append((tmp_path / name / "final_model/adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_a_merge_with_different_logits_is_rejected(config, family, source, dataset, tmp_path):
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[0])]))
    model = family.load_model(source)
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    with torch.no_grad():
        logits = model(**inputs).logits[batch["labels"] != -100]
        check_merge_in(tmp_path / "same", model, family, batch, logits)
        next(p for n, p in model.named_parameters() if "language_model" in n and "q_proj" in n).mul_(1.5)
        with pytest.raises(UserError, match="differ from base plus adapter") as caught:
            check_merge_in(tmp_path / "corrupted", model, family, batch, logits)
    assert caught.value.reason is FailureReason.MergeMismatch


def check_merge_in(folder, model, family, batch, logits):
    model.save_pretrained(folder)
    check_merge(family, folder, [batch], [logits], torch.float32)


def test_a_stop_before_training_ends_at_once(config):
    stop = StopSignal()
    stop.requested.set()
    with pytest.raises(StopRequested):
        train(start(config, stop=stop))


@pytest.mark.train
def test_a_stop_during_training_saves_the_current_step(config, tmp_path, monkeypatch):
    stop = StopSignal()
    run = start(config, stop=stop)
    report_step = run.reporter.record_step

    def stop_after_one(step, total, epoch):
        report_step(step, total, epoch)
        if step == 1:
            stop.requested.set()

    monkeypatch.setattr(run.reporter, "record_step", stop_after_one)
    with pytest.raises(RetryableError, match="checkpoint saved after step") as caught:
        train(run)
    assert caught.value.reason is FailureReason.Interrupted
    saved = sorted(path.name for path in (tmp_path / "out").glob("checkpoint-*"))
    assert read_checkpoint(tmp_path / "out" / saved[-1]).step in (1, 2)


@pytest.mark.train
def test_an_evaluation_interrupted_at_the_last_step_is_repeated(config, tmp_path):
    """Otherwise an epoch's only evaluation could be lost, and with it the best adapter's metric."""
    stop = StopSignal()
    last_only = with_training(config, eval_steps=3, logging_steps=3)
    run = start(last_only, stop=stop)
    set_phase = run.reporter.set_phase

    def stop_in_evaluation(phase):
        set_phase(phase)
        if phase is Phase.Evaluating and run.reporter.snapshot().progress.step == 3:
            stop.requested.set()

    run.reporter.set_phase = stop_in_evaluation
    with pytest.raises(RetryableError, match="checkpoint saved after step 3"):
        train(run)
    again = last_only.model_copy(update={"output_dir": str(tmp_path / "again")})
    result = train(start(again, resume=str(tmp_path / "out" / "checkpoint-3")))
    metrics = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert [entry["step"] for entry in metrics["eval_history"]] == [3]
    assert metrics["best_eval_loss"] == metrics["eval_history"][0]["eval_loss"]
    assert metrics["best_step"] == 3
    assert result.metrics.eval_loss == result.metrics.best_eval_loss is not None
