"""What vLLM is told to stop at, and what is made of where it stopped."""

from __future__ import annotations

import pytest

from executor.models.stopping import Finish, StopAt, Stopping
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.strategy import STEP_DELIMITER
from tests.helpers.vocabulary import Vocabulary

END_OF_TURN = "<turn>"


WHOLE = ("a", "\n\n", END_OF_TURN)  # every stop string is a token
SPELT = ("a", "\n", "<", "turn>")  # none is


def stopping(*pieces: str, stop: tuple[str, ...] = ()) -> Stopping:
    return Stopping(Tokens(Vocabulary(*pieces)), PromptTemplate(stop=stop))


@pytest.mark.parametrize(
    ("pieces", "stop", "template", "expected"),
    [
        (WHOLE, [STEP_DELIMITER], (), StopAt((), (1,))),
        (WHOLE, [STEP_DELIMITER], (END_OF_TURN,), StopAt((), (1, 2))),
        (WHOLE, [], (), StopAt((), ())),
        (
            (*WHOLE, "\n"),  # one that must be looked for in the text is enough
            [STEP_DELIMITER],
            (END_OF_TURN,),
            StopAt((STEP_DELIMITER, END_OF_TURN), ()),
        ),
    ],
)
def test_vllm_looks_for_tokens_where_they_say_it_all(
    pieces: tuple[str, ...], stop: list[str], template: tuple[str, ...], expected: StopAt
) -> None:
    assert stopping(*pieces, stop=template).at(stop) == expected


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
    found = stopping(*pieces, stop=(END_OF_TURN,)).finish(reason, met, [STEP_DELIMITER])
    assert found is expected
