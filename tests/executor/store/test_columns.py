"""What columns write is what they read, and JSON that every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from executor.models.confidence import LARGEST_CONFIDENCE, PER_NAT
from executor.store.columns import Confidences, decode, encode, escape, unescape

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
TRICKY = st.text(st.sampled_from("\x00\x10\ud800\udfff0d8f"), max_size=12)


@given(ANY_TEXT | TRICKY)
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    written = escape(text)
    written.encode()  # no surrogates
    assert "\x00" not in written
    assert unescape(written) == text


@pytest.mark.parametrize("text", ["", "plain", "\u00e9\U0001f600", "a\tb\r\n\x0b\x7f", "%s 'x' \\"])
def test_an_ordinary_text_is_written_as_it_is(text: str) -> None:
    assert escape(text) == unescape(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
        max_leaves=12,
    )
)
def test_json_holds_every_number(value: Any) -> None:
    written = encode(value)
    assert written.isascii()
    json.loads(written, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert repr(decode(written)) == repr(value)
    assert repr(decode(written.encode())) == repr(value)


@given(st.lists(st.integers(0, round(PER_NAT * LARGEST_CONFIDENCE)), min_size=1, max_size=20))
def test_confidences_take_two_bytes_each(thousandths: list[int]) -> None:
    confidences, dialect = tuple(round(one / 1000, 3) for one in thousandths), sqlite.dialect()
    written = Confidences().process_bind_param(confidences, dialect)
    assert written == b"".join(one.to_bytes(2, "little") for one in thousandths)
    assert Confidences().process_result_value(written, dialect) == confidences


def test_no_confidences_are_null() -> None:
    dialect = sqlite.dialect()
    assert Confidences().process_bind_param((), dialect) is None
    assert Confidences().process_result_value(None, dialect) == ()


def test_json_of_older_stores_is_read() -> None:
    assert repr(decode('[NaN, Infinity, {"a": -Infinity}]')) == repr(
        [math.nan, math.inf, {"a": -math.inf}]
    )
