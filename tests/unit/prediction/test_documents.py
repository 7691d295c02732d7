"""Every kind of input becomes documents; one that can't be read has the reason, and stops no other."""

import json
from pathlib import Path

import pytest
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.rows import Turn
from finscribe_trainer.prediction.documents import find_documents
from finscribe_trainer.storage import Storage
from tests.unit.data_tools.importing.documents import encrypted_pdf, page, pdf

PROMPT = "Read it."


@pytest.fixture
def inbox(tmp_path, monkeypatch):
    """Pages in two folders, and files that are none."""
    monkeypatch.chdir(tmp_path)
    for name in ("inbox/b.png", "inbox/a/1.PNG", "inbox/.hidden/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "inbox/notes.txt").write_text("no page")
    return tmp_path / "inbox"


def find(*inputs, downloads=Path("downloads")):
    storage = Storage.from_config(StorageEndpoint())
    return find_documents(inputs, PROMPT, PageOptions(max_pages=3), downloads, storage)


def turns_of(document):
    return document.example.row.turns


def test_a_folder_has_its_images_and_those_of_its_subfolders(inbox):
    found = find("inbox", "inbox/b.png")
    assert [document.name for document in found] == ["inbox/a/1.PNG", "inbox/b.png"]
    assert all(turns_of(document) == (Turn("user", PROMPT, 1),) for document in found)
    assert {document.example.images for document in found} == {(inbox / "a/1.PNG",), (inbox / "b.png",)}


def test_files_that_are_no_readable_page_have_the_reason(inbox):
    (inbox / "c.png").write_bytes(b"\x89PNG broken")
    (inbox / "photo.heic").write_bytes(b"no image")
    errors = {document.name: document.error for document in find("inbox") if document.example is None}
    assert errors.keys() == {"inbox/c.png", "inbox/photo.heic"}
    assert "photo.heic" in errors["inbox/photo.heic"]


def test_a_document_of_pages_has_all_of_them_in_their_order(inbox):
    pdf(inbox / "c.pdf", 20, 40, 30)
    page(20).save(inbox / "d.tif", save_all=True, append_images=[page(40)])
    page(20).save(inbox / "e.tiff")
    pdf(inbox / "f.pdf", 20, 20, 20, 20)
    encrypted_pdf(inbox / "g.pdf", "secret")
    found = {document.name: document for document in find("inbox")}
    read = {name: len(document.example.images) for name, document in found.items() if document.example}
    assert read == {
        **{"inbox/a/1.PNG": 1, "inbox/b.png": 1},
        **{"inbox/c.pdf": 3, "inbox/d.tif": 2, "inbox/e.tiff": 1},
    }
    assert turns_of(found["inbox/c.pdf"]) == (Turn("user", PROMPT, 3),)
    first, second, third = (Image.open(path).tobytes() for path in found["inbox/c.pdf"].example.images)
    assert len({first, second, third}) == 3
    assert "4 pages" in found["inbox/f.pdf"].error
    assert "encrypted" in found["inbox/g.pdf"].error


ROWS = {
    "an image alone": ({"image": "b.png"}, PROMPT, 1),
    "an instruction": ({"instruction": "Total?", "input": "b.png"}, "Total?", 1),
    "a text": ({"instruction": "Total?", "input": "Tea 2.50"}, "Total?\nTea 2.50", 0),
    "a prompt": ({"prompt": "Total?", "image": "b.png"}, "Total?", 1),
    "a message": ({"messages": [{"role": "user", "content": "Total?"}], "images": ["b.png"]}, "Total?", 1),
    "an empty answer": ({"instruction": "Total?", "input": "b.png", "output": ""}, "Total?", 1),
    "an answer, which is not used": ({"prompt": "Total?", "completion": "7", "image": "b.png"}, "Total?", 1),
    "an answer in messages": (
        {
            "messages": [{"role": "user", "content": "Total?"}, {"role": "assistant", "content": "7"}],
            "image": "b.png",
        },
        "Total?",
        1,
    ),
}


@pytest.mark.parametrize(("row", "prompt", "images"), ROWS.values(), ids=ROWS)
def test_a_row_needs_no_answer(row, prompt, images, inbox):
    (inbox / "rows.jsonl").write_text(json.dumps(row) + "\n")
    [document] = find("inbox/rows.jsonl")
    assert document.name == "inbox/rows.jsonl:1"
    assert turns_of(document) == (Turn("user", prompt, images),)
    assert document.example.row.completion == ""


def test_rows_that_are_none_have_the_reason(inbox):
    rows = ['{"image', '{"image": "none.png"}', '{"total": 7}', '{"image": "b.png"}']
    (inbox / "rows.jsonl").write_text("\n".join(rows) + "\n")
    found = find("inbox/rows.jsonl")
    assert [bool(document.example) for document in found] == [False, False, False, True]
    assert all(document.error for document in found[:3])


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_an_input_without_a_document_is_an_error(name, inbox):
    inbox.with_name("empty").mkdir()
    with pytest.raises(UserError, match=name) as caught:
        find("inbox", name)
    assert caught.value.reason is FailureReason.DatasetNotFound


def test_pages_and_rows_are_read_from_a_bucket(inbox, s3_server, s3_env, tmp_path):
    bucket = s3_server.create_bucket()
    page = (inbox / "b.png").read_bytes()
    objects = {
        "in/1.png": page,
        "in/deep/2.png": page,
        "in/notes.txt": b"",
        "rows.jsonl": b'{"image": "in/1.png"}\n{"image": "in/none.png"}\n',
    }
    for key, body in objects.items():
        s3_server.client().put_object(Bucket=bucket, Key=key, Body=body)
    uri = f"s3://{bucket}"
    found = find(f"{uri}/in/", f"{uri}/in/1.png", f"{uri}/rows.jsonl", downloads=tmp_path / "downloads")
    assert [(document.name, bool(document.example)) for document in found] == [
        (f"{uri}/in/1.png", True),
        (f"{uri}/in/deep/2.png", True),
        (f"{uri}/rows.jsonl:1", True),
        (f"{uri}/rows.jsonl:2", False),
    ]
    with pytest.raises(UserError, match="nothing/"):
        find(f"{uri}/nothing/", downloads=tmp_path / "downloads")


def test_the_fingerprint_is_that_of_prompt_and_image_not_of_the_name(inbox):
    Image.new("RGB", (8, 8), "red").save(inbox / "red.png")
    (inbox / "rows.jsonl").write_text('{"image": "b.png"}\n{"prompt": "Total?", "image": "b.png"}\n')
    same, other, red = (
        [document.fingerprint for document in find(name)]
        for name in ("inbox/rows.jsonl", "inbox/b.png", "inbox/red.png")
    )
    assert same[0] == other[0]
    assert len({*same, *other, *red}) == 3
