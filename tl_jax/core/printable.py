"""Text as it may be printed: names of files and classes are other people's, and a terminal obeys what it is told."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories that command a terminal or hide in it: controls, directions and joiners, halves of pairs, separators."""


def printable(text: str, lines: bool = True) -> str:
    r"""Control characters as escapes ('\x1b'); ends of lines stay unless `lines` is False."""
    if text.isascii() and text.isprintable():
        return text
    keep = "\n\u200c\u200d" if lines else "\u200c\u200d"  # the joiners of some scripts and emoji
    shown = lambda c: c.encode("unicode_escape").decode() if unicodedata.category(c) in HIDDEN else c
    return "".join(c if c in keep else shown(c) for c in text)


def markdown(text: str) -> str:
    """The text of a table's cell: what Markdown or HTML would read otherwise is escaped."""
    text = printable(text, lines=False).replace("\\", "\\\\").replace("<", "&lt;")
    return text.replace("|", "\\|").replace("`", "\\`")
