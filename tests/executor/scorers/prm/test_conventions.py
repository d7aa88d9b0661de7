"""Conventions of public PRMs: exact tokens and places, one suite that all must pass, real vLLM."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.loading import resolve
from executor.models.bundled import bundled
from executor.models.checkpoint import Checkpoint, read_config
from executor.models.templates import PromptTemplate
from executor.models.tokens import Step, Tokens, load_tokenizer
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.scorers import vllm_plugin
from executor.scorers.base import Convention, StepScorer
from executor.scorers.prm import CONVENTIONS, check_prm, load_prm, resolve_prm
from executor.scorers.prm.math_shepherd import MathShepherd
from executor.scorers.prm.qwen import QwenMath
from executor.scorers.prm.rlhflow import RlhFlow
from executor.scorers.prm.skywork import Skywork
from executor.search import Context, search
from executor.strategy import BeamSearch, BestOfN, Sampling
from executor.testing.step_scorer_conformance import (
    QUESTION,
    TEXTS,
    ConventionConformance,
    StepScorerConformance,
    steps_of,
)
from tests.helpers.public_prms import MAKERS, PublicPrm

OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25, dtype="float32", max_model_len=1024)


STEPS = steps_of(*TEXTS)


@pytest.fixture(scope="module", params=MAKERS)
def prm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PublicPrm:
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def convention(prm: PublicPrm) -> Convention:
    return convention_of(prm.folder)


def convention_of(folder: Path) -> Convention:
    checkpoint = resolve(str(folder), "PRM")
    config = read_config(checkpoint.location)
    [kind] = [kind for kind in CONVENTIONS if kind.fits(checkpoint, config)]
    return kind.load(checkpoint, Tokens(load_tokenizer(folder)))


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> PublicPrm:
    return MAKERS[request.param](tmp_path)


def golden(prm: PublicPrm, *pieces: str) -> tuple[list[int], list[int]]:
    """Token ids by hand, and how many lie before each place that is marked by an empty piece."""
    ids: list[int] = []
    ends = []
    for piece in pieces:
        if piece:
            ids += prm.ids(piece)
        else:
            ends.append(len(ids))
    return ids, ends


@pytest.mark.parametrize("made", ["qwen_math"], indirect=True)
def test_qwen_reads_its_tag_after_every_step_of_one_answer(made: PublicPrm) -> None:
    layout = convention_of(made.folder).layout(QUESTION, STEPS)
    system = "system\nPlease reason step by step, and put your final answer within \\boxed{}."
    assert (layout.token_ids, layout.ends) == golden(
        made, "<|im_start|>", system, "<|im_end|>", "\n",
        "<|im_start|>", f"user\n{QUESTION}", "<|im_end|>", "\n",
        "<|im_start|>", "assistant\nAdd 3  + 4.", "<extra_0>", "",
        "It is 7.\n  So - that is all.", "<extra_0>", "", "\\boxed{7}", "<extra_0>", "",
    )  # fmt: skip


@pytest.mark.parametrize("made", ["skywork"], indirect=True)
def test_skywork_reads_the_last_line_end_of_every_step(made: PublicPrm) -> None:
    layout = convention_of(made.folder).layout(QUESTION, STEPS)
    assert (layout.token_ids, layout.ends) == golden(
        made, "<|endoftext|>", f"{QUESTION}\n", "Add 3  + 4.", "\n", "",
        "It is 7.", "\n", "  So - that is all.", "\n", "", "\\boxed{7}", "\n", "",
    )  # fmt: skip


@pytest.mark.parametrize("made", ["rlhflow"], indirect=True)
def test_rlhflow_reads_before_the_verdict_of_every_turn(made: PublicPrm) -> None:
    layout = convention_of(made.folder).layout(QUESTION, STEPS)

    def turn(role: str, said: str) -> tuple[str, ...]:
        return "<|start_header_id|>", role, "<|end_header_id|>", f"\n\n{said}"

    ask = turn("assistant", "")
    assert (layout.token_ids, layout.ends) == golden(
        made, "<|begin_of_text|>", *turn("system", "Today"), "<|eot_id|>",
        *turn("user", f"{QUESTION} Add 3  + 4."), "<|eot_id|>", *ask, "", "+", "<|eot_id|>",
        *turn("user", "It is 7.\n  So - that is all."), "<|eot_id|>", *ask, "", "+", "<|eot_id|>",
        *turn("user", "\\boxed{7}"), "<|eot_id|>", *ask, "",
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("made", ["math_shepherd"], indirect=True)
def test_math_shepherd_reads_its_tag_in_the_real_vocabulary(made: PublicPrm) -> None:
    import sentencepiece

    # No runs of blanks: Transformers' conversion of the vocabulary cuts those otherwise.
    told = steps_of("Add 3 + 4.\n\n", "It is 7.\nSo - that is all.\n\n", "\\boxed{7}")
    layout = convention_of(made.folder).layout(QUESTION, told)
    vocabulary = sentencepiece.SentencePieceProcessor(
        model_file=str(made.folder.parent / "mistral" / "tokenizer.model")
    )
    text = f"{QUESTION} Add 3 + 4. ки\nIt is 7.\nSo - that is all. ки\n\\boxed{{7}} ки"
    assert layout.token_ids == [vocabulary.bos_id(), *vocabulary.encode(text)]
    assert [layout.token_ids[end - 1] for end in layout.ends] == [12902] * 3
    assert layout.token_ids.count(12902) == 3
    engine: Any = convention_of(made.folder).engine_arguments()
    wrong, right = engine["hf_overrides"]["classifier_from_token"]
    assert [vocabulary.piece_to_id(token) for token in (wrong, right)] == [387, 648]


class TestPublicConventions(ConventionConformance):
    @pytest.fixture
    def convention(self, convention: Convention) -> Convention:
        return convention


@given(data=st.data())
def test_whatever_is_written_every_step_has_one_place(
    convention: Convention, data: st.DataObject
) -> None:
    marks = ["<extra_0>", "ки", " ки\n", "<|reserved_special_token_0|>", "+", "-", "\n", "é", "7 "]
    text = st.lists(st.sampled_from(marks), max_size=5).map("".join)
    words = st.tuples(text, st.sampled_from("xyz"), text).map("".join)
    texts = data.draw(st.lists(words, min_size=1, max_size=4))
    question = data.draw(words)
    whole = convention.layout(question, steps_of(*texts))
    assert len(whole.ends) == len(texts) and whole.ends == sorted(set(whole.ends))
    first = convention.layout(question, steps_of(texts[0]))
    assert first.token_ids[: first.ends[0]] == whole.token_ids[: whole.ends[0]]


def test_a_public_prm_is_no_policy(prm: PublicPrm) -> None:
    assert resolve_prm(str(prm.folder)).folder == prm.folder.resolve()
    check_prm(resolve_prm(str(prm.folder)), Tokens(load_tokenizer(prm.folder)))
    if "ForCausalLM" not in read_config(str(prm.folder))["architectures"][0]:
        with pytest.raises(InputError, match="PRMs go with --prm"):
            resolve(str(prm.folder), "policy")


@pytest.mark.parametrize("made", ["rlhflow"], indirect=True)
def test_a_language_model_is_known_by_its_name_also_in_the_hubs_cache(
    made: PublicPrm, tmp_path: Path
) -> None:
    cached = tmp_path / "models--RLHFlow--Llama3.1-8B-PRM-Mistral-Data" / "snapshots" / "0123abcd"
    cached.parent.mkdir(parents=True)
    made.folder.rename(cached)
    found = resolve_prm(str(cached))
    assert (found.name, found.folder) == ("Llama3.1-8B-PRM-Mistral-Data", cached.resolve())
    renamed = cached.rename(tmp_path / "mine")
    with pytest.raises(InputError) as caught:
        resolve_prm(str(renamed))
    message = str(caught.value)
    assert "\n" not in message and all(kind.label in message for kind in CONVENTIONS)
    config = json.loads((renamed / "config.json").read_text())
    config["_name_or_path"] = "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data"
    (renamed / "config.json").write_text(json.dumps(config))
    assert resolve_prm(str(renamed)).folder == renamed.resolve()


@pytest.mark.parametrize("made", ["math_shepherd"], indirect=True)
def test_a_policy_of_the_same_family_is_no_prm(made: PublicPrm) -> None:
    policy = made.folder.rename(made.folder.with_name("math-shepherd-mistral-7b-rl"))
    with pytest.raises(InputError, match="no known PRM convention"):
        resolve_prm(str(policy))


@pytest.mark.long
def test_a_tokenizer_without_the_markers_is_refused_in_one_line(tiny_llama: Path) -> None:
    tokens = Tokens(load_tokenizer(tiny_llama))
    for kind in (QwenMath, MathShepherd, RlhFlow):
        with pytest.raises(InputError, match="which its convention needs") as caught:
            kind.load(Checkpoint("prm-of-mine", str(tiny_llama)), tokens)
        assert "prm-of-mine" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("made", ["skywork"], indirect=True)
def test_a_tokenizer_without_a_beginning_is_refused(made: PublicPrm) -> None:
    checkpoint = resolve(str(made.folder), "PRM")
    settings = made.folder / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"bos_token": None}))
    with pytest.raises(InputError, match="no bos_token"):
        Skywork.load(checkpoint, Tokens(load_tokenizer(made.folder)))


@pytest.mark.long
@pytest.mark.parametrize("made", ["math_shepherd"], indirect=True)
def test_a_tokenizer_that_spells_words_otherwise_is_refused(made: PublicPrm) -> None:
    # What Transformers makes of the vocabulary alone has no blank at the beginning of a text.
    (made.folder / "tokenizer.json").unlink()
    source = made.folder.parent / "mistral" / "tokenizer.model"
    source.rename(made.folder / "tokenizer.model")
    (made.folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizer"}')
    with pytest.raises(InputError, match=r"own tokenizer\.json"):
        check_prm(resolve_prm(str(made.folder)), Tokens(load_tokenizer(made.folder)))


@pytest.mark.parametrize("made", ["qwen_math"], indirect=True)
def test_a_marker_that_the_policy_writes_is_no_place(made: PublicPrm) -> None:
    told = steps_of("a<extra_0>b", "c<extra<extra_0>_0>d")
    layout = convention_of(made.folder).layout("x<extra_0>", told)
    assert layout == convention_of(made.folder).layout("x", steps_of("ab", "cd"))


def test_nothing_bundled_is_taken_for_a_public_prm() -> None:
    for name in bundled("PRM"):
        checkpoint = resolve_prm(name)
        config = read_config(checkpoint.location)
        fitting = [kind.label for kind in CONVENTIONS if kind.fits(checkpoint, config)]
        assert fitting == ["reward head (made by apportion fit-prm)"]


@pytest.mark.vllm
def test_other_processes_of_vllm_find_the_classes_it_lacks() -> None:
    program = (
        "from vllm import ModelRegistry\n"
        "from vllm.plugins import load_general_plugins\n"
        "load_general_plugins()\n"
        "print(*(name for name in ModelRegistry.get_supported_archs() if 'Apportion' in name))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    named = found.stdout.splitlines()[-1].split()
    assert sorted(named) == sorted([vllm_plugin.QWEN_MATH, vllm_plugin.SKYWORK])


@pytest.fixture(scope="module")
def policy(tiny_llama: Path) -> Iterator[VllmPolicy]:
    """Its tokenizer is none of the PRMs'."""
    served = VllmPolicy.load("tiny", tiny_llama, PromptTemplate(), OPTIONS)
    yield served
    served.close()


@pytest.fixture(scope="module")
def served(prm: PublicPrm, policy: VllmPolicy) -> Iterator[Any]:
    loaded = load_prm(resolve_prm(str(prm.folder)), policy.tokens, OPTIONS)
    yield loaded
    loaded.close()


@pytest.mark.vllm
class TestPublicPrms(StepScorerConformance):
    @pytest.fixture
    def scorer(self, served: StepScorer) -> StepScorer:
        return served


@pytest.mark.vllm
def test_rewards_are_those_of_the_reference(
    prm: PublicPrm, convention: Convention, served: Any
) -> None:
    layout = convention.layout(QUESTION, STEPS)
    expected = [prm.reference(layout.token_ids[:end]) for end in layout.ends]
    assert max(expected) - min(expected) > 0.01  # a constant would be found by accident
    ledger = Ledger()
    at_once = asyncio.run(served.score(QUESTION, STEPS, start=0, ledger=ledger))
    assert at_once == pytest.approx(expected, abs=1e-3)
    last = asyncio.run(served.score(QUESTION, STEPS, start=2, ledger=ledger))
    assert last == pytest.approx(expected[2:], abs=1e-3)


@pytest.mark.vllm
def test_a_step_costs_its_own_tokens(convention: Convention, served: Any) -> None:
    steps = steps_of(*(f"We add {i} and get {i * (i + 1) // 2} now.\n\n" for i in range(1, 7)))
    whole = convention.layout("Add up.", steps)
    ledger = Ledger()
    for n in range(1, len(steps) + 1):
        asyncio.run(served.score("Add up.", steps[:n], start=n - 1, ledger=ledger))
    assert ledger.prm + ledger.prm_cached == sum(whole.ends)
    # Besides its own tokens, at most those of the block that it begins in.
    assert ledger.prm <= whole.ends[-1] + len(steps) * (OPTIONS.block_size or 0)


@pytest.mark.vllm
def test_a_step_beyond_the_context_is_worth_nothing(convention: Convention, served: Any) -> None:
    # The PRM was made for 512 tokens, whatever longer context the policy is asked to have.
    limit = 512

    def steps(length: int) -> list[Step]:
        return steps_of("Add 3 + 4.\n\n", "y" * length, "z")

    length = 1
    while convention.layout("x", steps(length + 1)).ends[1] <= limit:
        length += 1
    fits, beyond = steps(length), steps(length + 1)
    assert convention.layout("x", beyond).ends[1] == limit + 1
    before, ledger = served.unjudged, Ledger()
    first, second, third = asyncio.run(served.score("x", fits, start=0, ledger=ledger))
    assert 0 < first < 1 and 0 < second < 1 and third == 0
    [again] = asyncio.run(served.score("x", fits[:2], start=1, ledger=ledger))
    assert again == pytest.approx(second, abs=1e-3)
    forwarded = ledger.prm + ledger.prm_cached
    assert asyncio.run(served.score("x", beyond, start=1, ledger=ledger)) == [0, 0]
    assert ledger.prm + ledger.prm_cached == forwarded
    assert served.unjudged - before == 3


@pytest.mark.vllm
def test_searches_charge_what_the_engines_count(policy: VllmPolicy, served: Any) -> None:
    before = served.counters()
    total = Ledger()
    for strategy in (BestOfN(4), BeamSearch(8)):
        limits = Sampling(max_steps=3, max_step_tokens=8, max_tokens=24)
        problem = Problem("p", QUESTION, "7")
        context = Context(problem, policy, served, limits, seed=1, cap=TokenCap(10_000))
        responses = asyncio.run(search(strategy, context))
        assert len(responses) == strategy.n
        rewards = [reward for response in responses for reward in response.rewards]
        assert rewards and all(0 <= reward <= 1 for reward in rewards)
        total += context.ledger
    spent = served.counters() - before
    assert (total.prm, total.prm_cached) == (spent.prompt - spent.cached, spent.cached)
