"""Keys are read, sent, and shown nowhere."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from executor.access import Access, Secret
from executor.errors import InputError
from planner.runtime.settings import SessionSettings

KEY = "sk-0a1b2c3d4e5f"


def test_no_form_of_a_secret_shows_it() -> None:
    access = Access(Secret(KEY), headers=(("x-team", Secret("team-blue")),))
    settings = replace(SessionSettings(), access=access)
    for text in (repr(settings), str(access), f"{access.key}", repr(copy.deepcopy(access))):
        assert KEY not in text
        assert "team-blue" not in text
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(access)
    assert access.sent() == {"Authorization": f"Bearer {KEY}", "x-team": "team-blue"}
    assert access.hide(f"got {KEY} of team-blue") == "got *** of ***"


def test_a_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    environ = {"MY_KEY": KEY, "OPENAI_API_KEY": "sk-default"}
    assert Access.load(environ, key_env="MY_KEY").key == Secret(KEY)
    assert Access.load({}, key_file=tmp_path / "key").key == Secret(KEY)
    assert Access.load({}).key is None


def test_a_key_that_nobody_named_goes_to_chat_policies_alone() -> None:
    environ = {"OPENAI_API_KEY": KEY}
    access = Access.load(environ)
    assert access.key == Secret(KEY)
    assert access.of_tokens.key is None
    assert Access.load(environ, key_env="OPENAI_API_KEY").of_tokens.key == Secret(KEY)
    azure = Access.load(environ | {"AZURE_KEY": "sk-azure"}, headers=["api-key=AZURE_KEY"])
    assert azure.sent() == {"api-key": "sk-azure"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key_env": KEY}, "never a key itself"),
        ({"key_env": "AKIA0SECRET1KEY"}, "is not set"),
        ({"key_env": "TWO_LINES"}, "several lines"),
        ({"key_env": "EMPTY_KEY"}, "EMPTY_KEY is not set"),
        ({"key_file": Path("/nowhere/key")}, "cannot be read"),
        ({"key_env": "EMPTY_KEY", "key_file": Path("key")}, "expected one of them"),
        ({"headers": [KEY]}, "expected NAME=VARIABLE"),
        ({"headers": [f"x y={KEY}"]}, "letters, digits"),
        ({"query": [KEY]}, "expected NAME=VALUE"),
    ],
)
def test_bad_options_are_one_line_without_what_may_be_a_key(
    options: dict[str, object], words: str
) -> None:
    environ = {"TWO_LINES": "sk-one\nsk-two", "EMPTY_KEY": ""}
    with pytest.raises(InputError) as caught:
        Access.load(environ, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert not any(one in message for one in (KEY, "AKIA0SECRET1KEY", "sk-one"))
