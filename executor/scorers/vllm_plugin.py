"""vLLM plugins of this project: model classes and score requests that vLLM lacks for PRMs.

`register` registers the model classes in every process of vLLM; `steps` names the class of score
requests to servers (`executor.scorers.prm.step_scores`). If the variable `VLLM_PLUGINS` is set, it
must list `apportion_prms` and `apportion_steps`. Class names begin with the project's name, since
other plugins or vLLM itself may have classes for these models.
"""

from __future__ import annotations

import contextlib

QWEN_MATH = "ApportionQwen2ForProcessRewardModel"
SKYWORK = "ApportionQwen2ForPrmModel"


def register() -> None:
    """Register the classes with vLLM; each is imported at its first use."""
    # vLLM calls this in every process that it starts.
    with contextlib.suppress(ImportError):
        from vllm import ModelRegistry

        for name in (QWEN_MATH, SKYWORK):
            if name not in ModelRegistry.get_supported_archs():
                ModelRegistry.register_model(name, f"executor.scorers.prm.qwen_heads:{name}")


def steps() -> str:
    """Return the class for `vllm serve --io-processor-plugin apportion_steps`."""
    return "executor.scorers.prm.step_scores.StepScores"
