"""This project's own reward heads: a linear head on a policy's hidden states at step ends.

A head's checkpoint is an ordinary `*ForSequenceClassification` folder (the policy's lower layers
and one output) with a card `apportion_prm.json` beside it. vLLM serves it with LAST pooling, whose
requests read the prefix cache, so a step costs its own tokens and no more.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from executor.delivery import Delivery, post
from executor.engine import Engine, EngineCounters, EngineOptions, host
from executor.errors import InputError
from executor.ledger import Ledger
from executor.plain import finite
from executor.policy import to_the_end
from executor.templates import PromptTemplate
from executor.tokens import Step, Tokens

CARD_FILE = "apportion_prm.json"
CARD_FORMAT = "apportion-reward-head"
CARD_VERSION = 1


@dataclass(frozen=True, slots=True)
class HeadCard:
    """What must be known of a reward head besides its weights.

    Attributes:
        policy: name of the policy whose samples and hidden states it was trained on.
        tokenizer: fingerprint of that policy's tokenizer (`Tokens.fingerprint`).
        template: the task template its prompts are rendered with.
        intercept: of the logistic head; checkpoints have no room for it, the server adds it.
        layers: how many of the policy's layers are kept.
        trained_on: ids (`question_id`) of the questions whose samples it has seen.
        metrics: held-out quality by problem, as `apportion fit-prm` printed it.
    """

    policy: str
    tokenizer: str
    template: dict[str, Any]
    intercept: float
    layers: int
    trained_on: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the card into a checkpoint folder."""
        record = {"format": CARD_FORMAT, "version": CARD_VERSION} | asdict(self)
        (folder / CARD_FILE).write_text(
            json.dumps(finite(record), indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> HeadCard:
        """Read the card of a checkpoint folder; InputError where it is not one we can use."""
        path = folder / CARD_FILE
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if (record.pop("format"), record.pop("version")) != (CARD_FORMAT, CARD_VERSION):
                raise InputError(f"PRM card {path}: must be {CARD_FORMAT} version {CARD_VERSION}")
            return cls(**(record | {"trained_on": tuple(record["trained_on"])}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"PRM card {path}: cannot be read ({error})") from None

    def check(self, name: str, tokens: Tokens) -> None:
        """InputError where the head was trained on tokens of another tokenizer than `tokens`."""
        if self.tokenizer != tokens.fingerprint:
            raise InputError(
                f"PRM {name}: its tokenizer does not fit the policy's; it scores tokens of "
                f"{self.policy}; train one with: apportion fit-prm --policy POLICY"
            )


class RewardHead:
    """A reward head served by vLLM inside this process."""

    def __init__(self, name: str, engine: Engine, card: HeadCard, tokens: Tokens) -> None:
        self.name = name
        self.card = card
        self.trained_on = frozenset(card.trained_on)
        self._engine = engine
        self._tokens = tokens
        self._template = PromptTemplate.from_dict(card.template, f"PRM {name}")
        self._ids = itertools.count()
        self._last_prompt: tuple[str, list[int]] = ("", [])

    @classmethod
    def load(cls, name: str, folder: Path, tokens: Tokens, options: EngineOptions) -> RewardHead:
        """Serve a head for a policy whose tokenizer is `tokens`.

        Raises:
            InputError: the head was trained on another tokenizer's tokens.
            EngineError: vLLM cannot load it.
        """
        card = HeadCard.load(folder)
        card.check(name, tokens)
        from vllm.config import PoolerConfig

        # sigmoid((w.h) - mean) with mean = -intercept is the logistic head.
        pooler = PoolerConfig(task="classify", pooling_type="LAST", logit_mean=-card.intercept)
        engine = host().start(
            f"prm:{name}", folder, options, runner="pooling", convert="classify",
            pooler_config=pooler,
        )  # fmt: skip
        return cls(name, engine, card, tokens)

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `Prm.score`; one request for each step, all of them at once.

        All are charged, also where the caller is cancelled or one of them fails.
        """
        from vllm import PoolingParams

        prefix = list(self._prompt(question))
        scored = []
        for index, step in enumerate(steps):
            if index >= start:
                scored.append(prefix + list(step.token_ids[: step.scored]))
            prefix += step.token_ids
        answers = _Answers(len(scored), asyncio.get_running_loop())
        for place, token_ids in enumerate(scored):
            self._engine.submit(
                f"{self._engine.name}-{next(self._ids)}",
                token_ids,
                PoolingParams(task="classify", use_activation=True),
                deliver=functools.partial(answers.deliver, place),
                fail=answers.fail,
            )
        try:
            await asyncio.shield(answers.done)
        except asyncio.CancelledError:
            # A score takes one engine step: waiting for it is cheaper than calling it back.
            await to_the_end(answers.settled())
            raise
        finally:
            for output in answers.found.values():
                cached = int(output.num_cached_tokens or 0)
                ledger.charge_prm(len(output.prompt_token_ids), cached)
        return [
            float(answers.found[place].outputs.data.flatten()[-1]) for place in range(len(scored))
        ]

    def _prompt(self, question: str) -> list[int]:
        # Searches score one question many times in a row; rendering a chat costs milliseconds.
        if self._last_prompt[0] != question:
            rendered = self._template.render(self._tokens.tokenizer, question)
            self._last_prompt = (question, rendered)
        return self._last_prompt[1]

    def counters(self) -> EngineCounters:
        """The engine's own token counts since it started."""
        return self._engine.count()

    def close(self) -> None:
        """Release the engine's memory."""
        self._engine.host.stop(self._engine)


class _Answers(Delivery):
    """Gathers the outputs of several requests."""

    def __init__(self, n: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.found: dict[int, Any] = {}
        self._n = n
        if not n:
            self._end()

    def deliver(self, place: int, output: Any) -> None:
        """Take an output; called on the engine's thread."""
        post(self._loop, self._take, place, output)

    async def settled(self) -> None:
        """Wait until all have been answered, or one has failed."""
        await asyncio.wait([self.done])
        self.done.exception()  # whoever was cancelled does not ask for it

    def _take(self, place: int, output: Any) -> None:
        self.found[place] = output
        if len(self.found) == self._n:
            self._end()
