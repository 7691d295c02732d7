"""Builds the model card of a trained adapter from the run's config, metrics and results."""

from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.evaluation.compare import compare
from finscribe_trainer.evaluation.report.labels import LABELS, percent_with_interval
from finscribe_trainer.evaluation.report.summary import summary_sentence
from finscribe_trainer.evaluation.results import BASE_RESULTS, TUNED_RESULTS, Results, read_results
from finscribe_trainer.pipeline.model_card.usage import Usage, file_name, how_to_use, render

CARD_FILE = "README.md"
LEARNING_RATE_PLOT = "learning_rate.png"
_SETTINGS = {
    *("method", "lora", "training", "early_stopping", "loss", "augmentation", "curriculum"),
    *("max_image_pixels", "max_pages"),
}
"""Parts of the config that affect the weights, which the card shows."""


def adapter_card(
    name: str, config: TrainerConfig, metrics: dict[str, Any], usage: Usage, evaluation_dir: Path
) -> str:
    """The model card in the hub's format: YAML metadata, then Markdown.

    It contains only the last component of file paths, and no rows: it may be published even if the data may
    not.

    Args:
        name: the model's name.
        config: the run's config.
        metrics: the content of metrics.json.
        usage: how the adapter is used.
        evaluation_dir: folder of the results, if base and tuned model were compared.
    """
    evaluation = metrics.get("evaluation") or {}
    compared = _read_comparison(evaluation_dir) if evaluation.get("documents") else None
    settings = config.model_dump(mode="json", include=_SETTINGS, exclude_none=True)
    body = render(
        "adapter.md.jinja",
        name=name,
        usage=usage,
        how_to_use=how_to_use(usage),
        metrics=metrics,
        data=metrics["dataset"],
        gate=evaluation.get("gate"),
        summary=summary_sentence(compare(*compared)) if compared else None,
        test_data=compared[1].data if compared else None,
        rows=_rows(*compared) if compared else [],
        metric=config.early_stopping.metric,
        learning_rate_plot=LEARNING_RATE_PLOT,
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        versions=metrics["versions"],
    )
    return with_front_matter(_front_matter(name, usage, compared[1] if compared else None), body)


def with_front_matter(data: ModelCardData, body: str) -> str:
    """A card's text from its metadata and its body."""
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


def _read_comparison(folder: Path) -> tuple[Results, Results]:
    """The results of base and tuned model."""
    return read_results(folder / BASE_RESULTS), read_results(folder / TUNED_RESULTS)


def _rows(base: Results, tuned: Results) -> list[dict[str, str]]:
    return [
        {
            "label": label,
            "base": percent_with_interval(base.summary.metrics[metric]),
            "tuned": percent_with_interval(found),
        }
        for metric, label in LABELS.items()
        if (found := tuned.summary.metrics.get(metric)) and metric in base.summary.metrics
    ]


def _front_matter(name: str, usage: Usage, tuned: Results | None) -> ModelCardData:
    metrics = tuned.summary.metrics if tuned else {}
    results = [
        EvalResult(
            task_type=usage.task,
            dataset_type="private",
            dataset_name=file_name(tuned.data.source),
            metric_type=str(metric),
            metric_name=LABELS[metric],
            metric_value=round(estimate.value, 4),
        )
        for metric, estimate in metrics.items()
        if tuned
    ]
    return ModelCardData(
        base_model=usage.base_on_hub,
        base_model_relation="adapter",
        library_name="peft",
        pipeline_tag=usage.task,
        tags=["lora", "finscribe", "document-understanding"],
        prompt=usage.prompt,
        model_name=name if results else None,
        eval_results=results or None,
    )
