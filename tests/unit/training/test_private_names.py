"""Lists the private names of libraries that the trainer uses, and fails when one has changed."""

import ast
import importlib
import inspect
import multiprocessing.queues
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from accelerate import Accelerator
from optuna.trial import create_trial
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from transformers import PreTrainedConfig, PreTrainedModel, Trainer, TrainingArguments

import finscribe_trainer

PACKAGE = Path(finscribe_trainer.__file__).parent
LIBRARIES = ("transformers", "peft", "accelerate", "huggingface_hub", "torch", "optuna")


@dataclass(frozen=True)
class PrivateName:
    """A private name, or a public one that is replaced, of a library."""

    library: str
    name: str
    find: Callable[[], Any]
    """Gives what is compared with `expected`."""
    expected: Any
    used_in: tuple[str, ...]
    recheck: str
    """What to re-check when it has changed."""


def signature(function: Any) -> Callable[[], tuple[str, ...]]:
    return lambda: tuple(inspect.signature(function).parameters)


def set_number_of_gpus() -> int:
    arguments = TrainingArguments(report_to="none", use_cpu=True)
    arguments._n_gpu = 3
    return arguments.n_gpu


def _s3_client() -> Any:
    return boto3.session.Session().client(
        "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


RELIED_ON = [
    PrivateName(
        "transformers",
        "Trainer._save_rng_state",
        signature(Trainer._save_rng_state),
        ("self", "output_dir"),
        ("training/trainer.py",),
        "every process calls it for each checkpoint, before the first one writes trainer_state.json, which "
        "marks the checkpoint complete",
    ),
    PrivateName(
        "transformers",
        "TrainingArguments._n_gpu",
        set_number_of_gpus,
        3,
        ("training/arguments.py",),
        "setting it to 1 keeps the Trainer from using DataParallel on a machine with several GPUs",
    ),
    PrivateName(
        "transformers",
        "PreTrainedConfig._attn_implementation",
        lambda: PreTrainedConfig(attn_implementation="sdpa")._attn_implementation,
        "sdpa",
        ("batches/features/setup.py", "batches/packing.py"),
        "it holds the attention implementation of a loaded model",
    ),
    PrivateName(
        "transformers",
        "PreTrainedModel._supports_sdpa",
        lambda: PreTrainedModel._supports_sdpa,
        False,
        ("model/precision.py",),
        "by it a model class declares whether it supports sdpa",
    ),
    PrivateName(
        "transformers",
        "PreTrainedModel._supports_flash_attn",
        lambda: PreTrainedModel._supports_flash_attn,
        False,
        ("model/precision.py",),
        "by it a model class declares whether it supports flash-attn",
    ),
    PrivateName(
        "accelerate",
        "Accelerator.prepare_model",
        signature(Accelerator.prepare_model),
        ("self", "model", "device_placement", "evaluation_mode"),
        (),  # public, but replaced on the Trainer's accelerator in training/trainer.py
        "Accelerator.prepare calls it for a model, and for nothing else, so that the model stays unwrapped",
    ),
    PrivateName(
        "torch",
        "DataLoader._iterator",
        lambda: DataLoader([1])._iterator,
        None,
        ("runtime/stop_signal.py",),
        "it holds the iterator whose workers stay from epoch to epoch",
    ),
    PrivateName(
        "torch",
        "_MultiProcessingDataLoaderIter._shutdown_workers",
        signature(_MultiProcessingDataLoaderIter._shutdown_workers),
        ("self",),
        ("runtime/stop_signal.py",),
        "it ends the workers of a DataLoader's iterator",
    ),
    PrivateName(
        "torch",
        "torch._subclasses",
        signature(FakeTensorMode),
        ("allow_fallback_kernels", "allow_non_fake_inputs", "shape_env", "static_shapes", "export"),
        ("planning/weightless.py",),
        "its FakeTensorMode computes the shapes of a training step on a CPU, without data",
    ),
    PrivateName(
        "torch",
        "torch.utils._python_dispatch",
        signature(TorchDispatchMode.__torch_dispatch__),
        ("self", "func", "types", "args", "kwargs"),
        ("planning/allocations.py",),
        "its TorchDispatchMode sees each operation, also those of the backward pass",
    ),
    PrivateName(
        "python",
        "Queue._on_queue_feeder_error",
        signature(multiprocessing.queues.Queue._on_queue_feeder_error),
        ("e", "obj"),
        ("runtime/shared_memory.py",),
        "a queue's thread calls it when it can't pass an object on",
    ),
    PrivateName(
        "botocore",
        "BaseClient._endpoint",
        lambda: hasattr(_s3_client()._endpoint, "http_session"),
        True,
        ("storage/connection.py",),
        "its http_session sends the requests, and the trainer wraps it to bound slow responses",
    ),
    PrivateName(
        "optuna",
        "FrozenTrial._trial_id",
        lambda: create_trial(value=0.0)._trial_id,
        -1,
        ("tuning/sweep/sweep.py",),
        "optuna.trial.Trial(study, trial_id) continues a trial that was interrupted",
    ),
]


@pytest.mark.parametrize("private", RELIED_ON, ids=lambda private: private.name)
def test_a_private_name_is_unchanged(private):
    where = ", ".join(private.used_in) or "training/trainer.py"
    try:
        found = private.find()
    except AttributeError as error:
        found = error
    assert found == private.expected, (
        f"{private.library} {_version(private.library)} has changed {private.name}: {found!r} instead of "
        f"{private.expected!r}. {where} relies on it; re-check that {private.recheck}."
    )


def _version(library: str) -> str:
    return platform.python_version() if library == "python" else version(library)


def test_no_other_private_name_is_used():
    listed = {(file, private.name.rsplit(".", 1)[-1]) for private in RELIED_ON for file in private.used_in}
    found = set(_private_uses()) | set(_private_overrides())
    assert found - listed == set(), (
        "These private names of libraries are used but not listed in RELIED_ON: use a public hook, or list "
        "them with what to re-check."
    )
    assert listed - found == set(), "These are listed in RELIED_ON but no longer used: remove them."


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


@cache
def _modules() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(file.relative_to(PACKAGE)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _private_uses() -> Iterator[tuple[str, str]]:
    """File and name of each use of a private name that no class of the trainer defines."""
    modules = _modules()
    ours = {name for tree in modules.values() for name in _defined_in_classes(tree)}
    ours.add("_exit")  # os._exit is public, whatever its name
    for file, tree in modules.items():
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(module=str(module), names=names) if not module.startswith("finscribe"):
                    parts = [*module.split("."), *(alias.name for alias in names)]
                    yield from ((file, part) for part in parts if _is_private(part))
                case ast.Attribute(attr=name, value=owner) if _is_private(name):
                    if name not in ours or ast.unparse(owner) == "super()":
                        yield file, name
                case ast.Call(
                    func=ast.Name(id="getattr" | "setattr" | "hasattr"),
                    args=[_, ast.Constant(value=name), *_],
                ):
                    if _is_private(str(name)) and name not in ours:
                        yield file, str(name)


def _defined_in_classes(tree: ast.Module) -> Iterator[str]:
    """Private names of methods and fields of a module's classes, and of what it sets on `self`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield item.name
                elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.target.id
            yield from _set_on_self(node)


def _set_on_self(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _private_overrides() -> Iterator[tuple[str, str]]:
    """File and name of each private name that a class of the trainer shares with its base class."""
    for file, tree in _modules().items():
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES
            for alias in node.names
        }
        subclasses = [
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and {ast.unparse(base).split("[")[0] for base in node.bases} & imported
        ]
        if not subclasses:
            continue
        module = importlib.import_module(f"finscribe_trainer.{file.removesuffix('.py').replace('/', '.')}")
        for node in subclasses:
            mro = getattr(module, node.name).__mro__
            libraries = [base for base in mro if base.__module__.split(".")[0] in LIBRARIES]
            theirs = {name for base in libraries for name in _defined_in(base)}
            ours = set(_defined_in_classes(ast.Module([node], [])))
            yield from ((file, name) for name in ours & theirs if _is_private(name))


@cache
def _defined_in(cls: type) -> frozenset[str]:
    return frozenset(_defined_in_classes(ast.parse(_source(cls))))


def _source(cls: type) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(cls))
    except (OSError, TypeError):
        return ""
