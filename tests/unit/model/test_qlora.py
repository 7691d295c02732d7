import json

import bitsandbytes
import pytest
import torch
from safetensors.torch import load_file

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import LoraSpec, Method, OutputFormat
from finscribe_trainer.loss.answer_loss import answer_loss
from finscribe_trainer.model.adapter import load_trained_adapter, save_adapter
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.quantization import (
    prevent_weight_repacking,
    quantization_options,
    round_as_in_training,
)
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run


def quantised(family, source):
    model = family.load_model(source, dtype=torch.float32, **quantization_options(family, torch.float32))
    prevent_weight_repacking(model)
    return model


def test_only_linear_layers_of_the_language_model_are_in_4_bits_with_double_quantization(family, source):
    model = quantised(family, source)
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    in_4_bits = {name for name, module in linear.items() if isinstance(module, bitsandbytes.nn.Linear4bit)}
    assert in_4_bits == {name for name in linear if ".language_model.layers." in name}
    for name in in_4_bits:
        state = linear[name].weight.quant_state
        assert (state.quant_type, state.nested) == ("nf4", True)
    others = [module for name, module in linear.items() if name not in in_4_bits]
    assert {type(module) for module in others} == {torch.nn.Linear}
    assert {module.weight.dtype for module in others} == {torch.float32}


def test_an_adapter_finds_the_weights_again_that_it_was_trained_on(family, source, dataset, tmp_path):
    """On the exact weights of the base model its logits are others."""
    trained = attach_adapter(quantised(family, source), family, LoraSpec(dropout=0.0)).eval()
    save_adapter(trained, tmp_path)
    exact = family.load_model(source, dtype=torch.float32)
    rounded = family.load_model(source, dtype=torch.float32)
    round_as_in_training(rounded, family, tmp_path)
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[0])]))
    with torch.no_grad():
        expected = trained(**batch).logits
        logits = load_trained_adapter(rounded, tmp_path, source).eval()(**batch).logits
        others = load_trained_adapter(exact, tmp_path, source).eval()(**batch).logits
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert (others - expected).norm() > 100 * (logits - expected).norm()


def test_another_quantization_is_refused(family, source, tmp_path):
    (tmp_path / "quantization_config.json").write_text('{"bnb_4bit_quant_type": "fp4"}')
    with pytest.raises(UserError, match="another quantization than that of method QLoRA"):
        round_as_in_training(family.load_model(source, dtype=torch.float32), family, tmp_path)


def test_an_evaluation_does_not_change_the_gradient(family, source, dataset):
    torch.manual_seed(1)
    model = attach_adapter(quantised(family, source), family, LoraSpec(dropout=0.0))
    with torch.no_grad():  # B of a new adapter is zero, which would hide half of the gradients
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    batch = family.model_inputs(family.collate([family.encode(dataset.examples[0])]))

    def gradients():
        model.zero_grad()
        answer_loss(model.train(), batch)[0].backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    before = gradients()
    with torch.no_grad():
        answer_loss(model.eval(), batch)
    torch.testing.assert_close(gradients(), before)


@pytest.mark.train
def test_a_run_evaluates_resumes_starts_from_an_adapter_and_exports_a_merged_model(config, tmp_path):
    wanted = config.model_copy(
        update={
            "method": Method.QLoRA,
            "output_formats": [OutputFormat.Adapter, OutputFormat.Merged],
            "evaluation": config.evaluation.model_copy(
                update={"enabled": True, "max_documents": 1, "max_new_tokens": 4}
            ),
        }
    )
    again = wanted.model_copy(update={"output_dir": str(tmp_path / "again")})
    adapter = str(tmp_path / "out" / "final_model")
    further = wanted.model_copy(
        update={"output_dir": str(tmp_path / "further"), "adapter_name_or_path": adapter}
    )
    for each, resume in ((wanted, None), (again, str(tmp_path / "out" / "checkpoint-2")), (further, None)):
        reporter = RunReporter(run="", job="")
        result = train(Run(each, name="", resume=resume, reporter=reporter, stop=StopSignal()))
        assert result.evaluation is not None

    at_once, resumed = (
        load_file(tmp_path / name / "final_model" / "adapter_model.safetensors") for name in ("out", "again")
    )
    torch.testing.assert_close(resumed, at_once, rtol=0, atol=0)
    before, after = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("out", "further")
    )
    assert after["base_eval_loss"] == before["base_eval_loss"]
    assert after["best_eval_loss"] < before["best_eval_loss"]
    merged = load_file(tmp_path / "again" / "merged_model" / "model.safetensors")
    assert not [name for name in merged if "absmax" in name or "quant" in name]
