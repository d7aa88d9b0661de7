"""Thoughts in tokens: golden sequences of the model families, found from their chat templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens
from executor.strategy import Sampling
from executor.thinking.budget import FREE, OFF, Thinking, check_room
from executor.thinking.detection import Switch, detect_format, find_switch
from executor.thinking.formats import FORMATS, SENTENCE, TAG, find_format, may_have_tags
from executor.thinking.marks import Marks, Thought
from tests.helpers.thinkers import TaggedTokenizer

WORDS = [
    "so", "yes", "4", " ", "\n", "user", "assistant", "analysis", "final", "end", "<", ">", "/",
    "think",
]  # fmt: skip
HARMONY = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>"]


def make_tokenizer(template: str, marks: list[str], special: list[str]) -> Any:
    """Return a tokenizer of a few words with added tokens, of which some are special."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<unk>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n|[a-z]+|."), behavior="isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    tokenizer.add_tokens([AddedToken(one, normalized=False) for one in marks])
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template = template
    return tokenizer


ASK = "{% for one in messages %}<|start|>{{ one.content }}<|end|>{% endfor %}<|start|>assistant"


@dataclass(frozen=True)
class Family:
    """A family's template, the variables it knows, and a response cut into its parts."""

    template: str
    format: str
    response: str
    expected: Thought | None
    opened: bool = False
    marks: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=lambda: list(HARMONY))
    switch: Switch | None = None


THINK = ["<think>", "</think>"]
FAMILIES = {
    "deepseek-r1": Family(
        ASK + "<think>\n", "think", "so\nyes\n</think>\n\n4<|end|>", Thought(4, 5, True),
        opened=True, marks=THINK,
    ),
    "deepseek-r1 of 2025-01": Family(
        ASK.replace("{{ one.content }}", "{{ one.content.split('</think>')[-1] }}"), "think",
        "<think>\nso\n</think>\n\n4<|end|>", Thought(3, 5, True), marks=THINK,
    ),
    "deepseek-v3.1": Family(
        ASK + "{% if thinking %}<think>{% else %}</think>{% endif %}", "think",
        "so</think>4<|end|>", Thought(1, 2, True), opened=True, marks=THINK,
        switch=Switch("thinking", counts=False),
    ),
    "qwen3": Family(
        ASK + "{% if enable_thinking is defined and enable_thinking is false %}"
        "<think>\n\n</think>\n\n{% endif %}",
        "think", "<think>\nso\n</think>\n\n4<|end|>", Thought(3, 5, True), marks=THINK,
        switch=Switch("enable_thinking", counts=False),
    ),
    "qwen3 that does not think": Family(
        ASK + "<think>", "think", "4<|end|>", None, marks=THINK,
    ),
    "qwq, cut": Family(
        ASK + "<think>\n", "think", "so yes", Thought(3, 3, False), opened=True, marks=THINK,
    ),
    "gpt-oss": Family(
        ASK + "{% if messages[0].thinking %}<|channel|>analysis<|message|>{% endif %}", "harmony",
        "<|channel|>analysis<|message|>so yes<|end|><|start|>assistant"
        "<|channel|>final<|message|>4<|return|>", Thought(6, 12, True),
    ),
    "magistral": Family(
        ASK + "{# [THINK] #}", "magistral", "[THINK]so[/THINK]4<|end|>", Thought(1, 3, True),
        special=["[THINK]", "[/THINK]", *HARMONY],
    ),
    "seed-oss": Family(
        ASK + "{% if thinking_budget == 0 %}<seed:think></seed:think>{% endif %}", "seed",
        "<seed:think>so</seed:think>4<|end|>", Thought(1, 3, True),
        marks=["<seed:think>", "</seed:think>"], switch=Switch("thinking_budget", counts=True),
    ),
    "marks that are no tokens": Family(
        ASK + "<think>", "think", "so</think>4<|end|>", Thought(1, 5, True), opened=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_golden_sequences(name: str) -> None:
    family = FAMILIES[name]
    tokenizer = make_tokenizer(family.template, family.marks, family.special)
    found = detect_format(tokenizer)
    assert found is not None and found.name == family.format
    assert find_switch(tokenizer) == family.switch
    marks = Marks(found, tokenizer)
    variables = {} if family.switch is None else family.switch.variables(FREE)
    prompt = PromptTemplate().render(tokenizer, "so", variables=variables)
    if name != "qwen3 that does not think":
        assert marks.opened_by(prompt) == family.opened
    response = tokenizer.encode(family.response, add_special_tokens=False)
    assert marks.read(response, opened=family.opened) == family.expected
    if family.expected is not None and family.expected.closed:
        visible = tokenizer.decode(response[family.expected.end :], skip_special_tokens=True)
        assert visible.strip() == "4"


@pytest.mark.parametrize(
    ("name", "stop"),
    [("qwen3", "</think>"), ("gpt-oss", "<|message|>"), ("magistral", "[/THINK]"),
     ("marks that are no tokens", "</think>")],
)  # fmt: skip
def test_engines_stop_at_one_token_where_a_thought_may_end(name: str, stop: str) -> None:
    family = FAMILIES[name]
    tokenizer = make_tokenizer(family.template, family.marks, family.special)
    marks = Marks(find_format(family.format), tokenizer)
    assert marks.stop == stop
    if name != "marks that are no tokens":
        assert Tokens(tokenizer).single_tokens(stop) == (tokenizer.convert_tokens_to_ids(stop),)


def test_a_switch_turns_thoughts_on_and_off() -> None:
    for name in ("qwen3", "deepseek-v3.1", "seed-oss"):
        family = FAMILIES[name]
        tokenizer = make_tokenizer(family.template, family.marks, family.special)
        switch = family.switch
        assert switch is not None
        off = tokenizer.decode(
            PromptTemplate().render(tokenizer, "so", variables=switch.variables(OFF))
        )
        assert off.rstrip().endswith(find_format(family.format).close)
    assert Switch("thinking_budget", counts=True).variables(Thinking(64)) == {"thinking_budget": 64}
    assert Switch("thinking_budget", counts=True).variables(FREE) == {"thinking_budget": -1}


def test_a_model_whose_vocabulary_alone_has_marks_does_not_think() -> None:
    assert detect_format(make_tokenizer(ASK, THINK, HARMONY)) is None
    assert detect_format(make_tokenizer("", [], HARMONY)) is None


def test_a_question_that_quotes_a_mark_opens_no_thought() -> None:
    marks = Marks(find_format("think"), TaggedTokenizer())
    encode = TaggedTokenizer().encode
    assert not marks.opened_by(encode("What does <think> mean?"))
    assert marks.opened_by(encode("What does </think> mean?\n\n<think>\n"))
    assert not marks.opened_by(encode("<think>\n</think>\n\n"))


def test_text_before_the_mark_makes_it_no_thought_of_the_response() -> None:
    marks = Marks(find_format("think"), TaggedTokenizer())
    encode = TaggedTokenizer().encode
    assert marks.read(encode("Well. <think>a</think>b"), opened=False) is None
    assert marks.read(encode("\n<think>ab</think>c"), opened=False) == Thought(2, 5, True)
    assert marks.read([], opened=False) is None
    assert marks.read([], opened=True) == Thought(0, 0, False)


def test_an_ending_is_a_sentence_and_the_mark_if_the_vocabulary_has_the_words() -> None:
    tokenizer = TaggedTokenizer()
    marks = Marks(find_format("think"), tokenizer)
    assert tokenizer.decode(marks.ending) == f"{SENTENCE}</think>\n\n"
    few = make_tokenizer(ASK, THINK, HARMONY)
    assert few.decode(Marks(find_format("think"), few).ending) == "\n</think>\n\n"


@pytest.mark.parametrize("format_", FORMATS, ids=lambda one: one.name)
def test_every_format_can_be_read_and_is_known_in_texts(format_: Any) -> None:
    marks = Marks(format_, CharLike())
    text = f"{format_.open}ab{format_.ending}7"
    read = marks.read(CharLike().encode(text), opened=False)
    assert read is not None and read.closed and read.end <= len(text) - 1
    assert format_.close in format_.ending
    assert may_have_tags(text)
    assert [bool(tag["open"]) for tag in TAG.finditer(text)] == [True, False]


class CharLike(TaggedTokenizer):
    """A token per character, marks too."""

    added: ClassVar[dict[str, int]] = {}

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [ord(one) for one in text]


@pytest.mark.parametrize(
    ("given", "tokens"), [("0", 0), ("512", 512), ("free", None), (" Free", None)]
)
def test_budgets_are_read(given: str, tokens: int | None) -> None:
    assert Thinking.read(given) == Thinking(tokens)
    assert Thinking.read(str(Thinking(tokens))) == Thinking(tokens)


@pytest.mark.parametrize("given", ["-1", "low", "1.5", "", "²"])
def test_other_budgets_are_refused(given: str) -> None:
    with pytest.raises(InputError, match=r"expected 0 \(no thought\), a number of tokens, or free"):
        Thinking.read(given)


def test_sampling_keeps_its_thinking_and_old_runs_their_names() -> None:
    assert "thinking" not in Sampling().to_dict()
    for thinking in (OFF, FREE, Thinking(64)):
        sampling = Sampling(thinking=thinking, thinking_format="think")
        assert Sampling.from_dict(sampling.to_dict()) == sampling
    with pytest.raises(InputError, match="no such format; expected one of harmony"):
        Sampling(thinking_format="r1")
    with pytest.raises(InputError, match="no room for an answer behind such a thought"):
        check_room(Thinking(512), 512)
    check_room(Thinking(511), 512)
    check_room(FREE, 1)
