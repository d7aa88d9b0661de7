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

_CHARACTERS = {
    "\a": ("a", "a bell character"),
    "\b": ("b", "a backspace"),
    "\t": ("t", "a tab"),
    "\n": ("n", "a line break"),
    "\v": ("v", "a vertical tab"),
    "\f": ("f", "a form feed"),
    "\r": ("r", "a carriage return"),
}
"""The letter of each escape, and what messages call its character."""
_CERTAIN = {
    "\f": "rac orall lat rown box boxed rak ootnote ootnotesize ootnotemark allingdotseq",
    "\v": "ec arphi arepsilon arrho arsigma arnothing artheta dots ee ert Vert space phantom",
    "\t": "imes heta au frac binom ilde herefore anh riangle riangleq riangleleft riangleright "
    "hinspace extbf extit extrm exttt extsf extnormal wo",
    "\n": "eq abla ot otin olimits onumber otag leq geq leqq geqq ewline ewcommand earrow "
    "warrow atural cong subseteq supseteq leftarrow rightarrow Leftarrow Rightarrow obreak vdash "
    "ormalsize",
    "\r": "ho ight ightarrow ightleftharpoons ightharpoonup ceil vert Vert times",
}
"""What is left of commands and is no word, by the character that took the rest."""
_PERHAPS = {
    "\t": "o an op ext ag iny t",
    "\n": "e u i mid eg less",
    "\r": "angle floor brace brack oot m group moustache",
}
"""What is left of commands and is a word or a variable as well."""
_SURE = {character: frozenset(rests.split()) for character, rests in _CERTAIN.items()}
_RESTS = {
    character: "|".join(f"{rests} {_PERHAPS.get(character, '')}".split())
    for character, rests in _CERTAIN.items()
}
_SUSPECTS = re.compile(
    # No text has a bell or a backspace before a letter.
    "|".join(["[\a\b][A-Za-z]+", *(f"{c}(?:{rests})(?![A-Za-z])" for c, rests in _RESTS.items())])
)
_CARRIAGE_RETURN = re.compile("\r(?=[A-Za-z])")
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
    suspects = list(islice(_SUSPECTS.finditer(text), _MOST))
    if not suspects:
        return None
    # An answer with other breaks is worked out in lines, like a question.
    single_line = answer and len(suspects) >= len(_BREAK.findall(text.strip()))
    for match in suspects:
        certain = _is_certain(text, match)
        if certain or _is_command(text, match, single_line):
            letter, name = _CHARACTERS[match[0][0]]
            return LostBackslash(match.start(), name, letter + match[0][1:], not certain)
    return None


def lost_in_response(text: str) -> LostBackslash | None:
    """The first command in a response that certainly lost its backslash, or None.

    A response with a backslash that came through was stored well: then its model wrote it so.
    """
    if _BACKSLASH.search(text):
        return None
    found = (match for match in _SUSPECTS.finditer(text) if _is_certain(text, match))
    match = next(found, None)
    if match is None:
        return None
    letter, name = _CHARACTERS[match[0][0]]
    return LostBackslash(match.start(), name, letter + match[0][1:], False)


def _is_certain(text: str, match: re.Match[str]) -> bool:
    character, rest = match[0][0], match[0][1:]
    known = rest in _SURE.get(character, ()) and not text.startswith(".", match.end())
    return known or character in "\a\b"


def _is_command(text: str, match: re.Match[str], single_line: bool) -> bool:
    """Whether letters that may be a word or a variable are the rest of a command here."""
    character, rest = match[0][0], match[0][1:]
    before, after = text[: match.start()], text[match.end() :]
    if rest in _SURE[character]:
        return False  # "eq." for "equation"
    if rest in ("ext", "ag"):
        return after.lstrip(" ").startswith("{")
    if re.match(r"\s*=", after):  # a variable that has a value, on a line of its own
        return False
    if single_line and (not re.match(r" [A-Za-z]{2}", after) or not before.strip()):
        return True
    if character == "\r":  # only old Macs ended lines so, before other words as well
        others = sum(m[0][0] == "\r" for m in _SUSPECTS.finditer(text))
        return len(_CARRIAGE_RETURN.findall(text)) == others
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
