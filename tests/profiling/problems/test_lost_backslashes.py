r"""LaTeX whose backslash an escape has eaten is found, and honest line breaks and tabs are not.

Texts stand here as they are after JSON: `"\frac"` written with one backslash is a form feed and
`rac`.
"""

from __future__ import annotations

import json

import pytest

from profiling.problems.lost_backslashes import lost_backslash

LOST = [
    # JSON text of a string, with one backslash where two are needed; the command it lost.
    (r"\frac{1}{2}", "frac"),
    (r"\frac12", "frac"),
    (r"x=\frac{a}{b}", "frac"),
    (r"\frac 1 2", "frac"),
    (r"3 \times 10^2", "times"),
    (r"3\times4", "times"),
    (r"\theta", "theta"),
    (r"2\theta_1", "theta"),
    (r"\tan x", "tan"),
    (r"\tan(x)", "tan"),
    (r"\tan^2\theta", "tan"),
    (r"\tan 45", "tan"),
    (r"5 \text{ cm}", "text"),
    (r"5\text{cm}", "text"),
    (r"\textbf{A}", "textbf"),
    (r"\tau", "tau"),
    (r"\triangle ABC", "triangle"),
    (r"\tilde x", "tilde"),
    (r"\tfrac{1}{2}", "tfrac"),
    (r"\tbinom{4}{2}", "tbinom"),
    (r"f: A \to B", "to"),
    (r"x \to 0", "to"),
    (r"x\to0", "to"),
    (r"\therefore x = 2", "therefore"),
    (r"\neq 5", "neq"),
    (r"x \neq 5", "neq"),
    (r"x \ne 0", "ne"),
    (r"$x\ne 0$", "ne"),
    (r"a \ne b", "ne"),
    (r"x \ne -1", "ne"),
    (r"\nabla f", "nabla"),
    (r"\not= 3", "not"),
    (r"\notin A", "notin"),
    (r"3 \nmid 7", "nmid"),
    (r"\neg p", "neg"),
    (r"$\nu$", "nu"),
    (r"h \nu_0", "nu"),
    (r"\nleq 3", "nleq"),
    (r"\rho", "rho"),
    (r"2\rho g", "rho"),
    (r"\right)", "right"),
    (r"\langle x \rangle".replace(r"\l", r"\\l"), "rangle"),
    (r"x \rightarrow y", "rightarrow"),
    (r"7 \rfloor 2", "rfloor"),
    (r"\boxed{7}", "boxed"),
    (r"so \boxed{7}.", "boxed"),
    (r"\boxed 7", "boxed"),
    (r"\binom{4}{2}", "binom"),
    (r"\beta", "beta"),
    (r"\bar{x}", "bar"),
    (r"\begin{cases} x", "begin"),
    (r"\big( 1", "big"),
    (r"\bmod 7", "bmod"),
    (r"\forall x", "forall"),
    (r"\fbox{3}", "fbox"),
    (r"Compute \frac{1}{2}+\frac{1}{3}.", "frac"),
    (r"\\sqrt{2} and \frac{1}{2}", "frac"),  # one right, one wrong
    (r"\u0007lpha", "alpha"),  # Python's "\a" before JSON
    (r"\u000bec{v}", "vec"),
    (r"\u000barphi", "varphi"),
]

HONEST = [
    "Find x\\nor y.",
    "How many apples are\\nnot sure to be red?",
    "One line.\\nNext line.",
    "One line.\\n\\nEither a or b.",
    "a\\nb\\nc",
    "Solve for x\\ne is Euler's number",
    "Let x be 3.\\ne = 5",
    "where\\nu = 3 and\\ni = 4",
    "Let a be 1\\nu is 2",
    "Choose:\\ni) one\\nii) two",
    "one\\nmid-term exam\\ntwo",
    "there\\nexists one",
    "lines\\nparallel to it",
    "see\\neq. 3",
    "name\\tage\\nAnn\\t12",
    "x\\to\\tx\\no\\tx\\to",
    "give\\tan apple",
    "give\\tto her",
    "\\tIndented text",
    "call\\text. 12",
    "\\tthe first\\n\\tthe second",
    "\\ttimes are hard",
    "\\r\\nA new line\\r\\nright here",
    "a\\r\\nright angle",
    "right\\rangle and\\rno angle\\rof it",
    "Page 1\\fPage 2",
    "\\fTable 1",
    "Solve \\\\frac{1}{2}x\\n = 3",
    "$$\\n\\\\int_0^1 x\\ne^{x} dx\\n$$",
    "\\\\[\\ne^x = 3\\n\\\\]",
    "$$\\nu + v = 3\\n$$",
    "Work:\\n2 + 3 = 5\\n#### 5",
    "Work\\nu = 3\\nso\\n#### 3",
    "def f(x):\\n\\treturn x\\n\\nprint(f(2))",
    "tab\\there",
    "\\nNew text",
    "x\\n\\ty",
    "\\u00e9t\\u00e9 \\u2028 after",
    'Ann said:\\n\\"no\\"',
    "\\nabout the rest",
    "\\neven numbers only",
    "\\nunder 5",
    "\\right".replace("\\r", "") + " triangle",
    "\\text{cm}".replace("\\t", "\\\\t"),
    "first\\rsecond\\rthird",
    "\\nurn with balls",
    "\\tone\\ttwo\\tten",
    "",
    "5",
]


@pytest.mark.parametrize(("text", "command"), LOST)
def test_a_lost_backslash_is_found_in_a_question_or_an_answer(text: str, command: str) -> None:
    value = json.loads(f'"{text}"')
    for answer in (True, False):
        lost = lost_backslash(value, answer=answer)
        assert lost is not None, answer
        assert lost.command == command


@pytest.mark.parametrize("text", HONEST)
def test_honest_white_space_is_left_alone(text: str) -> None:
    value = json.loads(f'"{text}"')
    assert lost_backslash(value, answer=False) is None


@pytest.mark.parametrize(
    "text",
    ["5", "x = 3\\nu = 4", "3\\nor 4", "a\\tb", "red\\nand blue", "Work\\nu = 3\\n#### 3",
     "line one\\nnot line two", "A\\nB", "yes\\n", "\\n5\\n", "1\\t2\\t3"],
)  # fmt: skip
def test_honest_white_space_of_an_answer_is_left_alone(text: str) -> None:
    assert lost_backslash(json.loads(f'"{text}"'), answer=True) is None


@pytest.mark.parametrize(
    ("text", "command"),
    [("3\\ne 4", "ne"), ("\\nu", "nu"), ("5\\to 6", "to"), ("\\top", "top"), ("x\\ni y", "ni"),
     ("\\tan", "tan"), ("\\ne", "ne"), ("\\rangle", "rangle"), ("h \\nu", "nu")],
)  # fmt: skip
def test_an_answer_of_one_line_has_no_breaks_of_its_own(text: str, command: str) -> None:
    lost = lost_backslash(json.loads(f'"{text}"'), answer=True)
    assert lost is not None
    assert lost.command == command


def test_what_was_lost_is_shown_with_its_place() -> None:
    lost = lost_backslash("half is \x0crac{1}{2}", answer=False)
    assert lost is not None
    assert (lost.character, lost.command, lost.start) == ("a form feed", "frac", 8)
    assert not lost.may_be_white_space
    lost = lost_backslash("x \ne 0", answer=False)
    assert lost is not None
    assert (lost.character, lost.may_be_white_space) == ("a line break", True)
