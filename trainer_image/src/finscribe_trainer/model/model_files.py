"""Says what is missing or damaged in a model's folder, which libraries report as a missing model."""

import json
from pathlib import Path
from typing import NamedTuple

CONFIG = "config.json"
_ADAPTER_CONFIG = "adapter_config.json"
_INDEX = "model.safetensors.index.json"
_VOCABULARIES = ("tokenizer.json", "*.model", "*.tiktoken", "vocab.*")
_PROCESSOR_CONFIGS = ("processor_config.json", "preprocessor_config.json")
_COPY_AGAIN = "Download or copy the model again."


class Problem(NamedTuple):
    """What is wrong with a folder, as the rest of a sentence that begins with its name, and the remedy."""

    text: str
    remedy: str


def find_problem(folder: Path) -> Problem | None:
    """The first problem of a base model's config, tokenizer, processor and weights; None if it is complete.

    Of the weights only the headers are read.
    """
    return _config_problem(folder) or _tokenizer_problem(folder) or weights_problem(folder)


def _config_problem(folder: Path) -> Problem | None:
    if not (folder / CONFIG).is_file():
        if (folder / _ADAPTER_CONFIG).is_file():
            return Problem("is an adapter, not a complete model.", "Name its base model here.")
        inner = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
        meant = f"Did you mean {inner[0]}?" if inner else "Name the folder that directly contains it."
        return Problem(f"contains no {CONFIG}.", meant)
    return _json_problem(folder / CONFIG)


def _tokenizer_problem(folder: Path) -> Problem | None:
    vocabularies = [path for pattern in _VOCABULARIES for path in folder.glob(pattern)]
    if not vocabularies:
        return Problem("contains no tokenizer (tokenizer.json).", _COPY_AGAIN)
    for path in folder.glob("tokenizer*.json"):
        if problem := _json_problem(path):
            return problem
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if "vision_config" in config and not any((folder / name).is_file() for name in _PROCESSOR_CONFIGS):
        return Problem(f"contains no image processor ({' or '.join(_PROCESSOR_CONFIGS)}).", _COPY_AGAIN)
    return None


def weights_problem(folder: Path) -> Problem | None:
    """The first problem of the weights: missing, incomplete, damaged or pickled; None if there is none."""
    if (folder / _INDEX).is_file():
        if problem := _json_problem(folder / _INDEX):
            return problem
        shards = json.loads((folder / _INDEX).read_text(encoding="utf-8")).get("weight_map", {})
        missing = sorted({name for name in shards.values() if not (folder / name).is_file()})
        if missing:
            return Problem(f"contains no {missing[0]}, which {_INDEX} names.", _COPY_AGAIN)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        if pickled := sorted(folder.glob("*.bin")):
            return Problem(
                f"has only pickled weights ({pickled[0].name}), which are never loaded.",
                "Use a version of the model with safetensors.",
            )
        return Problem("contains no model.safetensors.", _COPY_AGAIN)
    return next((problem for file in files if (problem := _safetensors_problem(file))), None)


def _safetensors_problem(file: Path) -> Problem | None:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - slow to import

    try:
        with safe_open(file, framework="numpy"):  # compares the file's size with its header
            return None
    except SafetensorError:
        size = f"{file.stat().st_size:,} bytes"
        return Problem(
            f"has damaged weights: {file.name} ({size}) is cut off or no safetensors.", _COPY_AGAIN
        )


def _json_problem(file: Path) -> Problem | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        return Problem(f"has a damaged {file.name}: {error}.", _COPY_AGAIN)
    return None if isinstance(found, dict) else Problem(f"has a {file.name} without an object.", _COPY_AGAIN)
