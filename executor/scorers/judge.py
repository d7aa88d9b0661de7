"""Judges: a policy is asked whether a response is right, and its verdicts are the score.

The verdict is JSON that the engine's grammar keeps to a schema, so it is never read out of prose. A
verdict that the limit of tokens cuts is none: it is counted (`unjudged`) and worth 0. What the
judge reads and writes is charged as scorer tokens. A response that a limit cut has no answer, so
nobody is asked about it and it scores 0.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from executor.engines.base import EngineCounters
from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.policies.base import Draw, DrawRequest, Policy, Reads
from executor.scorers.base import Needs, WholeResponse

_ASK = """Question:
{question}

Proposed answer:
{response}

Check the proposed answer step by step in your mind. {wanted}"""
_PLACES = re.compile(r"\{(question|response|wanted)\}")
_MOST_TOKENS = 32  # a verdict has a dozen


def check_reads_answers(scorer: str, policy: str, reads: Reads) -> None:
    """Check that a policy can read what a judge is shown.

    Args:
        scorer, policy: names, for the message.
        reads: what the policy reads.

    Raises:
        InputError: it was trained on single questions.
    """
    if reads is Reads.QUESTION:
        raise InputError(
            f"scorer {scorer}: policy {policy} was trained on single questions and cannot judge "
            "answers; expected another scorer"
        )


class _Judge:
    """A policy as a judge of responses; the kinds differ in what they ask for."""

    name: str
    scores_steps: Literal[False] = False
    needs: Needs = "model"
    trained_on: frozenset[str] = frozenset()
    verdicts: ClassVar[int]
    """Number of verdicts on a response, whose mean is its score."""
    temperature: ClassVar[float]
    wanted: ClassVar[str]
    """What the judge is asked to reply."""
    schema: ClassVar[dict[str, Any]]
    """JSON schema of a verdict."""

    def __init__(self, policy: Policy) -> None:
        if not policy.writes_json:
            raise InputError(
                f"scorer {self.name}: policy {policy.name} cannot keep to a JSON schema, so its "
                "verdicts could not be read"
            )
        check_reads_answers(self.name, policy.name, policy.reads)
        self.unjudged = 0
        self._policy = policy
        self._counted = EngineCounters()

    @staticmethod
    def value(verdict: Mapping[str, Any]) -> float | None:
        """Return the score, in [0, 1], that a verdict stands for; None if it is no verdict."""
        raise NotImplementedError

    async def score_responses(
        self, question: str, responses: Sequence[WholeResponse], *, ledger: Ledger
    ) -> list[float]:
        """See `ResponseScorer.score_responses`.

        A question and response that fill the context cannot be judged; the score is then 0.
        """
        asked = [asyncio.ensure_future(self._judge(question, one, ledger)) for one in responses]
        try:
            return await asyncio.gather(*asked)
        except BaseException:
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            raise

    async def _judge(self, question: str, response: WholeResponse, ledger: Ledger) -> float:
        if not response.finished:
            return 0.0
        texts = {"question": question, "response": response.text.strip(), "wanted": self.wanted}
        # In one pass: a question may hold the name of a place.
        text = _PLACES.sub(lambda place: texts[place[1]], _ASK)
        prompt = PromptTemplate().render(self._policy.tokens.tokenizer, text)
        if len(prompt) + _MOST_TOKENS > self._policy.max_context:
            self.unjudged += 1
            return 0.0
        own = Ledger()
        request = DrawRequest(
            prompt, n=self.verdicts, max_tokens=_MOST_TOKENS, temperature=self.temperature,
            top_p=1.0, seed=0, ledger=own, json_schema=json.dumps(self.schema),
        )  # fmt: skip
        try:
            draws = await self._policy.draw(request)
        finally:
            generated = own.policy_generated
            ledger.charge_prm(own.prompt + own.cached + generated, own.cached)
            self._counted += EngineCounters(own.prompt + own.cached, own.cached, generated)
        values = [self._read(draw) for draw in draws]
        return sum(values) / len(values)

    def _read(self, draw: Draw) -> float:
        """Return the value of a verdict; what is none is counted and worth 0."""
        if draw.finish is Finish.EOS:
            try:
                verdict = json.loads(self._policy.tokens.decode(draw.token_ids))
            except ValueError:  # a server that does not know of grammars wrote it
                verdict = None
            value = self.value(verdict) if isinstance(verdict, dict) else None
            if value is not None:
                return value
        self.unjudged += 1
        return 0.0

    @property
    def lost(self) -> bool:
        """See `Scorer.lost`."""
        return self._policy.lost

    def counters(self) -> EngineCounters:
        """Return the counts of its requests; those of the policy's engine include them."""
        return replace(self._counted)

    def close(self) -> None:
        """Do nothing: the engine is the policy's."""


class SelfJudge(_Judge):
    """The policy itself grades each response from 0 to 10, once and greedily.

    This is the pointwise judge of Zheng et al. (arXiv 2306.05685, Sec. 3.1, "single answer
    grading"), without a reference answer. The score is the grade divided by 10.
    """

    name = "self-judge"
    verdicts = 1
    temperature = 0.0
    wanted = (
        'Then reply with JSON alone: {"grade": n}, in which n is a whole number from 0 (surely '
        "wrong) to 10 (surely right)."
    )
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"grade": {"type": "integer", "enum": list(range(11))}},
        "required": ["grade"],
        "additionalProperties": False,
    }

    @staticmethod
    def value(verdict: Mapping[str, Any]) -> float | None:
        """See `_Judge.value`."""
        grade = verdict.get("grade")
        return grade / 10 if type(grade) is int and 0 <= grade <= 10 else None


class SelfVerifier(_Judge):
    """The policy itself says eight times whether a response is right; the share of yes counts.

    Generative verifiers (Zhang et al., arXiv 2408.15240, Sec. 3) score a response by the
    probability of "Yes", and by its mean over verifications. Here the probability is estimated by
    its share among sampled verdicts, because servers report it only among the likeliest tokens.
    """

    name = "self-verifier"
    verdicts = 8
    temperature = 1.0
    wanted = 'Then reply with JSON alone: {"right": "yes"} or {"right": "no"}.'
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"right": {"type": "string", "enum": ["yes", "no"]}},
        "required": ["right"],
        "additionalProperties": False,
    }

    @staticmethod
    def value(verdict: Mapping[str, Any]) -> float | None:
        """See `_Judge.value`."""
        return {"yes": 1.0, "no": 0.0}.get(str(verdict.get("right")))


JUDGES: Mapping[str, type[_Judge]] = {kind.name: kind for kind in (SelfJudge, SelfVerifier)}
