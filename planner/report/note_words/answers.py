"""Notes on answers of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.notes import Note, NoteCode
from planner.report import wording


def _seconds_not_predicted(note: Note) -> str:
    return (
        f"the strategies that end within {note.number('seconds'):g} s are not known "
        f"({note['missing']}); the best answer by then is given"
    )


def _nothing_in_time(note: Note) -> str:
    return (
        f"nothing is expected to end within {note.number('seconds'):g} s; the quickest strategy is "
        "run, and the best answer by then is given"
    )


def _time_ran_out(note: Note) -> str:
    ended = note.whole("ended")
    answer = (
        f"the vote of the {wording.plural(ended, 'sample')} that had ended"
        if ended
        else "the text written by then"
    )
    return f"time ran out after {note.number('seconds'):g} s: the answer is {answer}"


def _answers_not_compared(note: Note) -> str:
    pairs = wording.plural(note.whole("pairs"), "pair")
    return f"the vote counts {pairs} of answers as different: comparing them took too long"


def _fewer_answers(note: Note) -> str:
    return f"{note.whole('asked')} answers were asked for; {note.whole('different')} differ"


def _other_temperature(note: Note) -> str:
    return f"predicted for temperature {note.number('temperature'):g}, not this one"


def _tokens_capped(note: Note) -> str:
    return f"at most {note.whole('max_tokens')} tokens a response: the server's limit holds"


def _other_token_limit(note: Note) -> str:
    return f"predicted for {note.whole('max_tokens')} tokens a response, not {note.whole('asked')}"


def _other_top_p(note: Note) -> str:
    return f"predicted for top_p {note.number('top_p'):g}, not this one"


# Why a field of a request has no effect; those that are not here need no more words.
_WHY_WITHOUT_EFFECT: Mapping[str, str] = {
    "cache_control": "equal beginnings of prompts are cached without it",
    "name": "the policy reads who speaks from the role alone",
    "prediction": "the policy writes its answer anew",
    "reasoning": "thoughts that another model wrote are left out",
    "reasoning_content": "thoughts that another model wrote are left out",
    "reasoning_details": "thoughts that another model wrote are left out",
    "reasoning_effort": "the plan says how much is thought; budget and max_seconds change it",
    "reasoning_summary": "there are no thoughts to sum up",
    "service_tier": "all requests are served alike",
    "store": "no response is kept for later requests",
    "stream_options": "the response is no stream",
    "thinking_blocks": "thoughts that another model wrote are left out",
    "truncation": "a conversation that fills the context is refused",
    "verbosity": "the policy is not told how much to write",
}


def _field_without_effect(note: Note) -> str:
    field = note.text("field")
    why = _WHY_WITHOUT_EFFECT.get(field)
    return f"{field} has no effect here" + ("" if why is None else f": {why}")


def _greedy_by_request(note: Note) -> str:
    return f"one greedy response instead of the plan: {note.text('by')} asks for it"


def _other_model_name(note: Note) -> str:
    return f"answered by {note.text('model')}, the model that the name was taken for"


def _tools_not_called(note: Note) -> str:
    tools = wording.plural(note.whole("tools"), "tool")
    return f"{tools} offered: the policy calls none, and the answer is text"


def _zero_temperature_routed(note: Note) -> str:
    return (
        f"{note.text('field')} {note.number('value'):g} did not turn off the plan; the header "
        "X-Apportion: off or strategy greedy asks for one greedy response"
    )


def _traffic_drifted(note: Note) -> str:
    return (
        f"traffic no longer looks like the plan's profile: {note.text('measure')} "
        f"{note.number('statistic'):.3g}, expected below {note.number('limit'):.3g}; profile it "
        "and plan again"
    )


WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.SECONDS_NOT_PREDICTED: _seconds_not_predicted,
    NoteCode.NOTHING_IN_TIME: _nothing_in_time,
    NoteCode.TIME_RAN_OUT: _time_ran_out,
    NoteCode.ANSWERS_NOT_COMPARED: _answers_not_compared,
    NoteCode.USAGE_UNKNOWN:
        "the policy's endpoint did not report all that it bills; the usage has what it reported",
    NoteCode.FEWER_ANSWERS: _fewer_answers,
    NoteCode.OTHER_TEMPERATURE: _other_temperature,
    NoteCode.TOKENS_CAPPED: _tokens_capped,
    NoteCode.OTHER_TOKEN_LIMIT: _other_token_limit,
    NoteCode.LAST_MESSAGE_ALONE: "difficulty and rewards are those of the last message alone",
    NoteCode.STRATEGY_NOT_PREDICTED: "the accuracy of this strategy is not predicted",
    NoteCode.OTHER_TOP_P: _other_top_p,
    NoteCode.JSON_VOTE:
        "the answer is JSON: equal JSON values are one vote, and the plan's evidence says nothing "
        "of them",
    NoteCode.CONVERSATION_AS_TEXT:
        "the policy has no chat template: the system prompt and earlier turns are plain text "
        "before the question",
    NoteCode.QUESTION_ALONE:
        "the policy was trained on single questions: the system prompt and earlier turns are left "
        "out",
    NoteCode.FIELD_WITHOUT_EFFECT: _field_without_effect,
    NoteCode.GREEDY_BY_REQUEST: _greedy_by_request,
    NoteCode.OTHER_MODEL_NAME: _other_model_name,
    NoteCode.RESPONSE_BEGUN:
        "the answer continues the assistant's last message, and holds only what follows it",
    NoteCode.TOOL_MESSAGES_AS_TEXT:
        "calls and results of tools in the conversation are read as plain text",
    NoteCode.TOOLS_NOT_CALLED: _tools_not_called,
    NoteCode.ZERO_TEMPERATURE_ROUTED: _zero_temperature_routed,
    NoteCode.TRAFFIC_DRIFTED: _traffic_drifted,
}  # fmt: skip
"""The clauses by code: as they are, or made from the note's parameters."""
