"""Reads the elements of an HTML page, to look for what should not be there."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """The elements of a page, as a browser parses them, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
