"""A training that starts from an adapter: which one is used, which one is refused, and what is reported."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.trainer_config import AdapterPolicy, LoraScope, TrainerConfig
from finscribe_trainer.model.adapter_fit import check_adapter_fits
from finscribe_trainer.model.initial_adapter import fetch_initial_adapter
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.pipeline.dry_run import dry_run
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.range_test.run import ExponentialSchedule
from finscribe_trainer.training.run import Run
from finscribe_trainer.tuning.lr_finder.range_test import run_range_test
from tests.support.storage import bucket, storage

__all__ = ["bucket", "storage"]
ADAPTER_CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def start(config: TrainerConfig, name: str = "", **settings: object) -> Run:
    return Run(config, name, None, RunReporter(run=name, job=""), StopSignal(), **settings)


def changed(config: TrainerConfig, **settings: object) -> TrainerConfig:
    """The config with other settings, those of `training` given as a dict."""
    training = config.training.model_copy(update=settings.pop("training", {}))
    return config.model_copy(update={**settings, "training": training})


def metrics_of(config: TrainerConfig) -> dict:
    return json.loads((Path(config.output_dir) / "metrics.json").read_text())


@pytest.fixture
def saved(config, source, family, tmp_path) -> Path:
    """An adapter whose weights have been trained: every one of them differs from a new adapter's."""
    model = load_adapted_model(config, source, family)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in (w for w in model.parameters() if w.requires_grad):
            weight.normal_(std=0.02)
    model.save_pretrained(str(tmp_path / "saved"))
    return tmp_path / "saved"


@pytest.fixture
def published(saved, storage, bucket, tmp_path) -> str:
    """The prefix of results in a bucket: of one run, which latest.json names."""
    shutil.copytree(saved, tmp_path / "run" / "adapter")
    run = f"s3://{bucket}/out/runs/r1"
    storage.publish_run(tmp_path / "run", run)
    storage.write_latest(f"s3://{bucket}/out", {"run": "r1", "uri": run})
    return f"s3://{bucket}/out"


@pytest.mark.train
def test_a_training_starts_at_the_loss_of_its_adapter_and_goes_on_from_there(config, tmp_path):
    train(start(config))
    first, adapter = metrics_of(config), str(tmp_path / "out" / "final_model")

    standing = changed(
        config,
        adapter_name_or_path=adapter,
        output_dir=str(tmp_path / "a"),
        training={"learning_rate": 1e-12},
    )
    result = train(start(standing))
    assert result.initial_adapter == metrics_of(standing)["initial_adapter"] == adapter
    assert result.message.endswith(f"started from {adapter}; result in {tmp_path / 'a'}.")
    assert metrics_of(standing)["base_eval_loss"] == first["base_eval_loss"]
    assert metrics_of(standing)["best_eval_loss"] == pytest.approx(first["best_eval_loss"], rel=1e-6)
    before, after = (load_file(Path(f) / WEIGHTS) for f in (adapter, tmp_path / "a" / "final_model"))
    assert all(torch.allclose(before[name], after[name], atol=1e-8) for name in before)
    card = (tmp_path / "a" / "final_model" / "README.md").read_text()
    assert "The training started from the adapter `final_model` of the same base model." in card

    further = changed(config, adapter_name_or_path=adapter, output_dir=str(tmp_path / "b"))
    train(start(further))
    assert metrics_of(further)["best_eval_loss"] < first["best_eval_loss"]


@pytest.mark.train
def test_a_resumed_training_keeps_its_adapter_though_latest_json_has_moved(
    config, published, storage, tmp_path, monkeypatch
):
    wanted = changed(
        config,
        adapter_name_or_path=f"{published}/latest.json",
        output_uri=f"{published}/again",
        training={"save_steps": 1},
    )
    train(start(changed(wanted, output_dir=str(tmp_path / "whole")), "whole"))

    interrupted = start(wanted, "resumed", may_have_begun=True)
    report_step = interrupted.reporter.record_step

    def stop_after_one(step: int, total: int, epoch: float) -> None:
        report_step(step, total, epoch)
        if step == 1:
            interrupted.stop.requested.set()

    monkeypatch.setattr(interrupted.reporter, "record_step", stop_after_one)
    with pytest.raises(RetryableError):
        train(interrupted)
    storage.write_latest(published, {"run": "r2", "uri": f"{published}/runs/r2"})

    in_another_pod = changed(wanted, output_dir=str(tmp_path / "other"))
    result = train(start(in_another_pod, "resumed", may_have_begun=True))

    assert result.resumed_from is not None
    assert result.initial_adapter == f"{published}/runs/r1/adapter"
    whole, resumed = (load_file(tmp_path / name / "final_model" / WEIGHTS) for name in ("whole", "other"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.fixture
def fetch(storage, tmp_path):
    """Fetches the adapter that a config names."""
    return lambda config: fetch_initial_adapter(config, tmp_path / "in", storage)


@pytest.mark.train
def test_a_learning_rate_range_test_starts_from_the_adapter(config, saved):
    losses = [
        run_range_test(tested, ExponentialSchedule(1e-6, 1e-5, 10), StopSignal()).losses[0]
        for tested in (config, named(config, saved), named(config, saved))
    ]
    assert losses[0] != losses[1] == losses[2]
    with pytest.raises(UserError, match=r"lora\.r is 4"):
        run_range_test(
            with_lora(r=4)(named(config, saved)), ExponentialSchedule(1e-6, 1e-5, 10), StopSignal()
        )


def named(config: TrainerConfig, name: object, policy: AdapterPolicy | None = None) -> TrainerConfig:
    return changed(config, adapter_name_or_path=str(name), adapter_policy=policy)


@pytest.mark.parametrize("name", ["latest.json", "runs/r1/adapter", "runs/r1/adapter/"])
def test_an_adapter_is_found_by_latest_json_or_its_prefix(name, config, published, saved, fetch):
    found = fetch(named(config, f"{published}/{name}"))
    assert found.location == f"{published}/runs/r1/adapter"
    assert (found.folder / WEIGHTS).read_bytes() == (saved / WEIGHTS).read_bytes()


def delete(s3_env, bucket: str, key: str) -> None:
    s3_env.client().delete_object(Bucket=bucket, Key=key)


MISSING = {
    "no latest.json": lambda s3, b: delete(s3, b, "out/latest.json"),
    "a run that was deleted": lambda s3, b: delete(s3, b, "out/runs/r1/manifest.json"),
    "a run without adapter": lambda s3, b: [
        delete(s3, b, f"out/runs/r1/adapter/{name}") for name in (ADAPTER_CONFIG, WEIGHTS, "README.md")
    ],
}


@pytest.mark.parametrize("remove", MISSING.values(), ids=MISSING)
def test_a_missing_adapter_fails_the_run_unless_it_is_optional(
    remove, config, published, fetch, s3_env, caplog
):
    remove(s3_env, published.split("/")[2])
    name = f"{published}/latest.json"
    with pytest.raises(UserError, match=f"{name}: there is no adapter to start from") as caught:
        fetch(named(config, name))
    assert caught.value.reason is FailureReason.ModelNotFound

    optional = named(config, name, AdapterPolicy.Optional)
    assert fetch(optional) is None
    assert f"{name}: there is no adapter; the training starts from the base model" in caplog.text


def test_a_missing_folder_fails_the_run_unless_it_is_optional(config, fetch, tmp_path):
    with pytest.raises(UserError, match="no adapter to start from"):
        fetch(named(config, tmp_path / "none"))
    optional = named(config, tmp_path / "none", AdapterPolicy.Optional)
    assert fetch(optional) is None


DAMAGED = {
    "other weights": ("out/runs/r1/adapter/adapter_model.safetensors", b"other", "differs from the manifest"),
    "a latest.json that is none": ("out/latest.json", b"[]", "names no run"),
    "a latest.json that leads elsewhere": ("out/latest.json", b'{"run": "../r1"}', "names no run"),
}


@pytest.mark.parametrize("case", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_adapter_fails_the_run_even_if_it_is_optional(case, config, published, fetch, s3_env):
    key, content, message = case
    s3_env.client().put_object(Bucket=published.split("/")[2], Key=key, Body=content)
    optional = named(config, f"{published}/latest.json", AdapterPolicy.Optional)
    with pytest.raises(UserError, match=message) as caught:
        fetch(optional)
    assert caught.value.reason is FailureReason.ModelNotFound


def test_pickled_weights_are_not_read(config, saved, fetch):
    (saved / WEIGHTS).rename(saved / "adapter_model.bin")
    with pytest.raises(UserError, match=f"{WEIGHTS} is missing") as caught:
        fetch(named(config, saved))
    assert "pickled weights are not supported" in caught.value.remedy


def with_lora(**settings: object):
    return lambda config: changed(config, lora=config.lora.model_copy(update=settings))


OTHER = {
    "rank": (with_lora(r=4), {}, r"lora\.r is 4, and was 16 for the adapter"),
    "alpha": (with_lora(alpha=8), {}, r"lora\.alpha is 8, and was 32 for the adapter"),
    "fewer targets": (with_lora(target_modules=["q_proj"]), {}, r"adapter has .*k_proj and \d+ others"),
    "more targets": (with_lora(scope=LoraScope.All), {}, r"select .*visual.* the adapter does not have"),
    "base model": (lambda c: c, {"base_model_name_or_path": "a/b"}, "base model is .*, and was 'a/b'"),
    "kind": (lambda c: c, {"use_rslora": True}, r"no plain LoRA adapter \(use_rslora\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER.values(), ids=OTHER)
def test_an_adapter_of_other_settings_is_refused_with_what_differs(case, config, source, saved):
    change, in_adapter, message = case
    written = json.loads((saved / ADAPTER_CONFIG).read_text()) | in_adapter
    (saved / ADAPTER_CONFIG).write_text(json.dumps(written))
    with pytest.raises(UserError, match=message) as caught:
        check_adapter_fits(saved, "s3://b/adapter", change(config), source)
    assert caught.value.reason is FailureReason.InvalidConfig


def test_an_adapter_of_the_same_settings_fits(config, source, saved):
    check_adapter_fits(saved, "s3://b/adapter", config, source)


def test_an_adapter_with_damaged_weights_is_refused(config, source, saved):
    (saved / WEIGHTS).write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="is damaged"):
        check_adapter_fits(saved, "s3://b/adapter", config, source)


def test_an_adapter_with_a_weight_of_another_shape_is_refused(config, source, saved):
    weights = load_file(saved / WEIGHTS)
    name = next(iter(weights))
    save_file({**weights, name: weights[name][:1].contiguous()}, saved / WEIGHTS)
    with pytest.raises(UserError, match=r"has the shape \(1, .*instead of"):
        check_adapter_fits(saved, "s3://b/adapter", config, source)


def test_a_dry_run_checks_the_adapter(config, saved):
    assert "Everything was checked" in dry_run(
        start(named(config, saved)), Storage.from_config(config.storage)
    )
    with pytest.raises(UserError, match=r"lora\.r is 4"):
        dry_run(start(with_lora(r=4)(named(config, saved))), Storage.from_config(config.storage))
