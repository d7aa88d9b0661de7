r"""LaTeX commands whose backslash was read as an escape: `\frac` as a form feed and `rac`.

JSON needs two backslashes for one. Of a file with one, `\sqrt` is no JSON at all, but `\frac`,
`\times`, `\neq`, `\rho` and `\boxed` become white space and letters, and a right answer is graded
wrong. A form feed or a backspace says so for certain. A line break or a tab may be meant; then
the letters after it decide, and what stands around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_LETTER = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
_CHARACTER = {
    "\a": "a bell character",
    "\b": "a backspace",
    "\t": "a tab",
    "\n": "a line break",
    "\v": "a vertical tab",
    "\f": "a form feed",
    "\r": "a carriage return",
}
# No text has these before a letter.
_NEVER_MEANT = "\a\b"
# Letters that no word has, so that a command's backslash was lost: keyed by the letter of the
# escape, without that letter.
_CERTAIN = {
    letter: frozenset(rest.split())
    for letter, rest in {
        "f": "rac orall lat rown box boxed rak ootnote ootnotesize ootnotemark allingdotseq",
        "v": "ec arphi arepsilon arrho arsigma arnothing artheta dots ee ert Vert space phantom",
        "t": "imes heta au frac binom ilde herefore anh riangle riangleq riangleleft riangleright "
        "hinspace extbf extit extrm exttt extsf extnormal wo",
        "n": "eq abla ot otin olimits onumber otag leq geq leqq geqq ewline ewcommand earrow "
        "warrow atural cong subseteq supseteq leftarrow rightarrow Rightarrow obreak vdash "
        "ormalsize Leftarrow",
        "r": "ho ight ightarrow ightleftharpoons ightharpoonup ceil vert Vert times",
    }.items()
}
# Letters that are a word or a variable as well.
_PERHAPS = {
    letter: frozenset(rest.split())
    for letter, rest in {
        "t": "o an op ext ag iny t",
        "n": "e u i mid eg less",
        "r": "angle floor brace brack oot m group moustache",
    }.items()
}
_FIRST = re.compile("([\a\b\t\n\v\f\r])([A-Za-z]+)")
_MOST = 200  # of places that are looked at: each is compared with all of the text
_BREAK = re.compile("[\t\n\r]")
# A backslash that came through: whoever wrote this text knows how to write one.
_BACKSLASH = re.compile(r"\\[A-Za-z()\[\]{}$%,;!]")
_OPERAND = re.compile(r" ?(?:-?\d|[A-Za-z](?![A-Za-z])|[\\({^_]|[\a\b\v\f])|\$")


@dataclass(frozen=True, slots=True)
class LostBackslash:
    """A command whose backslash is missing.

    Attributes:
        start: offset of the character that took the place of the backslash and a letter.
        character: name of that character, with its article.
        command: name of the command, without a backslash.
        may_be_white_space: whether the character may also be meant as white space.
    """

    start: int
    character: str
    command: str
    may_be_white_space: bool


def lost_backslash(text: str, *, answer: bool) -> LostBackslash | None:
    r"""The first command in `text` whose backslash was lost, or None.

    A tab or a line break before letters that are a word as well (`\to`, `\nu`, `\ne`) counts if an
    operand follows as it does in a formula, and the text has no backslash that came through; in
    an answer, if each of its tabs and line breaks stands before such letters.

    Args:
        text: a text as it is after its escapes were read.
        answer: whether it is an answer, which seldom has several lines.
    """
    if not _FIRST.search(text):
        return None
    # An answer with other breaks is worked out in lines, like a question.
    breaks = len(_BREAK.findall(text.strip())) if answer else 0
    suspects = sum(m[2] in _of(m[1], _PERHAPS, _CERTAIN) for m in _FIRST.finditer(text))
    single_line = answer and suspects >= breaks
    for match in islice(_FIRST.finditer(text), _MOST):
        character, rest = match.groups()
        letter = _LETTER[character]
        certain = character in _NEVER_MEANT or (
            rest in _of(character, _CERTAIN) and not text.startswith(".", match.end())
        )
        if certain or (rest in _of(character, _PERHAPS) and _is_command(text, match, single_line)):
            white = character in "\t\n\r" and not certain
            return LostBackslash(match.start(), _CHARACTER[character], letter + rest, white)
    return None


def _of(character: str, *tables: dict[str, frozenset[str]]) -> frozenset[str]:
    found = (table.get(_LETTER[character], frozenset()) for table in tables)
    return frozenset().union(*found)


def _is_command(text: str, match: re.Match[str], single_line: bool) -> bool:
    """Whether letters that may be a word or a variable are the rest of a command here."""
    character, rest = match.groups()
    before, after = text[: match.start()], text[match.end() :]
    if rest in ("ext", "ag"):
        return after.lstrip(" ").startswith("{")
    if re.match(r"\s*=", after):  # a variable that has a value, on a line of its own
        return False
    if single_line and (not re.match(r" [A-Za-z]{2}", after) or not before.strip()):
        return True
    if character == "\r":  # only old Macs ended lines so, and then many of them
        return all(m[2] in _of("\r", _PERHAPS) for m in _FIRST.finditer(text) if m[1] == "\r")
    if _BACKSLASH.search(text):
        return False
    if re.search(r"(?<!\$)\$$", before) and "$" in after.partition("\n")[0]:
        return True
    operand = _OPERAND.match(after)
    if rest in ("u", "i"):
        return bool(operand and before.endswith(" "))
    if character != "\n":
        return bool(operand)
    in_formula = before.count("$") % 2 == 1 or before.endswith(" ") or not before
    return bool(operand and (in_formula or re.match(r"[\d\\]", after)))
