"""Imported documents of several pages are trained on, evaluated and shown with all pages in order."""

import json

import pytest

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data_tools.importing.import_data import Request, import_data
from finscribe_trainer.evaluation.results import read_results
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run
from tests.unit.data_tools.importing.documents import pdf

pytestmark = pytest.mark.train


def test_documents_of_several_pages_are_trained_on_evaluated_and_shown(sample, tmp_path):
    (tmp_path / "in").mkdir()
    for number, lefts in enumerate(((20, 40), (10,), (30, 10), (50, 20, 40))):
        pdf(tmp_path / f"in/{number}.pdf", *lefts)
        (tmp_path / f"in/{number}.json").write_text(json.dumps({"total": f"{number}.00"}))
    import_data(Request(tmp_path / "in", tmp_path / "rows", pages=PageOptions(dpi=72)))
    config = TrainerConfig.model_validate(
        {
            "model_name_or_path": str(sample / "model"),
            "dataset_path": str(tmp_path / "rows/rows.jsonl"),
            "validation_path": str(tmp_path / "rows/rows.jsonl"),
            "output_dir": str(tmp_path / "out"),
            "max_pages": 2,
            "feature_cache": {"enabled": True},
            "training": {"max_steps": 2, "per_device_train_batch_size": 3, "dataloader_num_workers": 0},
            "evaluation": {"training_documents": 0, "max_new_tokens": 4},
        }
    )
    train(Run(config, "run", None, RunReporter(run="run", job="j"), StopSignal()))

    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert (metrics["dataset"]["train_rows"], metrics["dataset"]["rows_left_out"]) == (3, 2)
    results = read_results(tmp_path / "out/evaluation/results-tuned.json")
    assert [document.images for document in results.documents] == [
        tuple(f"pages/{page}.png" for page in pages)
        for pages in (("0.pdf-1", "0.pdf-2"), ("1.pdf-1",), ("2.pdf-1", "2.pdf-2"))
    ]  # fmt: skip
    report = (tmp_path / "out/evaluation/report.html").read_text()
    assert report.count("data:image") == 5
