from dataclasses import replace

import numpy as np
import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.evaluation.calibration import (
    CALIBRATION_FILE,
    calibrate,
    fit_curve,
    read_calibration,
    straight_through,
    write_calibration,
)
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.metrics.straight_through import share
from tests.support.comparison import results_of

GOLD = {"total": "1", "vendor": "2"}


def results(*documents):
    """Results of (confidence, whether the answer is right) for each document."""
    found = results_of("tuned", [(GOLD, GOLD if right else {**GOLD, "total": "7"}) for _, right in documents])
    records = [
        replace(record, confidence=confidence, field_confidences={"total": confidence, "vendor": 0.99})
        for record, (confidence, _) in zip(found.documents, documents, strict=True)
    ]
    return replace(found, documents=tuple(records))


SURE_AND_UNSURE = results(*[(0.9 + index / 2000, True) for index in range(120)], *[(0.2, False)] * 60)


def test_sure_documents_need_no_human_and_unsure_ones_do():
    calibration = calibrate(SURE_AND_UNSURE)

    assert [threshold.precision for threshold in calibration.thresholds] == [0.95]
    assert (calibration.threshold(0.95).above, calibration.threshold(0.95).accepted) == (0.2, 120)
    assert calibration.right.count == 120
    assert calibration.document(0.95) > 0.9
    assert calibration.document(0.2) < 0.3
    assert calibration.field(0.99) > calibration.field(0.2)
    at_95, at_99 = straight_through(calibration, results((0.95, True), (0.5, False), (0.1, True)))
    assert (at_95.accepted.value, at_95.right.value) == (2 / 3, 1 / 2)
    assert at_99.accepted.value == 0


def test_a_wrong_value_is_an_error_and_an_invented_one_too():
    [record] = results((0.9, True)).documents
    invented = results_of("tuned", [(GOLD, {**GOLD, "tax": "3"})] * 60)
    records = [replace(one, confidence=0.9) for one in invented.documents]
    assert calibrate(replace(invented, documents=tuple(records))).right.count == 0
    assert calibrate(replace(invented, documents=(record,) * 60)).right.count == 60


def test_a_curve_returns_the_shares_of_right_answers():
    random = np.random.default_rng(0)
    probabilities = random.random(4000)
    curve = fit_curve(zip(probabilities, random.random(4000) < probabilities**2, strict=True))
    for probability in (0.3, 0.6, 0.9):
        assert curve(probability) == pytest.approx(probability**2, abs=0.08)
    assert curve(0.0) < 0.01
    assert fit_curve([(0.5, True)] * 9) is None


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    calibration = calibrate(SURE_AND_UNSURE)
    write_calibration(calibration, tmp_path)
    assert read_calibration(tmp_path) == calibration
    assert read_calibration(tmp_path / "none") is None


@pytest.mark.parametrize(("content", "problem"), [(b"{", "Invalid JSON"), (b"{}", "version: Field required")])
def test_a_damaged_calibration_is_refused(tmp_path, content, problem):
    (tmp_path / CALIBRATION_FILE).write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_calibration(tmp_path)


def test_a_calibration_of_another_version_is_refused(tmp_path):
    write_calibration(replace(calibrate(SURE_AND_UNSURE), version=9), tmp_path)
    with pytest.raises(UserError, match="its version is 9, not 1"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("right", "documents", "precision", "why"),
    [
        (200, 200, 0.99, "it needs at least 459 answered validation documents; you have 200"),
        (89, 89, 0.95, "it needs at least 90 answered validation documents; you have 89"),
        (300, 459, 0.99, "no threshold reaches it; 300 of 459 validation documents are right"),
    ],
)
def test_why_nothing_is_promised_is_said_with_the_number_of_documents_it_needs(
    right, documents, precision, why
):
    calibration = replace(calibrate(SURE_AND_UNSURE), right=share(right, documents))
    assert calibration.why_no_threshold(precision) == why


def test_a_report_says_what_is_promised_and_that_documents_are_too_few():
    calibration = calibrate(SURE_AND_UNSURE)
    findings = Findings(calibration=calibration, unattended=straight_through(calibration, SURE_AND_UNSURE))
    rows = list(findings.straight_through_rows())
    assert rows[0][:2] == ("95.0%", "66.7% [59.3%, 73.5%] of 180")
    assert rows[0][3] == "120 accepted, 0 of them not right"
    assert rows[1] == (
        "99.0%",
        "none",
        "",
        "it needs at least 459 answered validation documents; you have 180",
    )
    assert "180 validation documents; 66.7% of them are right" in findings.straight_through_legend
