import pytest
import torch
from transformers import CodeGenForCausalLM, MambaForCausalLM, PaddleOCRVLForConditionalGeneration

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import Attention, Optimizer, TrainingSpec
from finscribe_trainer.model import precision
from finscribe_trainer.model.precision import (
    check_compiler,
    check_optimizer,
    choose_attention,
    choose_dtype,
    describe_choices,
    will_skip_step,
)


@pytest.fixture
def machine(monkeypatch):
    """Simulates a machine with a GPU of the given compute capability; None for one without a GPU."""

    def replace_hardware(capability: tuple[int, int] | None, flash_attn: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: capability >= (8, 0))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU")
        monkeypatch.setattr(precision, "is_flash_attn_2_available", lambda: flash_attn)

    return replace_hardware


CPU, TURING, AMPERE = None, (7, 5), (8, 0)
DTYPES = [
    ({}, CPU, torch.float32),
    ({}, TURING, torch.float32),
    ({}, AMPERE, torch.bfloat16),
    ({"bf16": False}, AMPERE, torch.float32),
    ({"bf16": True}, CPU, torch.bfloat16),
    ({"fp16": True}, CPU, torch.float32),
    ({"fp16": True}, TURING, torch.float16),
    ({"fp16": True}, AMPERE, torch.float16),
]


@pytest.mark.parametrize(("settings", "capability", "expected"), DTYPES)
def test_the_dtype_follows_settings_and_hardware(settings, capability, expected, machine):
    machine(capability)
    assert choose_dtype(TrainingSpec(**settings)) is expected


def test_float16_without_a_gpu_falls_back_to_float32_with_a_warning(machine, caplog):
    machine(CPU)
    choose_dtype(TrainingSpec(fp16=True))
    assert "using float32" in caplog.text


def test_bfloat16_on_a_gpu_without_support_is_rejected(machine):
    machine(TURING)
    with pytest.raises(UserError, match=r"training\.bf16") as caught:
        choose_dtype(TrainingSpec(bf16=True))
    assert "fp16" in caught.value.remedy


FLASH, SDPA, EAGER = Attention.flash_attention_2, Attention.sdpa, Attention.eager
ATTENTION = [
    (None, CPU, True, torch.bfloat16, SDPA),
    (None, TURING, True, torch.float16, SDPA),
    (None, AMPERE, False, torch.bfloat16, SDPA),
    (None, AMPERE, True, torch.float32, SDPA),
    (None, AMPERE, True, torch.bfloat16, FLASH),
    (FLASH, AMPERE, True, torch.float16, FLASH),
    (SDPA, AMPERE, True, torch.bfloat16, SDPA),
    (EAGER, CPU, False, torch.float32, EAGER),
]


@pytest.mark.parametrize(("wanted", "capability", "installed", "dtype", "expected"), ATTENTION)
def test_attention_is_the_fastest_supported_implementation(
    wanted, capability, installed, dtype, expected, machine
):
    machine(capability, installed)
    assert choose_attention(wanted, dtype, PaddleOCRVLForConditionalGeneration) is expected


@pytest.mark.parametrize("kind", [CodeGenForCausalLM, MambaForCausalLM])
def test_attention_is_never_one_that_the_model_class_lacks(kind, machine):
    machine(AMPERE, True)
    assert choose_attention(None, torch.bfloat16, kind) is EAGER
    with pytest.raises(UserError, match=rf"is sdpa, which needs a model class other than {kind.__name__}"):
        choose_attention(SDPA, torch.bfloat16, kind)


OBSTACLES = [
    (CPU, True, torch.bfloat16, "a GPU"),
    (TURING, True, torch.float16, "an Ampere or newer GPU"),
    (AMPERE, True, torch.float32, "bf16 or fp16"),
    (AMPERE, False, torch.bfloat16, "the package flash-attn"),
]


@pytest.mark.parametrize(("capability", "installed", "dtype", "missing"), OBSTACLES)
def test_unsupported_flash_attention_is_rejected(capability, installed, dtype, missing, machine):
    machine(capability, installed)
    with pytest.raises(UserError, match=missing) as caught:
        choose_attention(FLASH, dtype, PaddleOCRVLForConditionalGeneration)
    assert caught.value.reason is FailureReason.InvalidConfig


@pytest.mark.parametrize("attention", [SDPA, EAGER])
def test_vision_tower_and_language_model_use_the_configured_attention(family, source, attention):
    config = family.load_model(source, attn_implementation=str(attention)).config
    parts = (config, config.vision_config, config.text_config)
    assert {part._attn_implementation for part in parts} == {str(attention)}


def test_optimizers_of_a_missing_package_are_rejected(monkeypatch):
    monkeypatch.setattr(precision.importlib.util, "find_spec", lambda name: None)
    check_optimizer(Optimizer.adamw_torch)
    with pytest.raises(UserError, match="adamw_bnb_8bit needs bitsandbytes"):
        check_optimizer(Optimizer.adamw_bnb_8bit)


def test_torch_compile_without_a_compiler_is_rejected(monkeypatch):
    check_compiler()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="torch_compile needs a C compiler"):
        check_compiler()


def test_the_scaler_skips_steps_until_its_scale_is_one():
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    skips = []
    for _ in range(3):
        scaler.scale(weight * torch.inf).backward()
        scaler.unscale_(optimizer)
        skips.append(will_skip_step(scaler))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert skips == [True, True, False]
    assert weight.item() == 1.0
    assert not will_skip_step(None)


def test_the_choices_are_logged_in_one_line(config, machine):
    machine(CPU)
    assert describe_choices(config, torch.float32, SDPA) == (
        "computing in float32 on CPU, attention sdpa, optimizer adamw_torch, weights not quantized, "
        "gradient checkpointing off, torch.compile off"
    )
