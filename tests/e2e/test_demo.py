"""The whole demo, with the shipped model and the example's training."""

from pathlib import Path

from tests.support.demo import run_demo

MIN_ACCURACY = 0.70
"""Floor of field and numeric accuracy and TEDS; docs/tutorial.md has what was measured."""
MIN_ON_UNSEEN_TEMPLATE = 0.03
"""Field accuracy there is far lower: the layout is new to the model."""


def test_the_tuned_model_reads_most_fields_of_unseen_documents_and_the_base_model_none(
    tmp_path: Path, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    demo = run_demo(tmp_path)

    for metric in ("field_accuracy", "numeric_accuracy", "teds_score"):
        assert demo.metric("base", metric) < 0.05
        assert demo.metric("tuned", metric) > MIN_ACCURACY
    assert demo.metric("template", "field_accuracy") > MIN_ON_UNSEEN_TEMPLATE
