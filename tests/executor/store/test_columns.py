"""What columns write is what they read, and JSON that every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.store.columns import decode, encode, escape, unescape

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


def test_json_of_older_stores_is_read() -> None:
    assert repr(decode('[NaN, Infinity, {"a": -Infinity}]')) == repr(
        [math.nan, math.inf, {"a": -math.inf}]
    )
