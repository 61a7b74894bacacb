"""Lines of a table: encoding, separator and quotes, with a word where the file is not what its name says."""

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tl_jax.core.errors import UserError

SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "space": " "}
HEADERS = ("first", "none")
_OTHER = {b"PK": "a zip archive (or .xlsx)", b"PAR1": "a Parquet file", b"\xd0\xcf\x11\xe0": "an old Excel file"}


class Table(NamedTuple):
    """Column names, rows of equally many fields, the line each begins on (from 1), and what was changed."""

    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    notes: list[str]


Row = tuple[int, list[str]]


def read(path: Path, separator: str, header: str = "first", label: str = "") -> Table:
    """The table of a file. Raises UserError where it is no table, or a line has another number of fields.

    separator: one character; ' ' is any run of blanks. header='none': the columns are named 1, 2, ...
    label: its values tell a row that a stray quote has swallowed.
    """
    lines = _text(path).split("\n")
    if separator in '\n\r\0"':
        raise UserError(f"{path}: {separator!r} cannot separate fields. Names of separators: {', '.join(SEPARATORS)}.")
    if lines[0].startswith("sep=") and len(lines[0]) == 5:  # Excel's own first line
        lines[0], separator = "", lines[0][4]
    _refuse_other_separator(path, next(filter(None, lines), ""), separator)
    rows, notes = _rows(
        path, lines, separator, label if header == "first" else int(label) - 1 if label.isdecimal() else ""
    )
    rows, notes = _without_empty(rows, notes)
    names = [str(i) for i in range(1, len(rows[0][1]) + 1)] if rows else []
    if header == "first" and rows:
        names, head = _names(path, rows[0][1]), rows[0][1]
        kept = [row for row in rows[1:] if row[1] != head]  # two files, one after the other
        if again := len(rows) - 1 - len(kept):
            notes = [*notes, f"{again} lines that repeat the column names were left out"]
        rows = kept
    if not rows:
        raise UserError(f"{path} has {len(lines)} lines: a line of column names and examples are needed.")
    return Table(names, [fields for _, fields in rows], [line for line, _ in rows], notes)


def _text(path: Path) -> str:
    """The file as text with '\\n' at the ends of lines."""
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not a whole gzip file ({error}). Get it again.") from None
    for start, what in _OTHER.items():
        if content.startswith(start):
            raise UserError(f"{path} is {what}, not a table of text. Save it as CSV (UTF-8).")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path} is text in UTF-16. Save it as UTF-8: iconv -f UTF-16 -t UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not a table in UTF-8 text (byte {content[error.start]:#x}). Is it Latin-1 or "
            "Windows-1252? Save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{path}, line {line}: a byte of zero, so it is no text in UTF-8 (UTF-16? a binary file?).")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_other_separator(path: Path, first: str, separator: str) -> None:
    """Raises UserError if the first line lacks the separator but has another."""
    if separator in first:
        return
    for name, other in SEPARATORS.items():
        if other != " " and other in first:
            raise UserError(
                f"{path}: the first line has no {_spoken(separator)}, but {first.count(other)} of '{name}'. Is that "
                f"the separator? Say ?separator={name} (&separator={name} after another option)."
            )


def _spoken(separator: str) -> str:
    return next((f"'{name}'" for name, sign in SEPARATORS.items() if sign == separator), repr(separator))


def _parsed(lines: Sequence[str], **dialect) -> tuple[list[Row], int, str]:
    """Rows, and the line and reason of the first that is wrong (0 and '' if none is)."""
    csv.field_size_limit(2**31 - 1)  # a long text is no mistake
    reader = csv.reader((line + "\n" for line in lines), **dialect)
    rows, begin = [], 1
    try:
        for fields in reader:
            if fields:
                rows.append((begin, fields))
            begin = reader.line_num + 1
    except csv.Error as error:
        return rows, begin, str(error)
    for number, fields in rows:
        if len(fields) != len(rows[0][1]):
            return rows, number, f"{len(fields)} fields, but {len(rows[0][1])} columns"
    return rows, 0, ""


def _rows(path: Path, lines: Sequence[str], separator: str, label: str | int) -> tuple[list[Row], list[str]]:
    """The rows, with quotes where they pair and as they stand where they do not. Raises UserError if neither fits."""
    if separator == " ":
        lines, separator = ["\t".join(line.split()) for line in lines], "\t"
    plain, line, why = _parsed(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    if not any('"' in text for text in lines):
        if line:
            raise _ragged(path, plain, (line, why), separator)
        return plain, []
    quoted, wrong, reason = _parsed(lines, delimiter=separator, strict=True)
    if wrong:
        quoted, wrong, reason = _parsed(lines, delimiter=separator, strict=True, skipinitialspace=True)
    if not wrong:
        swallowed = _swallowed(plain, quoted, label)
        if not swallowed:
            several = sum("\n" in "".join(fields) for _, fields in quoted)
            return quoted, [f"{several} rows span several lines, in quotes"] if several else []
        wrong, reason = swallowed, "a quote opens a field that ends in a later line, but this line is a row of its own"
    if line:
        raise _ragged(path, quoted, (wrong, reason), separator)
    stray = sum(text.count('"') % 2 for text in lines)
    bare = [(number, [_unquoted(field) for field in fields]) for number, fields in plain]
    return bare, [f"quotes do not pair ({stray} lines have an odd number): they were read as characters of the text"]


def _swallowed(plain: Sequence[Row], quoted: Sequence[Row], label: str | int) -> int:
    """The first line that a quoted field of several lines holds though it is a row itself; 0 if there is none.

    It is one if it has the right number of fields, and a label that other rows have.
    """
    first = [name.strip() for name in quoted[0][1]]
    width, column = len(first), label if isinstance(label, int) else first.index(label) if label in first else -1
    if width == 1:
        return 0
    own = {number: fields for number, fields in plain if len(fields) == width}
    bare = lambda fields: fields[column].strip().strip('"')
    several = {number for number, fields in quoted if any("\n" in field for field in fields)}
    seen = {bare(fields) for number, fields in quoted[1:] if number not in several}
    ends = [number for number, _ in quoted[1:]] + [plain[-1][0] + 1]
    for (number, _), end in zip(quoted, ends, strict=True):
        for line in range(number, end - 1 if number in several else 0):  # the last is the end of a row in any case
            if line in own and (column < 0 or bare(own[line]) in seen):
                return line
    return 0


def _unquoted(field: str) -> str:
    whole = re.fullmatch(r'"((?:[^"]|"")*)"', field)
    return whole[1].replace('""', '"') if whole else field


def _ragged(path: Path, rows: Sequence[Row], wrong: tuple[int, str], separator: str) -> UserError:
    line, why = wrong
    width = len(rows[0][1]) if rows else 0
    if len(rows) > 1 and all(len(fields) == width + 1 for _, fields in rows[1:]):
        return UserError(
            f"{path}, line {line}: {why}, as in every line: row names without a name of their own (as R writes them), "
            "or a separator at the end of lines. Name every column in the first line."
        )
    return UserError(
        f"{path}, line {line}: {why}. Text that holds the separator {_spoken(separator)} needs quotes that pair (a "
        "quote within is doubled); another separator is given by ?separator=."
    )


def _without_empty(rows: list[Row], notes: list[str]) -> tuple[list[Row], list[str]]:
    """Without rows all of whose several fields are empty, and a note of how many these were."""
    kept = [(line, fields) for line, fields in rows if len(fields) == 1 or any(map(str.strip, fields))]
    empty = len(rows) - len(kept)
    return kept, [*notes, f"{empty} lines without a value were left out"] if empty else notes


def _names(path: Path, fields: Sequence[str]) -> list[str]:
    """Column names without blanks. Raises UserError for one that stands twice, or where they look like data."""
    names = [name.strip() for name in fields]
    hint = "Say ?header=none (&header=none after another option); the columns are then named 1, 2, ..."
    if len(names) > 1 and all(map(_is_number, names)) and not all(name.isdecimal() for name in names):
        raise UserError(f"{path}: the first line ({', '.join(names[:4])}) is not one of names but of data? {hint}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        data = f" Or is the first line data? {hint}" if any(map(_is_number, names)) else ""
        raise UserError(
            f"{path}: {len(twice)} column names stand twice: {', '.join(twice[:5])}. Rename one of each.{data}"
        )
    return names


def _is_number(value: str) -> bool:
    return bool(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value))
