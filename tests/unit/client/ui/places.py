"""Training folders and local jobs on the disk, as `finscribe train` and `finscribe run` leave them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_trainer.evaluation.results import BASE_RESULTS, TUNED_RESULTS, Results, write_results
from tests.support.comparison import results_of
from tests.unit.client.builders import SPEC

HOSTILE = "<script>document.title='hacked'</script>\"'&<img src=x onerror=alert(1)>"


def write_training(
    folder: Path,
    settings: dict[str, Any],
    losses: Sequence[float] = (2.0, 1.0),
    answers: tuple[Results, Results] | None = None,
) -> None:
    """A complete training."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    metrics = {
        "steps": len(losses),
        "best_step": len(losses),
        "base_eval_loss": 3.0,
        "train_history": [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)],
        "eval_history": [
            {"step": step, "eval_loss": loss, "eval_field_accuracy": 0.5}
            for step, loss in enumerate(losses, 1)
        ],
        "evaluation": {"documents": 3, "tuned": {"field_accuracy": "0.75"}},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    for results, name in zip(answers or (), (BASE_RESULTS, TUNED_RESULTS), strict=False):
        write_results(results, folder / "evaluation" / name)


def write_answers(data: Path) -> tuple[Results, Results]:
    """Answers on three documents below `data`: improved, regressed with hostile texts, unchanged."""
    (data / "images").mkdir(parents=True)
    lines = []
    for number in range(3):
        Image.new("RGB", (600, 800), "white").save(data / "images" / f"{number}.png")
        lines.append(json.dumps({"boxes": {"total": [50, 60 + number, 250, 100]}}))
    (data / "test.jsonl").write_text("\n".join(lines))
    pages = [f"images/{number}.png" for number in range(3)]
    gold = [
        {"document_type": kind, "total": total, "vendor": vendor}
        for kind, total, vendor in (
            ("invoice", "12.50", "Acme"),
            ("receipt", "7", HOSTILE),
            ("invoice", "1", "B"),
        )
    ]
    base = [(gold[0], {"total": "12.60"}), (gold[1], gold[1]), (gold[2], gold[2])]
    tuned = [(gold[0], gold[0]), (gold[1], HOSTILE), (gold[2], gold[2])]

    def of_file(results: Results) -> Results:
        return replace(results, data=replace(results.data, source=str(data / "test.jsonl")))

    return of_file(results_of("base", base, pages)), of_file(results_of("tuned", tuned, pages))


def write_job(state_dir: Path, name: str, status: FineTuneJobStatus, **spec: Any) -> None:
    """A job of `finscribe run`; keyword arguments are sections of its spec."""
    job = {
        "apiVersion": "finscribe.io/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**SPEC, **spec},
        "status": status.to_kubernetes(),
    }
    ObjectFiles(state_dir / "objects").put(job)
