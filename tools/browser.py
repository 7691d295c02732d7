"""The browser that the tests look at reports with: Debian's chromium, installed when missing and allowed."""

import sys

from tools.kube.packages import require
from tools.kube.progress import ToolError, say

if __name__ == "__main__":
    try:
        require(["chromium"])
    except ToolError as error:
        say(f"error: {error}")
        sys.exit(1)
