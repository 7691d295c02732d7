import re
from pathlib import Path

import pytest
from PIL import Image

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import GateSpec, TrainerConfig
from finscribe_trainer.evaluation.compare import Comparison, compare
from finscribe_trainer.evaluation.gate import Reference, judge
from finscribe_trainer.evaluation.report.boxes import Box, boxes_by_row
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.evaluation.report.html import html
from finscribe_trainer.evaluation.report.markdown import markdown
from finscribe_trainer.evaluation.report.shown_documents import shown_documents
from finscribe_trainer.evaluation.report.side_by_side import side_by_side
from finscribe_trainer.evaluation.report.training_view import view_training
from finscribe_trainer.evaluation.report.write import write_reports
from tests.support.comparison import results_of
from tests.support.html_elements import Elements

HOSTILE = "| `[a](b)` \n# big $x^2$ </td></svg><script>alert(1)</script></style><img src=x onerror=alert(1)>"
GOLD = {"vendor": {"name": "Acme"}, "total": "12.50", HOSTILE: HOSTILE}


def comparison_of(gold, base, tuned, images=()) -> Comparison:
    return compare(
        results_of("base-model", [(gold, base)], images), results_of("tuned-model", [(gold, tuned)], images)
    )


@pytest.fixture(scope="module")
def hostile() -> Comparison:
    return comparison_of(GOLD, {**GOLD, HOSTILE: f"{HOSTILE}!"}, {"total": HOSTILE, HOSTILE: f"{HOSTILE}?"})


@pytest.fixture(scope="module")
def page(hostile) -> str:
    return html(hostile)


def test_hostile_texts_of_documents_stay_texts_on_the_page(page):
    elements = Elements(page).found
    assert {tag for tag, _ in elements} & {"script", "iframe", "object", "link", "form", "a"} == set()
    assert [name for _, attributes in elements for name in attributes if name.startswith("on")] == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_hostile_texts_of_documents_stay_texts_in_markdown(hostile):
    text = markdown(hostile)
    assert "<" not in text
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    for table in tables:
        # An unescaped text would add cells: every row must have as many as the header.
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert r"\| \`\[a\](b)\` # big" in text.replace(r"\#", "#")


def test_the_page_is_self_contained(page):
    addresses = [
        value for _, a in Elements(page).found for name, value in a.items() if name in ("src", "href")
    ]
    assert all(address.startswith("data:") for address in addresses)
    assert re.findall(r"@import|url\((?!#)", page) == []


def test_an_id_occurs_once_and_every_reference_has_its_target(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_the_same_comparison_gives_the_same_bytes(hostile, page):
    assert html(hostile) == page


def test_pages_of_documents_are_inlined_small_and_upright(tmp_path):
    page = tmp_path / "page.png"
    Image.new("RGB", (3000, 1500), "white").save(page)
    images = [
        attributes
        for tag, attributes in Elements(
            html(comparison_of(GOLD, GOLD, {}, ["page.png"]), {"page.png": page})
        ).found
        if tag == "img"
    ]
    assert len(images) == 1
    assert images[0]["src"].startswith("data:image/jpeg;base64,")
    assert len(images[0]["src"]) < 30_000


@pytest.mark.parametrize("content", [None, b"no image"], ids=["not there", "no image"])
def test_a_page_that_is_not_on_this_machine_is_reported_missing(tmp_path, content):
    page = tmp_path / "page.png"
    if content is not None:
        page.write_bytes(content)
    assert "Page 1 was not found on the machine that wrote this report." in html(
        comparison_of(GOLD, GOLD, {}, ["page.png"]), {"page.png": page}
    )
    assert "Page 1 was not found" in html(comparison_of(GOLD, GOLD, {}, ["page.png"]))


SHOWN = {
    "one": ([0], [1], ["typical 1"]),
    "three": ([0, 0, 0], [2, 1, 3], ["best 3", "typical 1", "worst 2"]),
    "eight": (
        [0] * 8,
        [1, 4, 2, 3, 0, 3, 4, 2],
        ["best 2", "best 7", "typical 6", "typical 3", "worst 1", "worst 5"],
    ),
    "the worst has regressed": ([4, 0, 0], [0, 1, 3], ["regressed 1", "best 3", "typical 2"]),
}


@pytest.mark.parametrize(("base", "tuned", "expected"), SHOWN.values(), ids=SHOWN)
def test_a_report_shows_each_document_once_from_the_best_to_the_worst(base, tuned, expected):
    fields = {name: name for name in "abcd"}
    answers = [
        [(fields, dict(list(fields.items())[:correct])) for correct in corrects] for corrects in (base, tuned)
    ]
    sections = shown_documents(compare(results_of("base", answers[0]), results_of("tuned", answers[1])))
    shown = [one for _, documents in sections for one in documents]
    assert [f"{one.kind} {one.document.base.where.rpartition(':')[2]}" for one in shown] == expected


def test_an_answer_without_json_is_shown_as_it_is_beside_all_values():
    page = html(comparison_of(GOLD, "Acme\nTotal 12.50", GOLD))
    assert page.count('aria-label="wrong"') == 1
    assert page.count('aria-label="correct"') == len(GOLD)
    assert '<div class="text">Acme\nTotal 12.50</div>' in page


def test_the_correct_values_of_a_small_document_are_shown_too():
    page = html(
        comparison_of({"vendor": "Acme", "total": "7"}, {"total": "7"}, {"vendor": "Acme", "total": "8"})
    )
    marks = re.findall(r'aria-label="(correct|wrong)"', page)
    assert marks == ["wrong", "correct", "correct", "wrong"]


def test_a_huge_document_is_truncated_with_the_number_omitted():
    gold = {f"field{number}": str(number) for number in range(1000)} | {"text": "x" * 100_000}
    comparison = comparison_of(gold, {}, gold)
    page, text = html(comparison), markdown(comparison)
    assert len(page) < 600_000
    assert "941 more differ." in page
    assert "501 more are in the results files." in page
    assert "more characters" in page
    assert len(text) < 10**5
    assert "801 more fields are in the results files." in text
    assert "991 more fields differ." in text


def test_notes_on_the_training_are_shown_before_the_caveats():
    comparison = comparison_of(GOLD, GOLD, {})
    note = "The model seems to be under-trained."
    findings = Findings((note,))
    for text in (html(comparison, findings=findings), markdown(comparison, findings)):
        plain = text.replace("\\", "")
        assert plain.index(note) < plain.index("strict JSON")


def test_a_report_on_documents_without_fields_states_it():
    comparison = comparison_of({}, {}, {})
    for text in (html(comparison), markdown(comparison)):
        assert "No document has a field" in text.replace("&#39;", "'")


def test_a_lone_surrogate_in_an_answer_does_not_prevent_the_report(tmp_path):
    broken = '{"vendor": {"name": "\\ud800"}}'
    for path in write_reports(comparison_of(GOLD, GOLD, broken), tmp_path / "report.md"):
        assert path.read_text(encoding="utf-8")


def test_values_are_aligned_with_the_answers_values():
    gold = {"line_items": [{"description": d, "quantity": "1"} for d in ("chair", "desk", "lamp")]}
    without_first = {"line_items": gold["line_items"][1:]}
    with_one_more = {"line_items": [*gold["line_items"], {"description": "sofa"}]}
    comparison = comparison_of(gold, without_first, with_one_more)
    compared = side_by_side(comparison.documents[0])
    assert [(leaf.path, leaf.gold, leaf.base) for leaf in compared.leaves if leaf.differs] == [
        ("line_items[0].description", "chair", None),
        ("line_items[0].quantity", "1", None),
    ]
    assert (compared.base_extra, compared.tuned_extra) == (0, 1)


def test_values_shown_as_correct_are_those_that_field_accuracy_counts():
    """Two views of one document must not contradict each other."""
    cases = [(GOLD, {"total": 12.5}), ("plain  text", "plain text"), (GOLD, "no JSON"), ([1, 2, 3], [1, 3])]
    for gold, predicted in cases:
        document = comparison_of(gold, predicted, predicted).documents[0]
        ratio = document.base.score.metrics["field_accuracy"]
        compared = side_by_side(document).leaves
        assert (sum(leaf.base_correct for leaf in compared), len(compared)) == tuple(ratio)


def test_every_document_is_on_the_page_with_the_filters_that_it_fits():
    gold = {"document_type": "invoice", "total": "7", "vendor": "Acme"}
    receipt = {**gold, "document_type": "receipt"}
    base = [(gold, {**gold, "total": "8"}), (gold, gold), (receipt, receipt)] + [(gold, gold)] * 7
    tuned = [(gold, gold), (gold, "Acme 7"), (receipt, {**receipt, "total": "70"})] + [(gold, gold)] * 7
    page = html(compare(results_of("base", base), results_of("tuned", tuned)))
    classes = [
        set((attributes["class"] or "").split())
        for tag, attributes in Elements(page).found
        if tag == "article"
    ]
    assert len(classes) == 10
    counts = {name: sum(name in one for one in classes) for name in set().union(*classes)}
    assert counts == {
        **{"improved": 1, "unchanged": 7, "regressed": 2, "imperfect": 2, "no-json": 1},
        **{"example": 6, "type-0": 9, "type-1": 1},
    }
    for label in ("Examples 6", "All 10", "Regressed 2", "receipt 1"):
        assert f">{label}</label>" in page
    for name in ("example", "regressed", "no-json"):
        assert f".documents:has(#show-{name}:checked) article:not(.{name})" in page


def test_the_characters_of_a_wrong_value_that_differ_are_marked():
    page = html(
        comparison_of(
            {"total": "12.50 <b>", "vendor": "Acme Ltd"}, {}, {"total": "12.60 <b>", "vendor": "Acme"}
        )
    )
    assert '12.<mark class="mark-wrong">6</mark>0 &lt;b&gt;' in page
    assert "Acme<del> Ltd</del>" in page


def test_boxes_of_a_ground_truth_are_drawn_on_its_page_and_say_which_values_are_correct(tmp_path):
    page = tmp_path / "page.png"
    Image.new("RGB", (2000, 1000), "white").save(page)
    lines = [{"text": HOSTILE, "bbox": [10, 20, 110, 60]}, {"text": "b", "bbox": [10, 80, 110, 120]}]
    gold = {"line_items": [*lines, {"text": "c", "bbox": ["<x>", 1, 2, 3]}]}
    wrong = {"line_items": [lines[0], {"text": "x"}, {"text": "c"}]}
    text = html(comparison_of(gold, {}, wrong, ["page.png"]), {"page.png": page})
    drawn = [
        attributes for tag, attributes in Elements(text).found if tag == "rect" and "class" in attributes
    ]
    assert [(one["x"], one["width"], one["class"]) for one in drawn] == [
        ("10.0", "100.0", "is-good"),
        ("10.0", "100.0", "is-bad"),
    ]
    assert 'viewBox="0 0 2000 1000"' in text


def test_boxes_of_synthetic_rows_are_found_beside_their_answers(tmp_path):
    rows = tmp_path / "test.jsonl"
    rows.write_text(
        '{"boxes": {"total": [1, 2, 30, 40]}}\n{}\nnot JSON "boxes"\n{"boxes": {"total": [5, 5, 5, 5]}}\n'
    )
    wheres = [f"test.jsonl:{line}" for line in range(1, 5)]
    expected = {"test.jsonl:1": [Box("total", 1, 2, 30, 40)]}
    for source in (rows, tmp_path):
        assert boxes_by_row(str(source), wheres) == expected
    assert boxes_by_row("s3://bucket/test.jsonl", wheres) == {}


def test_the_report_of_a_run_has_its_loss_curves_and_settings():
    metrics = {
        "train_history": [{"step": 5, "loss": 2.0}, {"step": 10, "loss": 1.0}],
        "eval_history": [{"step": 10, "eval_loss": 1.5}, {"step": 20, "eval_loss": float("nan")}],
        "best_step": 10,
        "base_eval_loss": 3.0,
        "steps": 10,
    }
    config = TrainerConfig(dataset_path="<train>.jsonl", training={"learning_rate": 1e-3})
    page = html(comparison_of(GOLD, GOLD, {}), training=view_training(config, metrics))
    assert "training loss from 2 at 5 to 1 at 10; validation loss from 1.5 at 10 to 1.5 at 10" in page
    assert page.count("<polyline") == 3
    assert "&lt;train&gt;.jsonl" in page
    assert "0.001" in page


def test_an_existing_report_is_replaced_but_no_other_file(tmp_path):
    output = tmp_path / "new" / "report.md"
    comparison = comparison_of(GOLD, GOLD, {})
    assert write_reports(comparison, output) == (output, output.with_suffix(".html"))
    write_reports(comparison, output)
    assert sorted(path.name for path in output.parent.iterdir()) == ["report.html", "report.md"]

    output.write_text("# My notes\n")
    with pytest.raises(UserError, match="is not a report"):
        write_reports(comparison, output)
    assert output.read_text() == "# My notes\n"


def test_a_report_has_the_suffix_of_markdown(tmp_path):
    with pytest.raises(UserError, match=r"does not end in \.md"):
        write_reports(comparison_of(GOLD, GOLD, {}), Path(tmp_path / "report.html"))


def test_a_report_shows_which_field_failed_the_gate_and_the_kinds_of_errors():
    gold = {"total": "1", "vendor": "2"}
    after = [(gold, {"vendor": "2", HOSTILE: "3"})] * 20 + [(gold, {**gold, "total": "7"})] * 40
    comparison = compare(results_of("base", [(gold, gold)] * 60), results_of("tuned", after))
    gate = GateSpec.model_validate({"against": "Promoted", "per_field": {}})
    findings = Findings(judgement=judge(gate, Reference(comparison.base, "invoices-1"), comparison.tuned))

    text, page = markdown(comparison, findings), html(comparison, findings=findings)

    assert "## Evaluation gate: failed" in text
    assert re.search(r"^\| total \| 100.0% \| 0.0% \| .*\| 60 \| fails \|$", text, flags=re.MULTILINE)
    assert re.search(r"^\| vendor \| 100.0% \| 100.0% \| .* \| passes \|$", text, flags=re.MULTILINE)
    assert "| total | 0 → 20 | 0 → 40 | 0 → 0 |" in text
    assert "| all fields | 0 → 20 | 0 → 40 | 0 → 20 |" in text
    assert "<h2>Evaluation gate: failed</h2>" in page
    assert page.count('<b class="bad">fails</b>') == 1
    assert "the promoted run invoices-1" in page
    assert "<script" not in page
