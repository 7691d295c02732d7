"""The files of a run in its bucket, the same after `finscribe run` as after a run on a cluster."""

import re
from collections.abc import Iterable

PROCESSOR = {"chat_template.jinja", "processor_config.json", "tokenizer.json", "tokenizer_config.json"}
ADAPTER = {"README.md", "adapter_config.json", "adapter_model.safetensors"}
GENERATION = {"generation_config.json"}
TRAINING_STATE = {
    "best_adapter.safetensors",
    "optimizer.pt",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
}

EXAMPLE_LAYOUT = {
    "latest.json",
    "trainings/<hash>.json",
    *(f"runs/<run>/{name}" for name in ("config.yaml", "manifest.json", "metrics.json")),
    *(
        f"runs/<run>/evaluation/{name}"
        for name in ("report.html", "report.md", "results-base.json", "results-tuned.json")
    ),
    *(f"runs/<run>/adapter/{name}" for name in ADAPTER | PROCESSOR | GENERATION | {"calibration.json"}),
    *(
        f"runs/<run>/merged/{name}"
        for name in {"README.md", "config.json", "model.safetensors"} | PROCESSOR | GENERATION
    ),
    "runs/<run>/logs/<events>",
    *(
        f"runs/<run>/checkpoints/checkpoint-<step>/{name}"
        for name in ADAPTER | TRAINING_STATE | {"manifest.json"}
    ),
}
"""Of examples/finetunejob.yaml, below its output.uri."""


def layout_of(keys: Iterable[str], run: str) -> set[str]:
    """Keys below an output.uri, without the run's name, steps, and the times in TensorBoard's names."""
    named = {re.sub(r"checkpoint-\d+/", "checkpoint-<step>/", key) for key in keys}
    named = {re.sub(r"trainings/\w+\.json", "trainings/<hash>.json", key) for key in named}
    named = {re.sub(r"events\.out\.tfevents\..*", "<events>", key) for key in named}
    return {key.replace(f"runs/{run}/", "runs/<run>/") for key in named}
