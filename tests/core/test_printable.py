"""Names as they are printed: no terminal obeys them, no page breaks on them."""

import pytest

from tl_jax.core.printable import markdown, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("grün 猫 🐈 ±", "grün 猫 🐈 ±"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred\x07\r", r"\x1b[31mred\x07\r"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("lone \ud800", r"lone \ud800"),
        ("\x9b31m\u2028", r"\x9b31m\u2028"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_what_commands_a_terminal_is_an_escape(text, shown):
    assert printable(text) == shown


def test_a_name_is_one_line():
    assert printable("two\nlines", lines=False) == r"two\nlines"


def test_a_cell_is_neither_columns_nor_a_tag():
    assert markdown("a|b<script>`x`\n\\") == r"a\|b&lt;script>\`x\`\\n" + "\\\\"
