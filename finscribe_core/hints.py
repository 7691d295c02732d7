"""Says about an unknown key what the setting is called here, and where it belongs."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from finscribe_core.fields import Loc, in_camel_case, known_keys, setting_paths, without_case

_OTHER_NAMES = {
    "model_name_or_path": "base_model model model_id model_name model_path pretrained_model_name_or_path",
    "model_revision": "revision base_model_revision",
    "dataset_path": "data_path dataset datasets train_data train_dataset train_data_path train_file "
    "train_path training_data training_file",
    "validation_path": "eval_data eval_dataset eval_file eval_path val_data val_dataset val_file val_path "
    "validation_data validation_dataset validation_file",
    "validation_split": "eval_split test_size val_set_size val_size val_split validation_size",
    "test_path": "test_data test_dataset test_file",
    "output_dir": "output output_path save_dir save_path",
    "method": "load_in_4bit qlora quantization quantization_bit use_qlora use_quantization",
    "lora.r": "lora_r lora_rank rank",
    "lora.target_modules": "lora_target lora_target_modules lora_targets target_module",
    "training.learning_rate": "base_lr lr max_lr",
    "training.num_train_epochs": "epoch epochs max_epochs n_epochs num_epochs train_epochs",
    "training.max_steps": "max_iters num_steps total_steps train_steps",
    "training.per_device_train_batch_size": "batch batch_size micro_batch_size per_gpu_train_batch_size "
    "train_batch_size train_micro_batch_size_per_gpu",
    "training.per_device_eval_batch_size": "eval_batch_size per_gpu_eval_batch_size val_batch_size",
    "training.effective_batch_size": "global_batch_size total_batch_size",
    "training.gradient_accumulation_steps": "accumulate_grad_batches accumulation_steps grad_accum "
    "grad_accumulation gradient_accumulation",
    "training.warmup_ratio": "warmup warmup_proportion",
    "training.warmup_steps": "num_warmup_steps",
    "training.weight_decay": "wd",
    "training.max_grad_norm": "clip_grad clip_grad_norm grad_clip gradient_clip_val gradient_clipping",
    "training.lr_scheduler_type": "lr_schedule lr_scheduler scheduler scheduler_type",
    "training.optim": "optimizer optimizer_type",
    "training.bf16": "mixed_precision precision",
    "training.attn_implementation": "attention flash_attention flash_attn use_flash_attention "
    "use_flash_attention_2",
    "training.gradient_checkpointing": "activation_checkpointing use_gradient_checkpointing",
    "training.packing": "sample_packing",
    "training.max_sequence_length": "context_length cutoff_len max_len max_length max_seq_len max_tokens "
    "model_max_length seq_len seq_length sequence_len sequence_length",
    "training.logging_steps": "log_every log_steps logging_interval",
    "training.eval_steps": "eval_every eval_interval eval_strategy evaluation_strategy evals_per_epoch",
    "training.save_steps": "checkpoint_steps save_every save_interval save_strategy saves_per_epoch",
    "training.seed": "data_seed random_seed",
    "training.dataloader_num_workers": "num_proc num_workers preprocessing_num_workers workers",
    "early_stopping.patience": "early_stopping_patience",
    "early_stopping.min_delta": "early_stopping_threshold",
    "loss.label_smoothing": "label_smoothing_factor",
    "loss.focal_gamma": "gamma",
    "evaluation.max_new_tokens": "generation_max_length",
}
"""Names that other trainers use for a setting, by its path in the trainer's file."""
_IN_A_JOB = {
    "dataset_path": "dataset.train",
    "validation_path": "dataset.validation",
    "validation_split": "dataset.validation_split",
    "test_path": "dataset.test",
    "max_image_pixels": "dataset.max_image_pixels",
    "max_pages": "dataset.max_pages",
    "model_name_or_path": "model.source",
    "model_revision": "model.revision",
    "cache_dir": "cache.persistent_volume_claim.name",
    "cache_max_size": "cache.max_size",
    "output_uri": "output.uri",
    "output_dir": "output.uri",
    "output_formats": "output.formats",
}
"""The path below a FineTuneJob's spec of what the trainer's file has at its top level."""

_BY_OTHER_NAME = {
    **{without_case(path): path for path in _IN_A_JOB},
    **{without_case(other): path for path, others in _OTHER_NAMES.items() for other in others.split()},
}

Agrees = Callable[[Any, Mapping[str, Any]], bool]


def _only(expected: object) -> Agrees:
    return lambda value, _section: type(value) is type(expected) and value == expected


def _schedule(steps: str) -> Agrees:
    """A `..._strategy` agrees when its steps are set exactly if it is "steps"."""
    return lambda value, section: value == ("steps" if steps in section else "epoch")


_ALWAYS_SO: dict[str, Agrees] = {
    "adapter": _only("lora"),
    "assistant_only_loss": _only(True),
    "bias": _only("none"),
    "bnb_4bit_quant_type": _only("nf4"),
    "bnb_4bit_use_double_quant": _only(True),
    "completion_only": _only(True),
    "completion_only_loss": _only(True),
    "do_eval": _only(True),
    "do_train": _only(True),
    "double_quant": _only(True),
    "eval_strategy": _schedule("eval_steps"),
    "evaluation_strategy": _schedule("eval_steps"),
    "finetuning_type": _only("lora"),
    "freeze_vision_tower": _only(True),
    "inference_mode": _only(False),
    "load_best_model_at_end": _only(True),
    "prediction_loss_only": _only(False),
    "push_to_hub": _only(False),
    "remove_unused_columns": _only(False),
    "save_safetensors": _only(True),
    "save_strategy": _schedule("eval_steps"),  # a checkpoint needs an evaluation
    "stage": _only("sft"),
    "task_type": _only("CAUSAL_LM"),
    "train_on_inputs": _only(False),
    "train_on_prompt": _only(False),
    "trust_remote_code": _only(False),
    "use_lora": _only(True),
    "use_peft": _only(True),
}
"""Keys of other trainers, each with whether its value (and its section) describe what is always done here."""


def is_always_so(key: str, section: Mapping[str, Any]) -> bool:
    """Whether an unknown key asks for what is done anyway, so that nothing is lost by ignoring it."""
    return key in _ALWAYS_SO and _ALWAYS_SO[key](section[key], section)


def hint(root: type[BaseModel], loc: Loc, lacking: type[BaseModel], *, camel_case: bool = False) -> str:
    """The end of a sentence about an unknown key: the setting that was probably meant, else a full stop.

    Args:
        root: the model of the whole document.
        loc: the key's location.
        lacking: the model of the section that has no such key.
        camel_case: name settings as a FineTuneJob does.
    """
    key = str(loc[-1])
    path = _find(root, key)
    if path is None:
        return nearest(lacking, key, camel_case=camel_case)
    path = in_camel_case(root, path) if camel_case else path
    if "." in key:  # `lora.r: 16` in one line
        return f"; write it as {_nested(path)}."
    section, _, name = path.rpartition(".")
    return f"; did you mean {name if section == '.'.join(map(str, loc[:-1])) else path}?"


def nearest(model: type[BaseModel], key: str, *, camel_case: bool = False) -> str:
    """The end of a sentence about an unknown key: a similar known key if there is one, else a full stop."""
    names = list(known_keys(model, camel_case=camel_case))
    if not camel_case:  # camelCase is accepted, but the file is in snake_case
        names = [name for name in names if name == name.lower()]
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.8)
    return f"; did you mean {near[0]}?" if near else "."


def _find(root: type[BaseModel], key: str) -> str | None:
    """The path of the setting that is meant by a key in the wrong section, or by another trainer's name.

    None if there is no such setting, or more than one.
    """
    paths = setting_paths(root)
    *sections, name = key.split(".")
    if same := paths.get(without_case(name)):
        found = {path for path in same if f".{path}".endswith(".".join(["", *sections, path.split(".")[-1]]))}
        return found.pop() if len(found) == 1 else None
    path = _BY_OTHER_NAME.get(without_case(name), "")
    in_job = _IN_A_JOB.get(path, path)
    known = {path for found in paths.values() for path in found}
    return next((here for here in (path, in_job, f"spec.{in_job}") if here in known), None)


def _nested(path: str) -> str:
    *sections, name = path.split(".")
    return "".join(f"{section}: {{" for section in sections) + f"{name}: ..." + "}" * len(sections)
