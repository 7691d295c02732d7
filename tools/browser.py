"""Installs Debian's chromium, in which the tests open reports, if it is missing."""

import sys

from tools.kube.packages import require
from tools.kube.progress import ToolError, say

if __name__ == "__main__":
    try:
        require(["chromium"])
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(1)
