r"""Problem files as strangers write them: read, or refused in one line that says what is right.

Every input stands as bytes. Of those that are read, the question and answer are given; of those
that are refused, parts of the line.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from executor.errors import InputError
from profiling.problems.files import load_problems

Problems = Sequence[tuple[str, str | None]]
ONE = b'{"problem": "2+3?", "answer": "5"}\n'
FIVE: Problems = [("2+3?", "5")]
TWO = ONE + b'{"problem": "1+1?", "answer": "2"}\n'
BOTH: Problems = [("2+3?", "5"), ("1+1?", "2")]
CSV = "problem;answer\n2+3?;5\n1+1?;2\n"


def to_parquet(*rows: dict[str, object]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def numbered(cases: Sequence[tuple[object, ...]]) -> list[str]:
    """Names of test cases; packed content holds the time, and would make other names each time."""
    return [f"{number}-{case[0]}" for number, case in enumerate(cases)]


def far_time() -> bytes:
    """A Parquet file with a time beyond those of Python."""
    sink = io.BytesIO()
    at = pa.array([9 * 10**15], pa.timestamp("ms"))
    parquet.write_table(pa.table({"problem": ["2+3?"], "answer": ["5"], "at": at}), sink)
    return sink.getvalue()


def to_zip(name: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, "x")
    return sink.getvalue()


def answered(field: str) -> bytes:
    """A record whose answer is JSON as given."""
    return f'{{"problem": "2+3?", "answer": {field}}}'.encode()


def solved(solution: str) -> bytes:
    return json.dumps({"problem": "2+3?", "solution": solution}).encode()


READ: list[tuple[str, bytes, Problems]] = [
    # Packed files
    ("p.jsonl.gz", gzip.compress(TWO), BOTH),
    ("p.jsonl", gzip.compress(TWO), BOTH),
    ("p.json.gz", gzip.compress(b"[" + ONE + b"]"), FIVE),
    ("p.csv.gz", gzip.compress(b"problem,answer\n2+3?,5\n"), FIVE),
    ("p.jsonl.bz2", bz2.compress(TWO), BOTH),
    ("p.jsonl.xz", lzma.compress(TWO), BOTH),
    ("p.gz", gzip.compress(ONE[:20]) + gzip.compress(ONE[20:]), FIVE),
    # Parquet
    ("p.parquet", to_parquet({"problem": "2+3?", "answer": "5"}), FIVE),
    ("p.jsonl", to_parquet({"problem": "2+3?", "answer": 5}), FIVE),
    ("p.parquet", to_parquet({"problem": "2+3?", "answer": 5.0}), FIVE),
    ("p.parquet", to_parquet({"problem": "2+3?", "answer": ["5"]}), FIVE),
    ("p.parquet", to_parquet({"problem": "2+3?", "answer": "5", "x": b"\x00"}), FIVE),
    ("p.parquet", to_parquet({"question": "2+3?", "answer": "2+3=5\n#### 5"}), FIVE),
    # Empty lines before the header
    ("p.csv", b"\n \r\n\nproblem,answer\n2+3?,5\n", FIVE),
    ("p.csv", b"\nsep=;\nproblem;answer\n2+3?;5\n", FIVE),
    # JSON spread over lines, in a list, one after another
    ("p.json", b'{\n  "problem": "2+3?",\n  "answer": "5"\n}\n', FIVE),
    ("p.jsonl", b'{\n "problem": "2+3?",\n "answer": "5"\n}\n{\n "problem": "1+1?",'
                b'\n "answer": "2"\n}\n', BOTH),
    ("p.jsonl", TWO.replace(b"\n", b" "), BOTH),
    ("p.jsonl", TWO.replace(b"\n", b""), BOTH),
    ("p.jsonl", TWO.replace(b"\n", b"\r\n"), BOTH),
    ("p.jsonl", TWO.replace(b"\n", b"\r"), BOTH),
    ("p.ndjson", TWO, BOTH),
    ("p.txt", TWO, BOTH),
    ("p.json", b'[{"problem": "2+3?", "answer": "5"}, {"problem": "1+1?", "answer": "2"}]', BOTH),
    # Encodings
    ("p.jsonl", TWO.decode().encode("utf-16"), BOTH),
    ("p.jsonl", b"\xfe\xff" + TWO.decode().encode("utf-16-be"), BOTH),
    ("p.jsonl", TWO.decode().encode("utf-32"), BOTH),
    ("p.csv", CSV.replace(";", ",").encode("utf-16"), BOTH),
    ("p.jsonl", b"\xef\xbb\xbf" + TWO, BOTH),
    ("p.jsonl", '{"problem": "½+½?", "answer": "1"}'.encode(), [("½+½?", "1")]),
    # CSV with other separators
    ("p.csv", CSV.encode(), BOTH),
    ("p.csv", CSV.replace(";", "\t").encode(), BOTH),
    ("p.tsv", CSV.replace(";", "\t").encode(), BOTH),
    ("p.csv", CSV.replace(";", "|").encode(), BOTH),
    ("p.csv", ("sep=;\n" + CSV).encode(), BOTH),
    ("p.csv", ("sep=,\r\n" + CSV.replace(";", ",")).encode(), BOTH),
    ("p.csv", b"problem,answer\n\"a;b\",5\n", [("a;b", "5")]),
    ("p.csv", b'problem;answer\n"a;b, ""c""";5\n', [('a;b, "c"', "5")]),
    ("p.csv", b"\xef\xbb\xbfproblem;answer;kind\na, b;5;x\n", [("a, b", "5")]),
    ("p.csv", b"Problem,Answer\n2+3?,5\n", FIVE),
    ("p.csv", b"problem,answer\n" + b"x" * 200_000 + b",5\n", [("x" * 200_000, "5")]),
    ("p.csv", b'problem,answer\n"' + b"x y\n" * 50_000 + b'",5\n',
     [("x y\n" * 49_999 + "x y", "5")]),
    ("p.csv", b"problem,answer\n2+3?,5\n\n\n", FIVE),
    ("p.csv", b"problem,answer\r2+3?,5\r", FIVE),
    # Answers of every type
    ("p.jsonl", answered("5"), FIVE),
    ("p.jsonl", answered("5.0"), FIVE),
    ("p.jsonl", answered("5.50"), [("2+3?", "5.50")]),
    ("p.jsonl", answered("-0.25"), [("2+3?", "-0.25")]),
    ("p.jsonl", answered("1e400"), [("2+3?", "1E+400")]),
    ("p.jsonl", answered("12345678901234567890123"), [("2+3?", "12345678901234567890123")]),
    ("p.jsonl", answered("true"), [("2+3?", "true")]),
    ("p.jsonl", answered("false"), [("2+3?", "false")]),
    ("p.jsonl", answered('["5"]'), FIVE),
    ("p.jsonl", answered("[5]"), FIVE),
    ("p.jsonl", answered("[5.0]"), FIVE),
    ("p.jsonl", answered('["$5$"]'), [("2+3?", "$5$")]),
    ("p.jsonl", answered('["3","-3"]'), [("2+3?", "3, -3")]),
    ("p.jsonl", answered("[3, -3]"), [("2+3?", "3, -3")]),
    ("p.jsonl", answered('["$3$", "$-3$"]'), [("2+3?", "3, -3")]),
    ("p.jsonl", answered('["1,200", "3"]'), [("2+3?", "1200, 3")]),
    ("p.jsonl", answered('["(1,7)", "(5,3)"]'), [("2+3?", "(1,7), (5,3)")]),
    ("p.jsonl", answered("0"), [("2+3?", "0")]),
    ("p.jsonl", answered('"  5 "'), FIVE),
    # Boxes without braces
    ("p.jsonl", solved(r"our answer is $\boxed 2$."), [("2+3?", "2")]),
    ("p.jsonl", solved(r"so $\boxed 9$ years"), [("2+3?", "9")]),
    ("p.jsonl", solved(r"so \boxed 9 years"), [("2+3?", "9")]),
    ("p.jsonl", solved(r"so \(\boxed 12\)."), [("2+3?", "12")]),
    ("p.jsonl", solved(r"so $\boxed\frac12$"), [("2+3?", r"\frac12")]),
    ("p.jsonl", solved(r"so $\boxed 5$"), FIVE),
    ("p.jsonl", solved(r"first $\boxed{4}$ is wrong, so $\boxed{5}$"), FIVE),
    ("p.jsonl", solved(r"so \boxed 5."), FIVE),
    # Choices that are in the question, and fields of such names without any
    ("p.jsonl", json.dumps({"question": "2+3? (A) 4 (B) 5", "choices": ["4", "5"],
                            "answer": "B"}).encode(), [("2+3? (A) 4 (B) 5", "B")]),
    ("p.jsonl", b'{"problem": "2+3?", "choices": null, "answer": "5"}', FIVE),
    ("p.jsonl", b'{"problem": "2+3?", "choices": [], "answer": "5"}', FIVE),
    ("p.csv", b"problem,choices,answer\n2+3?,[],5\n", FIVE),
    ("p.csv", b"problem,A,B,answer\nA+B?,2,3,5\n", [("A+B?", "5")]),
    ("p.jsonl", b'{"problem": "2+3?", "A": 4, "answer": "5"}', FIVE),
    # Repeated questions
    ("p.jsonl", ONE + ONE, FIVE),
    ("p.jsonl", ONE + b'{"problem": "2+3?", "answer": 5.0}', FIVE),
    ("p.jsonl", b'{"problem": "p", "answer": "1,200"}\n{"problem": "p", "answer": "1200"}',
     [("p", "1,200")]),
    ("p.jsonl", b'{"problem": "p q", "answer": "1"}\n{"problem": "p  q ", "answer": "1.0"}',
     [("p q", "1")]),
    ("p.jsonl", b'{"problem": "p", "answer": "$5"}\n{"problem": "P", "answer": "5"}',
     [("p", "$5")]),
    ("p.jsonl", b'{"problem": "ASCII of a?", "answer": 97}\n'
                b'{"problem": "ASCII of A?", "answer": 65}',
     [("ASCII of a?", "97"), ("ASCII of A?", "65")]),
    # Honest white space, and backslashes that are written twice
    ("p.jsonl", rb'{"problem": "a\nor b\tnot c", "answer": "5"}', [("a\nor b\tnot c", "5")]),
    ("p.jsonl", rb'{"problem": "$\\neq \\theta$", "answer": "\\frac{1}{2}"}',
     [(r"$\neq \theta$", r"\frac{1}{2}")]),
    ("p.jsonl", rb'{"question": "q", "answer": "two\nu = 3\nso\n#### 3"}', [("q", "3")]),
    ("p.csv", b"problem,answer\nq,\\frac{1}{2}\n", [("q", r"\frac{1}{2}")]),
    ("p.jsonl", rb'{"problem": "q", "answer": "5", "solution": "so \boxed{5}"}', [("q", "5")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "problems"), READ, ids=numbered(READ))
def test_file_is_read(tmp_path: Path, name: str, content: bytes, problems: Problems) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert [(p.text, p.answer) for p in load_problems(path)] == problems


REFUSED: list[tuple[str, bytes, Sequence[str]]] = [
    # Values that Python cannot hold
    ("p.jsonl", answered("1e99999999999999999999"), ["line 1", "exponent of more than 18 digits"]),
    ("p.jsonl", ONE + answered("-1e-99999999999999999999"), ["line 2", "exponent"]),
    ("p.parquet", far_time(), ["out of range"]),
    # Names, empty values, comments, NUL
    ("p.jsonl", rb'{"problem": "2+3?", "answer": "5", "\ud800": "x"}', ["name of a field", "half"]),
    ("p.jsonl", rb'{"problem": "2+3?", "answer": "5", "a\u0000": "x"}', ["name of a field", "NUL"]),
    ("p.jsonl", answered('["5", ""]'), ["line 1: field 'answer' has an empty value"]),
    ("p.jsonl", answered('["5", " "]'), ["line 1: field 'answer' has an empty value"]),
    ("p.jsonl", ONE + b"\0\0\0\0", ["line 2", "the character NUL at column 1"]),
    ("p.json", b"// sums\n[" + ONE + b"]", ["line 1", "a comment at column 1"]),
    ("p.jsonl", ONE + b'{"problem": "1+1?", "ans', ["line 2", "string starting at column 21"]),
    ("p.csv", b'problem,answer\n"2+3?,5\n1+1?,2\n', ["line 2", "a double quote is never closed"]),
    ("p.csv", b"\n\nproblem,answer\n2+3?\n", ["line 4", "1 field, the header has 2"]),
    ("p.jsonl.gz", gzip.compress(gzip.compress(ONE)), ["is packed twice; unpack it once"]),
    ("p.jsonl.xz", lzma.compress(bz2.compress(ONE)), ["is packed twice; unpack it once"]),
    # One backslash in JSON where two are needed
    ("p.jsonl", answered(r'"\frac{1}{2}"'),
     ["line 1: field 'answer' holds a form feed before 'rac{1}{2}'", r"write \\frac"]),
    ("p.jsonl", answered(r'"3 \times 10^2"'), ["field 'answer' holds a tab", r"write \\times"]),
    ("p.jsonl", answered(r'"\theta"'), [r"write \\theta"]),
    ("p.jsonl", answered(r'"\neq 5"'), [r"write \\neq"]),
    ("p.jsonl", answered(r'"\rho"'), [r"write \\rho"]),
    ("p.jsonl", answered(r'["\frac{1}{2}", "3"]'), [r"write \\frac"]),
    ("p.jsonl", answered(r'"3 \text{ cm}"'), [r"write \\text"]),
    ("p.jsonl", ONE + rb'{"problem": "Compute \frac{1}{2}+1", "answer": "3/2"}',
     ["line 2: field 'problem'", r"write \\frac"]),
    ("p.json", rb'[{"problem": "Compute 2 \times 3", "answer": "6"}]',
     ["record 1: field 'problem'", r"write \\times"]),
    ("p.jsonl", rb'{"body": "a \neq b", "question": "c", "answer": "1"}',
     ["field 'body'", r"\\neq"]),
    ("p.jsonl", rb'{"problem": "p", "solution": "so \boxed{7}"}',
     ["line 1: field 'solution' holds a backspace before 'oxed{7}'", r"write \\boxed"]),
    ("p.jsonl", rb'{"question": "p", "answer": "so\n#### \frac{1}{2}"}', [r"write \\frac"]),
    ("p.jsonl", answered(r'"\sqrt{2}"'), ["line 1: not JSON", "one backslash", r"write \\sqrt"]),
    ("p.jsonl", answered(r'"\pi"'), [r"write \\pi"]),
    ("p.jsonl", answered(r'"50\%"'), [r"write \\%"]),
    ("p.jsonl", answered(r'"\upsilon"'), [r"write \\upsilon"]),
    ("p.jsonl", answered(r'"\underline{5}"'), [r"write \\underline"]),
    ("p.jsonl", answered(r'"\(5\)"'), [r"write \\("]),
    ("p.csv", b"problem,answer\nq,\x0crac{1}{2}\n",
     ["line 2: field 'answer' holds a form feed", r"write \frac"]),
    ("p.jsonl", answered(r'"\u0007lpha"'), ["a bell character", r"\\alpha"]),
    # Choices
    ("p.jsonl", b'{"question": "3+4?", "choices": ["6", "7"], "answer": 1}',
     ["line 1: choices are not put to the model (field 'choices')", "into the question"]),
    ("p.jsonl", b'{"question": "3+4?", "choices": {"text": ["6", "7"], "label": ["A", "B"]},'
                b' "answerKey": "B"}', ["choices are not put to the model"]),
    ("p.jsonl", b'{"question": "q", "options": ["A) 6", "B) 7"], "answer": "B"}', ["'options'"]),
    ("p.jsonl", b'{"question": "q", "options": {"A": "6", "B": "7"}, "answer": "B"}', ["options"]),
    ("p.csv", b"question,A,B,C,D,answer\nq,6,7,8,9,B\n", ["choices are not put", "'A'"]),
    ("p.csv", b"question,A,B,answer\nq,cat,dog,dog\n", ["choices are not put"]),
    ("p.csv", b'question,choices,answer\nq,"[\'6\', \'7\']",1\n', ["choices are not put"]),
    ("p.jsonl", b'{"question": "q", "opa": "6", "opb": "7", "answer": "1"}', ["'opa'"]),
    ("p.jsonl", b'{"question": "q", "option_a": "6", "option_b": "7", "answer": "a"}', ["choices"]),
    ("p.jsonl", b'{"question": "q", "choice1": "6", "choice2": "7", "answer": "0"}', ["choices"]),
    ("p.parquet", to_parquet({"question": "q", "choices": ["6", "7"], "answer": 1}), ["choices"]),
    # Answers that are none; the field of the user is named
    ("p.jsonl", answered("null"), ["line 1: no answer (field 'answer' is null"]),
    ("p.jsonl", answered('""'), ["no answer (field 'answer' is empty"]),
    ("p.jsonl", answered('"  "'), ["no answer (field 'answer' is empty"]),
    ("p.jsonl", answered("[]"), ["no answer (field 'answer' is empty"]),
    ("p.jsonl", answered("[null]"), ["field 'answer' is of type null"]),
    ("p.jsonl", answered('[["5"]]'), ["field 'answer' is of type list"]),
    ("p.jsonl", answered('{"value": 5}'), ["field 'answer' is of type dict"]),
    ("p.jsonl", b'{"problem": "p"}', ["no answer (there is no field 'answer'"]),
    ("p.jsonl", b'{"Question": "p", "Answer": null}', ["field 'Answer' is null"]),
    ("p.csv", b"problem\np\n", ["line 2: no answer (there is no field 'answer'"]),
    ("p.csv", b"problem,answer\np,\n", ["no answer (field 'answer' is empty"]),
    ("p.jsonl", b'{"problem": "p", "solution": "so it is 7"}',
     ["field 'solution' holds none with an answer in \\boxed{}"]),
    ("p.jsonl", b'{"input": "p"}', ["no answer (there is no field 'target'"]),
    ("p.jsonl", answered("NaN"), ["not JSON (NaN is no JSON number)"]),
    ("p.jsonl", answered("Infinity"), ["not JSON (Infinity is no JSON number)"]),
    ("p.jsonl", answered("9" * 5000), ["not JSON (a number has thousands of digits)"]),
    ("p.parquet", to_parquet({"problem": "p", "answer": float("nan")}),
     ["row 1: no answer", "null"]),
    # JSON with a slip
    ("p.json", b'[\n {"problem": "2+3?", "answer": "5"},\n]',
     ["FILE, line 2: not JSON (a comma at column", "remove it", "a list of JSON objects"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer": "5",}', ["a comma at column", "remove it"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer": "5"},\n{"problem": "1+1?", "answer": "2"}',
     ["line 1: not JSON (a comma between objects"]),
    ("p.jsonl", b"{'problem': '2+3?', 'answer': '5'}", ["single quotes at column 2"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer": None}', ["None at column 31; JSON has null"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer": True}', ["JSON has true"]),
    ("p.jsonl", b'{"problem": "2\n3?", "answer": 5}', ["line 1: not JSON (a line break or tab"]),
    ("p.jsonl", b'{"problem": "2+3?", "ans\n' + ONE, ["line 1: not JSON"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer":\n' + ONE, ["line 1: not JSON (the line ends"]),
    ("p.jsonl", ONE + b'{"problem": "1+1?"', ["line 2: not JSON", "cut off"]),
    ("p.json", b'{\n "problem": "2+3?",\n "answer": 5 6\n}', ["line 3: not JSON"]),
    ("p.jsonl", b'{"problem": "2+3?", "answer": "5", "answer": "6"}',
     ["line 1: not JSON (an object has the field 'answer' twice; keep one of them)"]),
    ("p.jsonl", b'{"problem": "p", "answer": ' + b"[" * 100_000, ["nested too deep"]),
    ("p.jsonl", b'{"problem": "p", "answer": "\\ud83d"}', ["'answer' holds half a character"]),
    ("p.jsonl", b'{"problem": "p", "answer": "1", "id": "\\udc00"}', ["'id' holds half"]),
    ("p.jsonl", b'{"problem": "p", "answer": "1", "kind": "\\udc00"}', ["'kind' holds half"]),
    ("p.jsonl", b'{"problem": "p\\u0000", "answer": "1"}', ["'problem' holds the character NUL"]),
    ("p.jsonl", b'"just text"', ["line 1: not a JSON object"]),
    # Files of another kind
    ("p.jsonl", to_zip("p.jsonl"), ["FILE: is a ZIP archive", "JSONL, JSON, CSV or Parquet"]),
    ("p.xlsx", to_zip("xl/workbook.xml"), ["FILE: is an Excel workbook; save it as CSV"]),
    ("p.pdf", b"%PDF-1.7\n", ["FILE: is a PDF"]),
    ("p.jsonl", b"<!DOCTYPE html><html>", ["FILE: is a web page (HTML)"]),
    ("p.csv", b"\n <html lang=en>", ["FILE: is a web page (HTML)"]),
    ("p.jsonl", b'<?xml version="1.0"?>', ["FILE: is an XML document"]),
    ("p.db", b"SQLite format 3\x00", ["FILE: is an SQLite database"]),
    ("p.jsonl", b"\x28\xb5\x2f\xfd00", ["FILE: is packed with zstd"]),
    ("p.arrow", b"ARROW1\x00\x00", ["FILE: is an Arrow file"]),
    ("p.pkl", b"\x80\x04\x95", ["FILE: is a Python pickle"]),
    ("p.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", ["Git LFS pointer"]),
    ("p.jsonl.gz", gzip.compress(TWO)[:-12], ["FILE: is no whole gzip file"]),
    ("p.jsonl.gz", b"\x1f\x8bxxxxxxxxxx", ["FILE: is no whole gzip file"]),
    ("p.jsonl.gz", gzip.compress(to_zip("p")), ["FILE: is a ZIP archive"]),
    ("p.jsonl.bz2", b"BZh9xxxx", ["FILE: is no whole bzip2 file"]),
    ("p.parquet", b"PAR1xxxx", ["FILE: is no whole Parquet file"]),
    ("p.parquet", to_parquet({"problem": "p", "answer": "5"})[:-20], ["no whole Parquet file"]),
    ("p.jsonl", b"\xff\xfe\x00", ["FILE: not UTF-16"]),
    ("p.jsonl", '{"problem": "é"}'.encode("latin-1"), ["FILE, line 1: not UTF-8"]),
    ("p.jsonl", TWO.decode().encode("utf-16-le"), ["FILE: UTF-16 without its byte order mark"]),
    ("p.json", b'{"version": 1, "data": [' + ONE + b"]}",
     ["line 1: no problem field, but a list of 1 objects in 'data'", "save that list"]),
    ("p.tar", b"p.jsonl".ljust(257, b"\x00") + b"ustar", ["FILE: is a tar archive"]),
    # CSV with a slip
    ("p.csv", b"frage;antwort\na, b;5\n", ["semicolons seem to separate the header"]),
    ("p.csv", b"problem;answer\na;b;5\n", ["line 2: bad CSV (3 fields, the header has 2)",
                                            "semicolons"]),
    # One question with two answers
    ("p.jsonl", ONE + b'{"problem": "2+3?", "answer": "6"}',
     ["FILE, line 2: answer '6' to the question of line 1, which has '5'; keep one of them"]),
    ("p.jsonl", ONE + b'{"problem": " 2+3? ", "answer": 7}', ["line 2: answer '7'"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "parts"), REFUSED, ids=numbered(REFUSED))
def test_file_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, parts: Sequence[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_problems(path)
    message = str(caught.value).replace(str(path), "FILE")
    assert message.startswith("FILE")
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (CSV.encode(), "FILE: read as CSV with semicolons between fields"),
        (ONE + ONE, "FILE: 1 record repeats an earlier question with the same answer and does not "
                    "count (line 2 that of line 1)"),
        (answered("[3, -3]"), "FILE: 1 answer lists several values, which count as a set (line 1)"),
    ],
)  # fmt: skip
def test_what_is_read_otherwise_than_it_stands_is_said(
    tmp_path: Path, content: bytes, remark: str
) -> None:
    path = tmp_path / "p.txt"
    path.write_bytes(content)
    remarks: list[str] = []
    load_problems(path, remark=remarks.append)
    assert [one.replace(str(path), "FILE") for one in remarks] == [remark]


def test_plain_files_are_read_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(TWO)
    remarks: list[str] = []
    load_problems(path, remark=remarks.append)
    assert remarks == []


def test_a_question_again_without_its_answer_keeps_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"problem": "p"}\n{"problem": "p", "answer": "1"}\n{"problem": "P"}\n')
    found = load_problems(path, require_answers=False)
    assert [(p.text, p.answer) for p in found] == [("p", "1"), ("P", None)]


def test_one_backslash_is_no_matter_in_a_field_that_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(rb'{"problem": "p", "answer": "1", "hint": "use \frac{1}{2}"}')
    assert [p.answer for p in load_problems(path)] == ["1"]


@pytest.fixture(scope="module")
def load_bytes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes, str], None]:
    folder = tmp_path_factory.mktemp("any")

    def load(content: bytes, suffix: str) -> None:
        path = folder / f"p{suffix}"
        path.write_bytes(content)
        message = ""
        try:
            assert load_problems(path)
        except InputError as error:
            message = str(error)
        assert "\n" not in message

    return load


TEXTS = st.text(st.sampled_from('{}[]",:;\\tnfu0123456789. eproblmanswr\n\x00\x08é'), max_size=80)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
RECORDS = st.dictionaries(
    st.sampled_from(["problem", "question", "answer", "solution", "body", "choices", "id", "A"]),
    VALUES,
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=60)
    | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | RECORDS.map(lambda record: json.dumps(record).encode())
    | st.binary(max_size=30).map(lambda tail: gzip.compress(TWO)[:-8] + tail)
    | st.binary(max_size=30).map(lambda tail: b"PAR1" + tail),
    st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".gz", ""]),
)
def test_any_bytes_give_problems_or_one_line(
    load_bytes: Callable[[bytes, str], None], content: bytes, suffix: str
) -> None:
    load_bytes(content, suffix)
