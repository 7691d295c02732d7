"""Paths inside the container, and the directories of this machine that stand for them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Mounts:
    """Replaces absolute paths of the container wherever a text names one."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self.places = places
        longest_first = sorted(places, key=len, reverse=True)
        alternatives = "|".join(re.escape(path) for path in longest_first)
        # A path begins where no other path goes on: s3://bucket/workspace is none of ours.
        # One pattern for all, so that what was put in is not looked at again.
        self._pattern = re.compile(rf"(?<![\w./-])({alternatives})(?=$|[/:,;\s\"'])") if places else None

    def translate(self, text: str) -> str:
        """The text with every mounted path replaced by its directory.

        >>> Mounts({"/workspace": Path("/home/me/w")}).translate("--out=/workspace/output")
        '--out=/home/me/w/output'
        """
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: str(self.places[match[1]]), text)

    def translate_all(self, value: Any, untouched: frozenset[str] = frozenset()) -> Any:
        """The same for every text in a JSON value, but for the keys named as untouched."""
        if isinstance(value, str):
            return self.translate(value)
        if isinstance(value, list):
            return [self.translate_all(item, untouched) for item in value]
        if isinstance(value, dict):
            return {k: v if k in untouched else self.translate_all(v, untouched) for k, v in value.items()}
        return value
