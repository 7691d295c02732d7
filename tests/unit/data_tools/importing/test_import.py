"""An import writes rows that training reads, continues after a stop, and replaces nothing."""

import json
import os
import signal
from dataclasses import replace
from threading import Timer

import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data import page_process
from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.page_process import PageProcess
from finscribe_trainer.data_tools.importing import import_data as module
from finscribe_trainer.data_tools.importing.import_data import Request, import_data
from tests.support.command import finscribe
from tests.unit.data_tools.importing.documents import HEIC, encrypted_pdf, page, pdf

PAGES = PageOptions(dpi=72)


@pytest.fixture
def folder(tmp_path):
    """Documents of every kind with their data, and three that can't be used."""
    source = tmp_path / "in"
    source.mkdir()
    pdf(source / "a.pdf", 20, 40)
    (source / "b.heic").write_bytes(HEIC)
    page(30).save(source / "c.tif", save_all=True, append_images=[page(10)])
    page().save(source / "d.png")
    (source / "e.pdf").write_bytes(b"%PDF-1.7\n" + bytes(500))
    encrypted_pdf(source / "f.pdf", "secret")
    pdf(source / "g.pdf", *[20] * 5)
    for number, name in enumerate("abcdefg"):
        (source / f"{name}.json").write_text(json.dumps({"Belegnr": f"R-{number}", "Summe": "1.000,50 €"}))
    return source


def test_documents_become_rows_whose_pages_are_in_order(folder, tmp_path):
    out = tmp_path / "out"
    outcome = import_data(Request(folder, out, pages=replace(PAGES, max_pages=4)))

    assert (outcome.recognition.format, outcome.rows, outcome.pages, outcome.kinds) == (
        "pdf-json",
        4,
        6,
        {"other fields": 4},
    )
    examples = load_dataset(DataFile(out / "rows.jsonl", "rows.jsonl"), 10**6).examples
    assert [example.row.images for example in examples] == [
        ("pages/a.pdf-1.png", "pages/a.pdf-2.png"),
        ("pages/b.heic-1.jpg",),
        ("pages/c.tif-1.png", "pages/c.tif-2.png"),
        ("pages/d.png",),
    ]
    assert [example.row.turns[0].num_images for example in examples] == [2, 1, 2, 1]
    boxes = [
        Image.open(path).convert("L").point(lambda v: 255 * (v < 99)).getbbox() for path in examples[0].images
    ]
    assert [box[0] // 10 for box in boxes] == [2, 4]
    assert (out / "pages/d.png").samefile(folder / "d.png")
    report = json.loads((out / "import.json").read_text())
    assert [(item["where"], item["reason"].split(" ", 1)[1][:15]) for item in report["dropped"]] == [
        ("e.json", "is no readable "), ("f.json", "is encrypted, a"), ("g.json", "has 5 pages, mo"),
    ]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == ["import.json", "pages", "rows.jsonl"]


def test_a_mapping_is_proposed_first_and_then_applied(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FINSCRIBE_PDF_PASSWORD", "secret")
    command = ["data", "import", "in", "out", "--mapping", "fields.yaml", "--dpi", "72"]
    first = finscribe(command, tmp_path)
    assert first.exit_code == 0, first.output
    assert "Wrote fields.yaml: look through it" in first.output
    assert not (tmp_path / "out").exists()
    proposal = (tmp_path / "fields.yaml").read_text()
    assert 'Belegnr: null  # in 7 of 7, such as "R-0"' in proposal
    (tmp_path / "fields.yaml").write_text(proposal.replace("Belegnr: null", "Belegnr: invoice_number"))
    (folder / "d.json").write_text('{"Summe": "1,234.50", "Ort": "Kiel"}')
    (folder / "c.json").write_text('{"Summe": "1.234,50", "Ort": "Kiel"}')

    second = finscribe(command, tmp_path)
    assert second.exit_code == 0, second.output
    assert "dropped d.json: Summe: '1,234.50' is no amount with ',' before the decimals." in second.output
    assert "left out 'Ort' of 1 documents, which is not in fields.yaml." in second.output
    assert "Next: finscribe data validate --input out/rows.jsonl\n" in second.output
    assert "secret" not in second.output + "".join(
        path.read_text() for path in (tmp_path / "out").glob("*.json*")
    )
    rows = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    first_pages = ["a.pdf-1.png", "b.heic-1.jpg", "c.tif-1.png", "f.pdf-1.png", "g.pdf-1.png"]
    assert [row["images"][0] for row in rows] == [f"pages/{name}" for name in first_pages]
    assert json.loads(rows[0]["completion"]) == {
        "document_type": "receipt",
        "invoice_number": "R-0",
        "financial_summary": {"grand_total": "1000.50", "currency": "EUR"},
    }

    again = finscribe(command, tmp_path)
    assert "out is not empty: it holds" in str(again.exception)
    strict = finscribe([*command, "--overwrite", "--strict"], tmp_path)
    assert "2 documents were dropped (--strict)" in str(strict.exception)


def test_an_import_that_was_killed_continues_and_changed_settings_are_refused(folder, tmp_path, monkeypatch):
    out, request = tmp_path / "out", Request(folder, tmp_path / "out", pages=PAGES)
    written = []

    def stop_at_third(document, *arguments):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(document.where)
        return real(document, *arguments)

    real = module._entry
    monkeypatch.setattr(module, "_entry", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        import_data(request)
    with (out / "import.unfinished.jsonl").open("a") as journal:
        journal.write('{"where": "c.j')  # a killed process leaves half a line
    with pytest.raises(UserError, match="unfinished import with another source or other settings"):
        import_data(replace(request, prompt="Other."))

    monkeypatch.setattr(
        module, "_entry", lambda *arguments: written.append(arguments[0].where) or real(*arguments)
    )
    assert import_data(request).rows == 5
    assert written == [f"{name}.json" for name in "abcdefg"]
    fresh = import_data(replace(request, output=tmp_path / "fresh"))
    assert fresh.rows == 5
    assert (tmp_path / "fresh/rows.jsonl").read_bytes() == (out / "rows.jsonl").read_bytes()


def test_an_output_in_the_source_and_a_source_without_any_usable_document_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="which would be imported again"):
        import_data(Request(folder, folder / "out"))
    for path in folder.glob("[a-dg]*"):
        path.unlink()
    with pytest.raises(
        UserError, match=r"e\.json: 'e\.pdf' .*\n.*f\.pdf.*\n.*no document became a row"
    ) as caught:
        import_data(Request(folder, tmp_path / "out"))
    assert caught.value.reason is FailureReason.DatasetInvalid
    assert list((tmp_path / "out").iterdir()) == []


def test_a_document_that_kills_or_hangs_its_decoder_is_dropped_and_the_next_one_is_read(folder, tmp_path):
    with PageProcess(PAGES, seconds=30) as process:
        process.write(folder / "a.pdf", tmp_path / "a")
        os.kill(process._process.pid, signal.SIGSTOP)
        process._seconds = 0.2
        with pytest.raises(ImageError, match=r"'b\.heic' takes more than 0\.2 s"):
            process.write(folder / "b.heic", tmp_path / "b")
        process._seconds = 30
        assert len(process.write(folder / "a.pdf", tmp_path / "a")) == 2
        os.kill(process._process.pid, signal.SIGSTOP)
        Timer(0.3, process._process.kill).start()
        with pytest.raises(ImageError, match=r"'a\.pdf' stops its decoder"):
            process.write(folder / "a.pdf", tmp_path / "a")


def test_no_page_of_a_document_is_kept_when_a_later_one_is_damaged(tmp_path):
    path = tmp_path / "a.tif"
    page().save(path, save_all=True, append_images=[page(size=(2000, 1000))])
    with pytest.raises(ImageError, match="page 2 has 2000 x 1000 pixels, more than"):
        page_process._write_pages(path, tmp_path / "a", PageOptions(max_pixels=10**6))
    assert list(tmp_path.iterdir()) == [path]
