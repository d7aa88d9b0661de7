"""How servers are named."""

from __future__ import annotations

import pytest

from executor.errors import InputError
from executor.servers.address import Address, Api, located, read_address


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http://a:1/v1", Address("", ("http://a:1",))),
        ("https://a/llm/v1/", Address("", ("https://a/llm",))),
        ("http://a:1, http://b:2/v1", Address("", ("http://a:1", "http://b:2"))),
        ("./heads/mine@http://a:1/v1", Address("./heads/mine", ("http://a:1",))),
        ("lab-0.8m", None),
        ("a@b", None),
    ],
)
def test_an_address_is_told_from_a_model(name: str, expected: Address | None) -> None:
    assert read_address(name) == expected
    if expected is not None:
        assert read_address(str(expected)) == expected


@pytest.mark.parametrize(
    "name", ["http://", "http://a:port", "http://a,b", "http://a/v1,http://a", "http://a?key=1"]
)
def test_a_bad_address_is_one_line(name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_address(name)
    assert "\n" not in str(caught.value)


def test_two_options_make_one_name() -> None:
    assert located("http://a:1", "lab-0.8m", "policy") == "lab-0.8m@http://a:1/v1"
    assert located("lab-0.8m", None, "policy") == "lab-0.8m"
    for name in (None, "lab-0.8m"):
        with pytest.raises(InputError, match="--prm-model x: needs the address"):
            located(name, "x", "prm")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "chat:openai/gpt-4o:free@https://h/api/v1/",
            Address("openai/gpt-4o:free", ("https://h/api/v1",), Api.CHAT),
        ),
        ("chat:m@2024@https://h/x/chat/completions", Address("m@2024", ("https://h/x",), Api.CHAT)),
        ("tokens:lab@http://a:1/v1", Address("lab", ("http://a:1",), Api.TOKENS)),
    ],
)
def test_an_address_says_how_it_is_asked(name: str, expected: Address) -> None:
    assert read_address(name) == expected
    assert read_address(str(expected)) == expected


def test_a_chat_endpoint_keeps_its_base_and_needs_one_model() -> None:
    azure = "https://r.openai.azure.com/openai/deployments/d"
    assert located(azure, "gpt", "policy", "chat") == f"chat:gpt@{azure}"
    assert located("https://h", "m", "policy", "tokens") == "tokens:m@https://h/v1"
    with pytest.raises(InputError, match="name one with --policy-model"):
        located("https://h/v1", None, "policy", "chat")
    with pytest.raises(InputError, match="expected one address"):
        located("https://h/v1,https://i/v1", "m", "policy", "chat")


def test_an_address_with_a_password_is_refused_without_it() -> None:
    with pytest.raises(InputError) as caught:
        read_address("m@https://me:secret@h/v1")
    assert "secret" not in str(caught.value)
