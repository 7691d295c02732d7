"""docs/your-documents.md on 60 PDFs in other field names, and the example that serves the result."""

import base64
import json
import shutil
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from finscribe_trainer.data_tools.sample.dataset import write_dataset
from finscribe_trainer.model.built_in import find_built_in_model
from tests.integration.docs.shell import call, environment, finscribe_lines
from tests.support.german_answers import in_german
from tests.support.served import served
from tests.unit.docs.pages import ALL, ROOT

pytestmark = pytest.mark.timeout(900)

NUM_DOCUMENTS, NUM_UNLABELLED = 60, 2
LOCAL = ("data", "plan", "train", "evaluate", "compare", "predict")
"""The commands that need no cluster."""
LINES = finscribe_lines("docs/your-documents.md", *LOCAL)
[SERVER] = [line for line in ALL["docs/your-documents.md"].tested_commands if line.startswith("python ")]
RUN = [*LINES, SERVER]
FEW_TOKENS = "--max-new-tokens 12"
SHORTER = {
    "train": "--set training.learning_rate=1e-4 --set training.max_steps=2 --set evaluation.max_new_tokens=12"
    " --set evaluation.training_documents=0 --set training.dataloader_num_workers=0",
    "evaluate": FEW_TOKENS,
    "compare": FEW_TOKENS,
    "predict": FEW_TOKENS,
}
"""What is appended to lines that would take long; all else is as on the page."""


def write_pdf(image: Path, pdf: Path) -> None:
    """One page of the same pixels, at the resolution that an import renders."""
    Image.open(image).save(pdf, resolution=200, quality=95)


def run(line: str, folder: Path) -> str:
    """What a command of the page prints."""
    return call(f"{line} {SHORTER.get(line.split()[1], '')}", folder)


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def review(drafts: Path, answers: list[str]) -> None:
    """What a person does with drafts, which are in the order of the documents: here all is corrected."""
    reviews = [
        draft | {"corrected": json.loads(answer), "status": "accepted"}
        for draft, answer in zip(rows(drafts), answers, strict=True)
    ]
    drafts.write_text("".join(f"{json.dumps(one)}\n" for one in reviews))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The examples, PDFs with JSON in other names, PDFs without, and the small model as the real one."""
    folder, number = tmp_path_factory.mktemp("drawer"), count(1)
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(find_built_in_model(), folder / "PaddlePaddle/PaddleOCR-VL")
    write_dataset(folder / "sample", NUM_DOCUMENTS, NUM_UNLABELLED, seed=1)
    (folder / "invoices").mkdir()
    (folder / "unlabelled").mkdir()
    for row in rows(folder / "sample/train.jsonl"):
        name = f"{next(number):04}"
        write_pdf(folder / "sample" / row["image"], folder / f"invoices/{name}.pdf")
        answer = json.dumps(in_german(json.loads(row["output"])))
        (folder / f"invoices/{name}.json").write_text(answer)
    for row in rows(folder / "sample/val.jsonl"):
        page = folder / "sample" / row["image"]
        write_pdf(page, folder / f"unlabelled/{page.stem}.pdf")
    return folder


@pytest.fixture(scope="module")
def done(folder: Path) -> Path:
    """The folder after all commands of the page, in their order."""
    answers = [row["output"] for row in rows(folder / "sample/val.jsonl")]
    for line in LINES:
        if line.startswith("finscribe data corrections"):
            review(folder / "drafts.jsonl", answers)
        run(line, folder)
    return folder


def test_the_commands_of_the_page_lead_from_pdfs_in_other_names_to_a_model(done):
    imported = rows(done / "imported/rows.jsonl")
    assert len(imported) == NUM_DOCUMENTS
    assert json.loads((done / "imported/import.json").read_text())["fields_left_out"] == {}
    expected = [json.loads(row["output"]) for row in rows(done / "sample/train.jsonl")]
    assert [json.loads(row["completion"])["financial_summary"]["grand_total"] for row in imported] == [
        answer["financial_summary"]["grand_total"] for answer in expected
    ]
    split = [len(rows(done / f"data/{name}.jsonl")) for name in ("train", "val", "test")]
    assert (sum(split), min(split) > 0) == (NUM_DOCUMENTS, True)
    for name in (
        *("pages.png", "checked.html", "results.json", "comparison.md", "answers.html"),
        *("finetuned_model/evaluation/report.html", "finetuned_model/final_model/adapter_model.safetensors"),
        "finetuned_model/merged_model/model.safetensors",
    ):
        assert (done / name).is_file(), name
    assert len(rows(done / "answers.jsonl")) == len(rows(done / "corrected.jsonl")) == NUM_UNLABELLED


@pytest.fixture(scope="module")
def server(done: Path):
    """The address of the example, which serves the merged model."""
    with served(f"{SERVER} --port 0 {FEW_TOKENS}", done, environment()) as address:
        yield address


def ask(server: str, **changed) -> dict:
    """The response to a conversation without images, with these changes of its body."""
    body = {"model": "merged_model", "messages": [{"role": "user", "content": "Total"}], **changed}
    request = urllib.request.Request(f"{server}/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def image_part(url: str) -> dict:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


def test_the_example_serves_the_merged_model_with_the_answers_of_predict(done, server):
    page = next((done / "sample/images").glob("val-*.png"))
    printed = run(f"finscribe predict --model finetuned_model/merged_model {page}", done)
    [predicted] = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    message = image_part(f"data:image/png;base64,{base64.b64encode(page.read_bytes()).decode()}")
    message["content"].append({"type": "text", "text": "Read this financial document as JSON."})

    answer = ask(server, messages=[message])

    assert answer["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": predicted["text"]},
        "finish_reason": "length",
    }
    assert answer["usage"]["prompt_tokens"] > 100  # those of the page
    assert answer["usage"]["completion_tokens"] == 12
    with urllib.request.urlopen(f"{server}/models", timeout=60) as response:
        assert [model["id"] for model in json.load(response)["data"]] == ["merged_model"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "gpt-4"}, "model must be merged_model"),
        ({"temperature": 0.7}, "temperature must be 0"),
        ({"stream": True}, "stream must be false"),
        ({"tools": []}, "tools: not supported"),
        ({"messages": []}, "messages must be a list"),
        ({"messages": [image_part("https://example.org/a.png")]}, "url must be data:image/"),
        ({"messages": [image_part("data:image/png;base64,AAAA")]}, "an image can't be read"),
        ({"max_tokens": "many"}, "max_tokens must be a number"),
    ],
)
def test_the_example_refuses_what_it_does_not_do(server, changed, message):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, **changed)
    assert caught.value.code == 400
    assert message in json.load(caught.value)["error"]["message"]
