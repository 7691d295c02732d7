"""The click context settings of all commands: -h for help, and its width."""

from typing import Any

HELP_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
