"""Recursive self-aggregation: every round, the policy writes new answers from old ones.

The method is that of Venkatraman et al. (arXiv 2509.26626, Sec. 3). The first population are plain
samples. In each further round, every answer is replaced by one that the policy writes after it has
read the question and some answers of the round before, which are drawn without replacement. The
last population votes.

The answers of earlier rounds were generated to be read again as prompts; they are charged as
discarded, since no vote counts them. Thoughts are not shown to the policy, only what follows them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from executor.answers.extraction.turns import without_thoughts
from executor.policies.base import ChatPolicy
from executor.search.base import Context, Prompt, Response, derive_seed, together
from executor.strategy import Aggregate


async def aggregate_answers(context: Context, strategy: Aggregate) -> list[Response]:
    """Return the answers of the last population; none if the question fills the context.

    All generations share the token cap evenly. An answer that cannot be written anew, because its
    prompt fills the context, stays as it is.
    """
    each = min(context.sampling.max_tokens, context.cap.left // strategy.n)
    if each < 1:
        return []
    before = context.ledger.generated
    size = strategy.population
    population = await context.respond(size, max_tokens=each, where="sample")
    for number in range(1, strategy.rounds + 1):
        where = f"aggregate/{number}"
        rng = random.Random(derive_seed(context.seed, context.problem.id, where))
        shown = [rng.sample(population, strategy.shown) for _ in population]
        written = await together(
            _rewrite(context, answers, each, f"{where}.{index}")
            for index, answers in enumerate(shown)
        )
        population = [
            old if new is None else new for new, old in zip(written, population, strict=True)
        ]
    kept = sum(response.drawn for response in population)
    context.ledger.discard(context.ledger.generated - before - kept)
    return population


async def _rewrite(
    context: Context, answers: Sequence[Response], most_tokens: int, where: str
) -> Response | None:
    """Write an answer from old ones; return None if their prompt fills the context."""
    prompt = _prompt(context, answers)
    responses = await context.respond(1, max_tokens=most_tokens, where=where, prompt=prompt)
    return responses[0] if responses else None


def _prompt(context: Context, answers: Sequence[Response]) -> Prompt:
    """Return what asks for an answer from old ones.

    The last of the old ones are left out until a response as long as the longest has room, as long
    as one is left. The context of a chat policy is unknown: it is shown all.
    """
    policy = context.policy
    if isinstance(policy, ChatPolicy):
        return context.ask_chat(policy, [without_thoughts(answer.text) for answer in answers])
    room = policy.max_context - max(answer.n_tokens for answer in answers)
    begun = context.problem.begun
    while True:
        prompt = context.ask([without_thoughts(begun + answer.text) for answer in answers])
        if len(prompt) <= room or len(answers) == 1:
            return prompt
        answers = answers[:-1]
