"""A merged model has the base model's files and tensors, and computes the logits of base plus adapter."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PaddleOCRVLConfig,
    PaddleOCRVLForConditionalGeneration,
)

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import Method, OutputFormat, StorageEndpoint
from finscribe_trainer.cli.merge import merge
from finscribe_trainer.model.merge import MergedFiles
from finscribe_trainer.pipeline.merge import MergeRequest, merge_to_output
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train

PLAIN_LOAD = Path(__file__).parents[2] / "support" / "plain_load.py"


def weights_of(folder: Path) -> dict[str, tuple[str, list[int]]]:
    """Dtype and shape of every tensor by name, from any number of files."""
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            found |= {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}
    return found


def write_adapter(model: torch.nn.Module, folder: Path, targets: str | list[str], base: str) -> Path:
    """An adapter of random weights: B is not 0, so that it changes the logits."""
    torch.manual_seed(3)
    adapted = get_peft_model(model, LoraConfig(target_modules=targets, init_lora_weights=False))
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(sample, tmp_path) -> Path:
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(sample / "model")
    return write_adapter(
        model, tmp_path / "adapter", r".*language_model.*\.(q|v)_proj", str(sample / "model")
    )


@pytest.fixture
def request_of(adapter, tmp_path):
    def make(**changes) -> MergeRequest:
        return MergeRequest(
            **{
                "adapter": str(adapter),
                "base_model": None,
                "revision": None,
                "output": str(tmp_path / "merged"),
                **changes,
            }
        )

    return make


def test_the_guides_command_writes_tensors_with_the_bases_names_and_shapes(adapter, sample, tmp_path):
    out = tmp_path / "deployed_model"
    arguments = ["--base-model", sample / "model", "--adapter-path", adapter, "--output-dir", out]
    done = CliRunner().invoke(merge, [*map(str, arguments), "--max-shard-size", "200KB"])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Wrote the merged model to {out}.\n"
    assert len(list(out.glob("model-*.safetensors"))) > 1
    assert weights_of(out) == weights_of(sample / "model")
    assert set(json.loads((out / "model.safetensors.index.json").read_text())["weight_map"]) == set(
        weights_of(out)
    )
    beside = {"generation_config.json", "chat_template.jinja", "processor_config.json", "tokenizer.json"}
    assert beside <= {path.name for path in out.iterdir()}
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert len({path.stat().st_mode for path in out.iterdir()}) == 1
    assert str(sample) not in (out / "README.md").read_text()


def test_adapter_and_merged_model_compute_the_same_with_the_code_of_their_cards(config, sample, tmp_path):
    """Run without FinScribe installed; trained in 4 bits, in which the merged model must not be stored."""
    both = {"output_formats": [OutputFormat.Adapter, OutputFormat.Merged], "method": Method.QLoRA}
    run = Run(config.model_copy(update=both), "", None, RunReporter(run="", job=""), StopSignal())
    train(run)
    out = run.output_dir
    assert weights_of(out / "merged_model") == weights_of(sample / "model")
    shutil.copy(next((sample / "images").glob("val-*.png")), tmp_path / "page.png")
    (tmp_path / "model").symlink_to(sample / "model")  # cards contain the base's name, not its path
    command = [sys.executable, "-I", PLAIN_LOAD, out / "final_model", out / "merged_model"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["finscribe_modules"] == []
    # bitsandbytes computes in bfloat16 on some CPUs, which rounds to 2^-9.
    assert printed["difference"] < 0.01 < printed["adapter_effect"]
    assert printed["answers"][0] == printed["answers"][1] != "\n"
    assert printed["tied"]
    assert printed["eos"] == 2


def test_the_dtype_is_the_bases_unless_another_is_requested(adapter, sample, request_of, tmp_path):
    base = tmp_path / "bfloat16"
    PaddleOCRVLForConditionalGeneration.from_pretrained(
        sample / "model", dtype=torch.bfloat16
    ).save_pretrained(base)
    for name in ("chat_template.jinja", "processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        (base / name).write_bytes((sample / "model" / name).read_bytes())
    merge_to_output(request_of(base_model=str(base)), MergedFiles())
    assert {dtype for dtype, _ in weights_of(tmp_path / "merged").values()} == {"BF16"}
    request = request_of(base_model=str(base), output=str(tmp_path / "float32"))
    merge_to_output(request, MergedFiles(dtype=torch.float32))
    assert {dtype for dtype, _ in weights_of(tmp_path / "float32").values()} == {"F32"}


def test_a_text_models_adapter_can_be_merged(text_model, tmp_path, request_of):
    model = AutoModelForCausalLM.from_pretrained(text_model)
    adapter = write_adapter(model, tmp_path / "text", ["q_proj"], str(text_model))
    merge_to_output(request_of(adapter=str(adapter)), MergedFiles())
    assert weights_of(tmp_path / "merged") == weights_of(text_model)
    expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(text_model), adapter)
    ids = torch.arange(1, 20)[None]
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(ids).logits
    torch.testing.assert_close(found, expected(ids).logits)


@pytest.mark.parametrize("module", ["lm_head", "embed_tokens"])
def test_an_adapter_on_tied_weights_is_rejected_and_leaves_no_files(module, sample, request_of, tmp_path):
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(sample / "model")
    tied = write_adapter(model, tmp_path / "tied", [module], str(sample / "model"))
    with pytest.raises(UserError, match=r"shares its weights with .*can't be merged") as caught:
        merge_to_output(request_of(adapter=str(tied)), MergedFiles())
    assert "Use the adapter with its base model" in caught.value.remedy
    assert list((tmp_path / "merged").iterdir()) == []


def write_base(sample: Path, folder: Path, **sizes: int) -> str:
    """The sample model with another hidden size."""
    config = PaddleOCRVLConfig.from_pretrained(sample / "model")
    for name, size in sizes.items():
        setattr(config.text_config, name, size)
    PaddleOCRVLForConditionalGeneration(config).save_pretrained(folder)
    for path in (sample / "model").iterdir():
        if not (folder / path.name).exists():
            (folder / path.name).write_bytes(path.read_bytes())
    return str(folder)


def of_another_shape(adapter: Path, sample: Path) -> dict[str, str]:
    base = write_base(sample, adapter.with_name("wider"), intermediate_size=512)
    return {"adapter": str(write_mlp_adapter(adapter, sample)), "base_model": base}


def of_more_layers(adapter: Path, sample: Path) -> dict[str, str]:
    return {"base_model": write_base(sample, adapter.with_name("lower"), num_hidden_layers=1)}


def of_half_the_weights(adapter: Path, sample: Path) -> dict[str, str]:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: weights[name] for name in sorted(weights)[::2]}, path)
    return {}


def of_renamed_weights(adapter: Path, sample: Path) -> dict[str, str]:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    save_file(
        {name.replace("model.language_model", "language_model"): weights[name] for name in weights}, path
    )
    return {}


def write_mlp_adapter(adapter: Path, sample: Path) -> Path:
    model = PaddleOCRVLForConditionalGeneration.from_pretrained(sample / "model")
    pattern = r".*language_model.*\.up_proj"
    return write_adapter(model, adapter.with_name("mlp"), pattern, str(sample / "model"))


def test_files_left_by_a_killed_merge_do_not_block_the_next(request_of, tmp_path):
    left = tmp_path / "merged" / ".unfinished-abcd"
    left.mkdir(parents=True)
    (left / "model.safetensors").touch()
    merge_to_output(request_of(), MergedFiles())
    assert not left.exists()


def of_another_hub_model(adapter: Path, sample: Path) -> dict[str, str]:
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "PaddlePaddle/PaddleOCR-VL"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    return {"base_model": "hf://PaddlePaddle/PaddleOCR-VL-1.5"}


def without_adapter(adapter: Path, sample: Path) -> dict[str, str]:
    return {"adapter": str(sample / "model")}


def into_a_full_folder(adapter: Path, sample: Path) -> dict[str, str]:
    return {"output": str(adapter)}


def into_a_file(adapter: Path, sample: Path) -> dict[str, str]:
    return {"output": str(adapter / "adapter_config.json")}


REFUSED = [
    (of_another_shape, FailureReason.ModelUnsupported, "does not fit"),
    (
        of_more_layers,
        FailureReason.ModelUnsupported,
        r"4 weights of its file are unknown .*layers\.1\.",
    ),
    (of_half_the_weights, FailureReason.ModelUnsupported, r"4 weights are missing .*lora_B\.weight"),
    (of_renamed_weights, FailureReason.ModelUnsupported, "8 weights are missing .*; 8 weights of its file"),
    (of_another_hub_model, FailureReason.InvalidConfig, "trained on PaddlePaddle/PaddleOCR-VL, not on"),
    (without_adapter, FailureReason.ModelNotFound, "contains no adapter_config.json"),
    (into_a_full_folder, FailureReason.InvalidConfig, "is not empty"),
    (into_a_file, FailureReason.InvalidConfig, "can't be used"),
]


@pytest.mark.parametrize(("spoil", "reason", "message"), REFUSED)
def test_an_adapter_that_can_not_be_merged_is_rejected(adapter, sample, request_of, spoil, reason, message):
    with pytest.raises(UserError, match=message) as caught:
        merge_to_output(request_of(**spoil(adapter, sample)), MergedFiles())
    assert caught.value.reason is reason


def test_a_model_is_replaced_only_when_asked_and_with_all_its_weights(request_of, sample, tmp_path):
    merged = tmp_path / "merged"
    merge_to_output(request_of(), MergedFiles(max_shard_size="200KB"))
    assert len(list(merged.glob("model-*.safetensors"))) > 1
    with pytest.raises(UserError, match="is not empty"):
        merge_to_output(request_of(), MergedFiles())
    merge_to_output(request_of(overwrite=True), MergedFiles())
    assert [path.name for path in merged.glob("*.safetensors*")] == ["model.safetensors"]
    assert weights_of(merged) == weights_of(sample / "model")


def test_the_merged_model_ends_with_the_token_that_was_trained(text_model, request_of, tmp_path):
    """A base model whose generation config names another end token than its tokenizer."""
    base = shutil.copytree(text_model, tmp_path / "base")
    GenerationConfig(eos_token_id=[5, 6], pad_token_id=0, bos_token_id=1).save_pretrained(base)
    adapter = write_adapter(
        AutoModelForCausalLM.from_pretrained(base), tmp_path / "text", ["q_proj"], str(base)
    )
    merge_to_output(request_of(adapter=str(adapter)), MergedFiles())
    trained = AutoTokenizer.from_pretrained(base).eos_token_id
    exported = GenerationConfig.from_pretrained(tmp_path / "merged")
    assert (exported.eos_token_id, exported.pad_token_id, exported.bos_token_id) == (trained, 0, 1)


def test_a_merge_may_read_from_a_bucket_and_write_to_one(adapter, sample, request_of, s3_env, tmp_path):
    bucket = s3_env.create_bucket()
    storage = Storage.from_config(StorageEndpoint())
    storage.publish_run(adapter, f"s3://{bucket}/adapter")
    storage.publish_run(sample / "model", f"s3://{bucket}/base")
    request = request_of(
        adapter=f"s3://{bucket}/adapter", base_model=f"s3://{bucket}/base", output=f"s3://{bucket}/merged"
    )
    merge_to_output(request, MergedFiles())
    found = storage.fetch_prefix(request.output, tmp_path / "found")
    assert weights_of(found) == weights_of(sample / "model")
    with pytest.raises(UserError, match="is not empty"):
        merge_to_output(request, MergedFiles())
