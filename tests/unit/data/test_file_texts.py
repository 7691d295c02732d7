"""A text that names a file is told from document text."""

import time

import pytest

from finscribe_trainer.data.file_texts import names_file, names_file_below

FILES = [
    *("images/1.png", "invoice 7.HEIC", "Invoice_0001.PDF\n", "rechnung.gif", "x.svg", "scans/7.xyz"),
    *("images/train-0000", "./1", "../images/1", "~/scan", "/mnt/data/1", r"C:\scans\1", r"\\server\x\1"),
    *("https://x.example/1.png?signature=a", "https://x.example/page?id=1", "s3://bucket/1", "file:///x/1"),
    *("1.png#top", "'images/1.png'", "![](images/1.png)", '["images/1.png"]', "images/1.png images/2.png"),
    *("data:image/png;base64,AAAA", "/9j/" + "4AAQ" * 50, "iVBORw0KGgo" + "AAAA" * 50),
]
TEXTS = [
    *(
        "Total 20.00",
        "12.00",
        "a/b testing",
        "01/02/2026",
        "1/2",
        "24/7",
        "10.50/unit",
        "1.234,50/Stk",
        "3.5%/a",
    ),
    *("km/h", "and/or", "USD/EUR", "N/A", "c/o", "Qty/Unit", "e.g./i.e.", "Mr./Mrs. Smith", "/month"),
    *("INV/2024/00012", "2024/INV/0012", "GmbH & Co. KG", "Acme Inc.", "v1.2/3", "info@acme.example"),
    *("www.acme.example", "see https://x.example for more", "the data/pipeline of 2020", "C: 12", ".png", ""),
    *("Mr./Mrs.Smithson/x", "a/b.cd/efg", "Is this a.png? Yes", "Order #5 of a.png today"),
    *("Total\nimages/1.png", "images/1.png\nTotal 12.00"),
]


@pytest.mark.parametrize("text", FILES)
def test_a_line_that_names_a_file_is_no_document_text(text):
    assert names_file(text)


@pytest.mark.parametrize("text", TEXTS)
def test_document_text_names_no_file(text):
    assert not names_file(text)


THERE = {"0001": True, "pages_7/0002": True, "pages_7": False, "0002": False, "km/h": False, "/month": False}
THERE |= {
    "": False,
    ".": False,
    "..": False,
    "./": False,
    "x" * 5000: False,
    "a\0": False,
    "0001 0001": False,
}


@pytest.mark.parametrize(("text", "expected"), THERE.items())
def test_a_word_names_a_file_if_that_or_its_folder_exists(text, expected, tmp_path):
    (tmp_path / "pages_7").mkdir()
    (tmp_path / "0001").touch()
    assert names_file_below(tmp_path, text) == expected


@pytest.mark.parametrize("text", ["word " * 10**6, "a/" * 10**6, "a.b/" * 10**6, "a/b." * 1000, "?#" * 2000])
def test_long_texts_are_decided_quickly(text):
    start = time.process_time()
    assert not names_file(text)
    assert time.process_time() - start < 1
