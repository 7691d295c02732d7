"""Opens pages in Chromium, and checks them: complaints of the browser, width, rules of accessibility."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
TOO_WIDE = """[document.documentElement, ...document.querySelectorAll("div, section, article, td, th, p, h3")]
    .filter(element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth)
    .map(element => `${element.tagName} ${element.className} ${element.textContent.slice(0, 50)}`)"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that `make browser` installs."""
    program = shutil.which("chromium")
    assert program, "there is no chromium: run `make browser`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


def complaints_about(page: Page, *allowed: str) -> list[str]:
    """A list that collects errors, console messages and requests to other addresses than these."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(allowed) else complaints.append(r.url))
    return complaints


def inaccessible(page: Page) -> list[str]:
    """What axe-core finds wrong on a page: rule and element, once for each."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(source)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:150]}"
        for violation in found["violations"]
        for node in violation["nodes"][:3]
    ]
