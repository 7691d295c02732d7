"""Runs the health check of a FineTuneJob as Argo CD does: in Lua 5.1, with few libraries."""

from pathlib import Path
from typing import Any

from lupa import lua51

SCRIPT = Path(__file__).parents[2] / "charts/finscribe/argocd/health.lua"
CODES = {"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}
"""The health statuses that Argo CD accepts."""
REMOVE_LIBRARIES = """
string, math, io, debug, require, dofile, loadfile = nil
getmetatable("").__index = nil
os = {time = os.time, date = os.date}
"""
"""Argo CD opens only the base library, that of tables, and these two functions."""


def health(job: dict[str, Any]) -> tuple[str, str]:
    """Health status and message of an object."""
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    runtime.execute(REMOVE_LIBRARIES)
    runtime.globals().obj = runtime.table_from(job, recursive=True)
    result = runtime.execute(SCRIPT.read_text(encoding="utf-8"))
    code, message = result["status"], result["message"]
    assert code in CODES and isinstance(message, str), (code, message)
    return code, message
