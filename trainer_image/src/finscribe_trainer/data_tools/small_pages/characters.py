"""The characters of small pages."""

import string
from functools import cache
from importlib.resources import files

from finscribe_trainer.data_tools import synthetic


@cache
def characters() -> tuple[str, ...]:
    """ASCII, and all characters of the synthetic documents in any language, with their capitals."""
    words = files(synthetic).joinpath("words")
    texts = (file.read_text(encoding="utf-8") for file in words.iterdir() if file.name.endswith(".yaml"))
    found = {character for text in texts for character in text if character.isprintable()}
    capitals = {character.upper() for character in found if len(character.upper()) == 1}
    return tuple(sorted(found | capitals | set(string.printable[:95])))
