from dataclasses import replace

import pytest

from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.evaluation.calibration import Calibration, Curve
from finscribe_trainer.evaluation.results import DataInfo
from finscribe_trainer.metrics.straight_through import Threshold, share
from finscribe_trainer.prediction.records import Prediction, Review, from_line, reviewed, to_line

CALIBRATION = Calibration(
    1,
    DataInfo("val.jsonl", "0" * 64, 100, 100),
    0.01,
    share(90, 100),
    expects_json=True,
    document=Curve(1.0, -1.0),
    field=Curve(1.0, 0.0),
    thresholds=(Threshold(0.95, 0.5, 80, 0),),
)
ANSWER = Prediction("a.png", {"total": "1"}, {"total": 0.9}, probability=0.8)
PROBLEM = Problem("arithmetic", "total", "does not add up", "Correct it.")
CASES = {
    "sure": (ANSWER, 0.95, False),
    "not sure": (replace(ANSWER, probability=0.5), 0.95, True),
    "sure, with a problem": (replace(ANSWER, problems=[PROBLEM]), 0.95, True),
    "an answer of an earlier version": (replace(ANSWER, probability=None), 0.95, True),
    "a document that can't be read": (Prediction("a.png", error="damaged"), 0.95, True),
    "a precision that no threshold reaches": (ANSWER, 0.99, True),
}


@pytest.mark.parametrize(("prediction", "precision", "needs_review"), CASES.values(), ids=CASES)
def test_a_document_needs_review_unless_its_confidence_is_above_the_threshold(
    prediction, precision, needs_review
):
    assert reviewed(prediction, Review(CALIBRATION, precision)).needs_review is needs_review


def test_a_calibrated_prediction_survives_its_line_and_loses_nothing_without_calibration():
    found = reviewed(ANSWER, Review(CALIBRATION, 0.95))
    assert found.calibrated == {"total": 0.9}
    assert found.document_confidence == pytest.approx(0.5954, abs=1e-4)
    assert from_line(to_line(found)) == found
    assert reviewed(found, None) == ANSWER
