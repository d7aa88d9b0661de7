"""How a policy tells vLLM to stop, and what it makes of where vLLM stopped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from executor.policy import Finish, VllmPolicy
from executor.strategy import STEP_DELIMITER
from executor.templates import PromptTemplate
from executor.tokens import Tokens
from tests.executor.vocabulary import Vocabulary

END_OF_TURN = "<turn>"


WHOLE = ("a", "\n\n", END_OF_TURN)  # every stop string is a token
SPELT = ("a", "\n", "<", "turn>")  # none is


def policy(*pieces: str, stop: tuple[str, ...] = ()) -> VllmPolicy:
    engine: Any = SimpleNamespace(max_context=64, name="fake", capacity=None)
    return VllmPolicy("p", engine, Tokens(Vocabulary(*pieces)), PromptTemplate(stop=stop))


@pytest.mark.parametrize(
    ("pieces", "stop", "template", "expected"),
    [
        (WHOLE, [STEP_DELIMITER], (), {"stop_token_ids": [1], "detokenize": False}),
        (WHOLE, [STEP_DELIMITER], (END_OF_TURN,), {"stop_token_ids": [1, 2], "detokenize": False}),
        (WHOLE, [], (), {"stop_token_ids": [], "detokenize": False}),
        (
            (*WHOLE, "\n"),  # one that must be looked for in the text is enough
            [STEP_DELIMITER],
            (END_OF_TURN,),
            {"stop": [STEP_DELIMITER, END_OF_TURN], "include_stop_str_in_output": True},
        ),
    ],
)
def test_vllm_looks_for_tokens_where_they_say_it_all(
    pieces: tuple[str, ...], stop: list[str], template: tuple[str, ...], expected: dict[str, Any]
) -> None:
    assert policy(*pieces, stop=template)._stopping(stop) == expected


@pytest.mark.parametrize(
    ("pieces", "reason", "met", "expected"),
    [
        (WHOLE, "length", None, Finish.LENGTH),
        (WHOLE, "stop", None, Finish.EOS),  # the end-of-sequence token
        (WHOLE, "stop", 1, Finish.STOP),
        (WHOLE, "stop", 2, Finish.EOS),  # the template's end of turn
        (WHOLE, "stop", 0, Finish.EOS),  # a further end token of the model's own
        (SPELT, "stop", STEP_DELIMITER, Finish.STOP),
        (SPELT, "stop", END_OF_TURN, Finish.EOS),
        (SPELT, "stop", 3, Finish.EOS),
    ],
)
def test_a_draw_ends_as_vllm_says(
    pieces: tuple[str, ...], reason: str, met: int | str | None, expected: Finish
) -> None:
    completion = SimpleNamespace(
        finish_reason=reason, stop_reason=met, token_ids=[0, 1], cumulative_logprob=-1.5
    )
    draw = policy(*pieces, stop=(END_OF_TURN,))._to_draw(completion, [STEP_DELIMITER])
    assert (draw.finish, draw.token_ids, draw.logprob) == (expected, (0, 1), -1.5)
