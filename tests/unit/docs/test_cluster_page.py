"""The commands of the cluster tutorial are a script: all placeholders are explained, and none is left."""

import re
import subprocess

import pytest

from tests.support.page_script import placeholders_of, script_of
from tests.unit.docs.pages import ALL

PAGE = ALL["docs/cluster-tutorial.md"]
ROWS = re.findall(r"^\| (`[A-Z].*?) \|", PAGE.text, re.MULTILINE)
EXPLAINED = {name for row in ROWS for name in re.findall(r"\w+", row)}
VALUES = {name: f"value-{number}" for number, name in enumerate(sorted(EXPLAINED))}


def test_every_placeholder_is_explained_and_used():
    assert placeholders_of(PAGE) == EXPLAINED


def test_the_script_is_bash_has_the_values_and_keeps_the_names_of_variables():
    script = script_of(PAGE, VALUES)

    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert [name for name in EXPLAINED if re.search(rf"\b{name}\b", script)] == []
    assert f"AWS_SECRET_ACCESS_KEY={VALUES['YOUR_SECRET_KEY']}" in script
    assert (
        script.index("helm upgrade") < script.index("finscribe submit") < script.index("finscribe download")
    )


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="BUCKET"):
        script_of(PAGE, {name: value for name, value in VALUES.items() if name != "BUCKET"})
