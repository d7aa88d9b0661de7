"""Messages as clients send them, and the conversation that the policy reads."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from planner.notes import NoteCode
from planner.service.http.conversation import Conversation, Message, conversation

CODE = NoteCode
ASKED = {"role": "user", "content": "2+2?"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    ],
}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "4"}
READ = TypeAdapter(list[Message])


def read(*messages: dict[str, Any]) -> Conversation:
    return conversation(READ.validate_python(list(messages)))


# Messages before the question, and the turns that they are.
BEFORE: list[tuple[list[dict[str, Any]], list[tuple[str, str]]]] = [
    ([], []),
    ([{"role": "system", "content": "Be brief."}], [("system", "Be brief.")]),
    ([{"role": "developer", "content": "Be brief."}], [("system", "Be brief.")]),
    (
        [
            {
                "role": "system",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ],
        [("system", "ab")],
    ),
    ([ASKED, {"role": "assistant", "content": "4"}], [("user", "2+2?"), ("assistant", "4")]),
    ([ASKED, {"role": "assistant", "content": ""}], [("user", "2+2?"), ("assistant", "")]),
    ([ASKED, {"role": "assistant", "content": []}], [("user", "2+2?"), ("assistant", "")]),
    ([ASKED, {"role": "assistant", "content": None}], [("user", "2+2?"), ("assistant", "")]),
    ([ASKED, {"role": "assistant"}], [("user", "2+2?"), ("assistant", "")]),
    (
        [ASKED, {"role": "assistant", "content": "4", "tool_calls": []}],
        [("user", "2+2?"), ("assistant", "4")],
    ),
    (
        [ASKED, {"role": "assistant", "content": None, "refusal": "No."}],
        [("user", "2+2?"), ("assistant", "No.")],
    ),
    (
        [ASKED, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
        [("user", "2+2?"), ("assistant", "No.")],
    ),
    ([{"role": "user", "content": ""}], [("user", "")]),
    (
        [ASKED, CALL, RESULT, {"role": "assistant", "content": "4"}],
        [
            ("user", "2+2?"),
            ("assistant", 'Call of add: {"a": 2}'),
            ("user", "Result of add: 4"),
            ("assistant", "4"),
        ],
    ),
    (
        [
            ASKED,
            {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "7"},
        ],
        [("user", "2+2?"), ("assistant", "Call of f: {}"), ("user", "Result of f: 7")],
    ),
    ([{"role": "tool", "tool_call_id": "x", "content": "4"}], [("user", "Result of the tool: 4")]),
]


@pytest.mark.parametrize(("messages", "turns"), BEFORE, ids=range(len(BEFORE)))
def test_the_turns_before_a_question(
    messages: list[dict[str, Any]], turns: list[tuple[str, str]]
) -> None:
    said = read(*messages, {"role": "user", "content": "And 3+3?"})
    assert (list(said.before), said.question, said.begun) == (turns, "And 3+3?", "")


def test_results_of_tools_after_the_question_belong_to_it() -> None:
    said = read({"role": "system", "content": "Add."}, ASKED, CALL, RESULT)
    assert said.question == '2+2?\n\nCall of add: {"a": 2}\n\nResult of add: 4'
    assert said.before == (("system", "Add."),) and said.begun == ""
    assert [note.code for note in said.notes] == [CODE.TOOL_MESSAGES_AS_TEXT]
    begun = read(ASKED, CALL, RESULT, {"role": "assistant", "content": "So "})
    assert (begun.question, begun.begun) == (said.question, "So ")


@pytest.mark.parametrize(
    ("after", "begun"),
    [
        ([{"role": "assistant", "content": "The answer is"}], "The answer is"),
        ([{"role": "assistant", "content": "So ", "prefix": True}], "So "),
        ([{"role": "assistant", "content": ""}], ""),
        ([{"role": "assistant", "content": None, "tool_calls": []}], ""),
        ([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}], "ab"),
        ([{"role": "assistant", "content": one} for one in ("So", "", " 2+2", " is")], "So 2+2 is"),
    ],
    ids=range(6),
)
def test_the_assistants_last_message_begins_the_answer(
    after: list[dict[str, Any]], begun: str
) -> None:
    said = read(ASKED, *after)
    assert (said.question, said.before, said.begun) == ("2+2?", (), begun)
    assert [note.code for note in said.notes] == [CODE.RESPONSE_BEGUN] * bool(begun)


def test_instructions_come_first_wherever_they_stand() -> None:
    assert read(ASKED, {"role": "system", "content": "Be brief."}).before == (
        ("system", "Be brief."),
    )
    alone = read({"role": "system", "content": "What is 2+2?"})
    assert (alone.question, alone.before) == ("What is 2+2?", ())


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "4"}],
        [RESULT],
        [{"role": "user", "content": " "}],
        [{"role": "user", "content": []}],
        [{"role": "user"}],
        [ASKED, {"role": "user", "content": ""}],
        [{"role": "system", "content": ""}],
        [{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Yes."}],
    ],
    ids=range(8),
)
def test_without_a_question_there_is_nothing_to_answer(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="must be a question from the user"):
        read(*messages)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ({"reasoning_content": "Two and two."}, ["reasoning_content"]),
        ({"reasoning_content": "", "reasoning": None}, []),
        ({"reasoning": "Hm."}, ["reasoning"]),
        ({"thinking_blocks": [{"type": "thinking", "thinking": "Hm."}]}, ["thinking_blocks"]),
        ({"content": [{"type": "thinking", "thinking": "Hm."}]}, ["reasoning"]),
        ({"name": "Ada"}, ["name"]),
        ({"cache_control": {"type": "ephemeral"}}, ["cache_control"]),
        (
            {"content": [{"type": "text", "text": "4", "cache_control": {"type": "ephemeral"}}]},
            ["cache_control"],
        ),
        ({"annotations": [], "audio": None, "function_call": None, "id": "m1"}, []),
        ({"provider_specific_fields": {"refusal": None}}, []),
    ],
    ids=range(10),
)
def test_what_the_policy_does_not_read_is_noted(message: dict[str, Any], fields: list[str]) -> None:
    said = read(ASKED, {"role": "assistant", "content": "4"} | message, ASKED)
    assert {note.code for note in said.notes} <= {CODE.FIELD_WITHOUT_EFFECT}
    assert [note.text("field") for note in said.notes] == fields
    assert "Hm." not in str(said.before) and "Two" not in str(said.before)
