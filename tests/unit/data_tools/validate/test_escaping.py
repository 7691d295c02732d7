"""No text of the rows becomes markup in a report."""

import json
import re
from pathlib import Path

import pytest

from finscribe_trainer.data_tools.validate.reports import write_reports

HOSTILE = [
    "a\n\n# Heading\n\n![image](https://host.example/pixel.png)",
    "a`\n\n# Heading\n\n![image](https://host.example/pixel.png)\n`",
    "<img src=https://host.example/pixel.png>",
    "a | b | c",
    "[link](https://host.example)",
    "\r# Heading",
    "\u2028# Heading",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_of_an_answer_adds_no_markup_to_the_reports(key, validate, tmp_path: Path):
    answer = json.dumps({"document_type": key, key: {key: 1}})
    report = validate([{"prompt": "x", "completion": answer}])
    path = tmp_path / f"{key.splitlines()[0].replace('/', '') or 'x'}.json"

    _, markdown, page = write_reports(report, [f"rows/{key}.jsonl"], path)

    text = markdown.read_text()
    headings = re.findall(r"^[ \t]*#+ .*", text, re.MULTILINE)
    assert [heading.partition(":")[0] for heading in headings] == [
        *("# Data set", "## Findings", "## Length of answers", "## Length of prompts"),
        *("## Document types", "## Fields"),
    ]
    outside_code = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"(?<!\\)[!\[<]", outside_code)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert not re.search(r"<(img|a )", page.read_text().partition("</style>")[2])
