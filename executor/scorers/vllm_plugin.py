"""What vLLM lacks for PRMs, and how it learns of it: this project's entry points in its groups.

`register` names model classes, so that workers in processes of their own know them; `steps` names
the way servers are asked for scores (`executor.scorers.prm.step_scores`). Where `VLLM_PLUGINS`
lists others, it must list `apportion_prms` and `apportion_steps` too. Names begin with the
project's: another plugin, or vLLM one day, may have classes for these models.
"""

from __future__ import annotations

import contextlib

QWEN_MATH = "ApportionQwen2ForProcessRewardModel"
SKYWORK = "ApportionQwen2ForPrmModel"


def register() -> None:
    """Tell vLLM of the classes; none is imported before it is used."""
    # vLLM calls this in every process it starts, with this project or without.
    with contextlib.suppress(ImportError):
        from vllm import ModelRegistry

        for name in (QWEN_MATH, SKYWORK):
            if name not in ModelRegistry.get_supported_archs():
                ModelRegistry.register_model(name, f"executor.scorers.prm.qwen_heads:{name}")


def steps() -> str:
    """The class that `vllm serve --io-processor-plugin apportion_steps` asks for."""
    return "executor.scorers.prm.step_scores.StepScores"
