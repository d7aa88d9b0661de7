"""Steps: nothing lost, none blank, and the same whether cut afterwards or searched one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.engines.base import EngineCounters
from executor.ledger import Ledger, TokenCap
from executor.models.stopping import Finish
from executor.models.tokens import Tokens, with_readings
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import EOS_ID, CharTokenizer
from executor.problem import Problem
from executor.search import Context, Response, State
from executor.search.steps import children
from executor.strategy import STEP_DELIMITER, Sampling
from tests.helpers.vocabulary import Vocabulary


class Pieces:
    """A tokenizer of a few awkward pieces."""

    vocabulary = ("a", "\n", "\n\n", " ", "b\n", "c\n\n", ".\n\n\n", "\n\nd", "\nd", "\n \n", "é")

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return "".join(self.vocabulary[i] for i in ids if i != EOS_ID)


class Bytes:
    """A token a byte, as byte-level vocabularies spell rare characters."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return bytes(i for i in ids if i != EOS_ID).decode(errors="replace")


awkward = st.text(st.sampled_from("ab.√\U0001f600 \n\n\n\t\u00a0"), max_size=40)
by_tokenizer = st.one_of(
    st.tuples(st.just(CharTokenizer()), awkward.map(lambda text: [ord(c) for c in text])),
    st.tuples(st.just(Pieces()), st.lists(st.integers(0, len(Pieces.vocabulary) - 1))),
    st.tuples(st.just(Bytes()), awkward.map(lambda text: list(text.encode()))),
)


def char_ids(text: str) -> tuple[Any, list[int]]:
    return CharTokenizer(), [ord(c) for c in text]


@given(by_tokenizer, st.booleans())
@example(char_ids("\n\n"), True)
@example(char_ids("a\n\n\n\n"), True)
@example(char_ids("\n\n\n\na\n\n \n\nb"), False)
def test_steps_join_to_the_response_and_none_is_blank(
    sample: tuple[Any, list[int]], ended: bool
) -> None:
    tokenizer, ids = sample
    ids = [*ids, EOS_ID] if ended else ids
    steps = Tokens(tokenizer).steps(ids)
    assert [token for step in steps for token in step.token_ids] == ids
    for step in steps:
        assert 1 <= step.scored <= len(step.token_ids)
    if tokenizer.decode(ids).strip():
        for step in steps:
            assert step.text.strip(), "a blank step"
            assert tokenizer.decode(step.token_ids[: step.scored]).strip(), "scored before its text"
    else:
        assert len(steps) <= 1
    for step in steps[:-1]:
        assert STEP_DELIMITER in step.text.lstrip()


@given(awkward)
def test_the_text_of_steps_is_that_of_their_tokens(text: str) -> None:
    """A character of several tokens is whole, not a replacement sign a token."""
    tokens = Tokens(Bytes())
    for step in tokens.steps(list(text.encode())):
        assert "\ufffd" not in step.text
        whole = tokens.decode(step.token_ids)
        assert whole.startswith(step.text)
        assert not whole.removeprefix(step.text).strip()


class Fixed:
    """A policy that always writes one and the same response."""

    name = "fixed"
    max_context = 10_000

    def __init__(self, tokenizer: Any, response: list[int]) -> None:
        self.tokens = Tokens(tokenizer)
        self.response = response

    def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> list[int]:
        return []

    async def draw(self, request: DrawRequest) -> list[Draw]:
        prompt_ids = request.prompt_ids
        assert list(prompt_ids) == self.response[: len(prompt_ids)]
        written: list[int] = []
        finish = Finish.LENGTH
        for token in self.response[len(prompt_ids) :][: request.max_tokens]:
            written.append(token)
            if token == EOS_ID:
                finish = Finish.EOS
                break
            if any(s in self.tokens.decode(written) for s in request.stop):
                finish = Finish.STOP
                break
        # What a head says of a token is here the token's place.
        places = map(float, range(len(prompt_ids), len(prompt_ids) + len(written)))
        return [Draw(tuple(written), finish, 0.0, tuple(places))] * request.n

    def counters(self) -> EngineCounters:
        return EngineCounters()

    def close(self) -> None:
        pass


class Constant:
    """A PRM that likes everything."""

    name = "constant"
    scores_steps = True

    async def score(self, question: str, steps: Sequence[Any], *, start: int, **_: Any) -> Any:
        return [1.0] * (len(steps) - start)

    counters: Callable[[], EngineCounters]
    close: Callable[[], None]


def searched(tokenizer: Any, ids: list[int]) -> Response:
    """The response as a tree search writes it, step by step."""

    async def run() -> Response:
        policy: Any = Fixed(tokenizer, ids)
        prm: Any = Constant()
        sampling = Sampling(max_steps=10_000)
        cap = TokenCap(10**9)
        context = Context(Problem("p", "?"), policy, prm, sampling, 0, cap, Ledger())
        response = Response()
        for depth in range(len(ids) + 2):
            [response] = await children(context, response, 1, f"{depth}")
            if response.state is not State.LIVE:
                return response
        raise AssertionError("the search did not end")

    return asyncio.run(run())


@given(by_tokenizer)
@example((Pieces(), [7, 2]))
@example(char_ids("\n\na\n\n\n\n\nb\n\n\n\n"))
def test_cutting_a_whole_sample_equals_searching_step_by_step(
    sample: tuple[Any, list[int]],
) -> None:
    tokenizer, ids = sample
    ids = [*ids, EOS_ID]
    response = searched(tokenizer, ids)
    assert response.state is State.FINISHED
    assert list(response.steps) == Tokens(tokenizer).steps(ids)
    assert len(response.rewards) == len(response.steps)
    whole = with_readings(Tokens(tokenizer).steps(ids), list(map(float, range(len(ids)))))
    assert [step.reading for step in response.steps] == [step.reading for step in whole]


@pytest.mark.parametrize(
    ("text", "ended", "read"),
    [
        ("a\n\nb", True, [2, 4]),  # with the delimiter's end, and with the end token
        ("a\n\nb", False, [2, 3]),  # a limit cut it: with the last token
        ("a\n\nbc \n", True, [2, 5]),  # with the first blank token
        ("a\n\n\n", True, [2]),
        ("\n\na\n\n", False, [4]),
        ("", False, []),
    ],
)
def test_a_reading_comes_with_the_token_that_ends_the_step(
    text: str, ended: bool, read: list[int]
) -> None:
    ids = [ord(c) for c in text] + [EOS_ID] * ended
    steps = Tokens(CharTokenizer()).steps(ids)
    found = with_readings(steps, list(map(float, range(len(ids)))))
    assert [step.reading for step in found] == read
    assert with_readings(steps, ()) == steps and all(one.reading is None for one in steps)


@pytest.mark.parametrize(
    ("text", "steps", "scored"),
    [
        ("a\n\nb", ["a\n\n", "b"], [3, 1]),
        ("a\n\n\n\nb", ["a\n\n", "\n\nb"], [3, 3]),
        ("a\n\nb \n", ["a\n\n", "b \n"], [3, 1]),
        ("a\n\n\n", ["a\n\n"], [3]),
        ("", [], []),
    ],
)
def test_steps_by_hand(text: str, steps: list[str], scored: list[int]) -> None:
    found = Tokens(CharTokenizer()).steps([ord(c) for c in text])
    assert [step.text for step in found] == steps
    assert [step.scored for step in found] == scored


def test_models_with_one_tokenizer_share_a_fingerprint() -> None:
    class Other(CharTokenizer):
        def get_vocab(self) -> dict[str, int]:
            return {**super().get_vocab(), "<extra>": 7}

    assert Tokens(CharTokenizer()).fingerprint == Tokens(CharTokenizer()).fingerprint
    assert Tokens(CharTokenizer()).fingerprint != Tokens(Other()).fingerprint


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (("a", "\n\n", ".\n\n", "b"), (1, 2)),
        (("a", "\n\n\n"), (1,)),
        (("a", "\n\n", "\n"), None),  # two line ends spell it too
        (("a", "\n\n", "b\n"), None),
        (("a", "\n\n", "\nb"), (1,)),  # what begins with a line end completes nothing here
        (("a", "b"), None),  # nothing would ever end a step
    ],
)
def test_a_stop_string_is_tokens_only_where_nothing_else_can_spell_it(
    pieces: tuple[str, ...], expected: tuple[int, ...] | None
) -> None:
    assert Tokens(Vocabulary(*pieces)).single_tokens(STEP_DELIMITER) == expected


@given(
    st.lists(st.text("\na", min_size=1, max_size=3), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(0, 4), max_size=6),
)
def test_where_a_stop_string_is_tokens_a_text_has_it_as_soon_as_one_of_them_is_drawn(
    pieces: list[str], drawn: list[int]
) -> None:
    tokens = Tokens(Vocabulary(*pieces))
    ids = [number % len(pieces) for number in drawn]
    found = tokens.single_tokens(STEP_DELIMITER)
    if found is not None:
        for end in range(len(ids) + 1):
            by_text = STEP_DELIMITER in tokens.decode(ids[:end])
            assert by_text == any(token in found for token in ids[:end])
