"""A plugin of `vllm serve` that scores the steps of a solution and reports cached tokens.

vLLM's own `/classify` scores too, but does not report cached tokens. Only vLLM imports this module
(`executor.scorers.vllm_plugin`): `vllm serve --io-processor-plugin apportion_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vllm import PoolingParams
from vllm.plugins.io_processors.interface import IOProcessor


class StepScores(IOProcessor):  # type: ignore[misc]
    """Answers `/pooling` requests whose `data` is `{token_ids, ends}`.

    `ends` are the places of the scores, in tokens. The `data` of the answer is `{rewards, cached}`:
    for each place the probability that the step is right, and the number of cached tokens.
    """

    def parse_data(self, data: object) -> list[list[int]]:
        """Return the prompts of a request.

        Raises:
            ValueError: the request has another form.
        """
        if not isinstance(data, dict) or not {"token_ids", "ends"} <= data.keys():
            raise ValueError("data must be an object with token_ids and ends")
        token_ids, ends = data["token_ids"], data["ends"]
        if not ends or not all(0 < end <= len(token_ids) for end in ends):
            raise ValueError(f"ends must lie within the {len(token_ids)} token_ids")
        return [token_ids[:end] for end in ends]

    def merge_pooling_params(self, params: Any = None) -> Any:
        """Return the settings: a score at the last token of each prompt, with the prefix cache."""
        return PoolingParams(task="classify", use_activation=True)

    def pre_process(self, prompt: Any, request_id: str | None = None, **_: Any) -> Any:
        """Return the prompts in vLLM's form."""
        return [{"prompt_token_ids": token_ids} for token_ids in prompt]

    def post_process(
        self, model_output: Sequence[Any], request_id: str | None = None, **_: Any
    ) -> dict[str, list[float] | list[int]]:
        """Return the answer, in the order of `ends`."""
        return {
            "rewards": [float(one.outputs.data.flatten()[-1]) for one in model_output],
            "cached": [int(one.num_cached_tokens or 0) for one in model_output],
        }
