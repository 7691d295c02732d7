"""Lines of text of a given width."""


def between(left: str, right: str, width: int) -> str:
    """`left` and `right` at the two edges; `left` is cut if there is no space for it.

    >>> between("Tea", "1.50", 10)
    'Tea   1.50'
    """
    right = right[:width]
    space = width - len(right) - 1
    return left[: max(space, 0)].rstrip().ljust(max(width - len(right), 0)) + right
