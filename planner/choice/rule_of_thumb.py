"""The rule of thumb of arXiv 2502.06703: a strategy by the policy's size and the difficulty.

Two public accounts of the rule differ for easy problems and policies below 7B. The authors' reply
in the issue tracker of their code (compute-optimal-tts, issue 4, 2025-02-17) names beam search;
their paper (Sec. 4.3, on its Fig. 8) names best-of-N. The reply describes the authors' runs on
MATH-500 and is the default here. Statements about AIME24 alone are left out of both.
"""

from __future__ import annotations

from enum import StrEnum

from executor.strategy import BeamSearch, BestOfN, Dvts, Strategy
from profiling.pass_rate import Difficulty

# Limits in parameters: a policy is small below the first and large from the second on. Model names
# round: a 32B model has up to 32.8e9 parameters and a 7B model 7.6e9. The next larger policy that
# the rule was derived from has 70e9.
SMALL, LARGE = 7e9, 33e9


class Account(StrEnum):
    """The public account of the rule."""

    REPLY = "reply"
    PAPER = "paper"


def rule_of_thumb(
    parameters: float, difficulty: str, n: int, account: Account = Account.REPLY
) -> Strategy:
    """Return the strategy that the rule names for a policy and a difficulty.

    Scores, votes and widths are this project's defaults, because the rule names none.

    Args:
        parameters: number of parameters of the policy.
        difficulty: difficulty of the problem.
        n: budget in generations.
        account: the account of the rule.

    Raises:
        InputError: the strategy cannot have this budget (a search needs a multiple of its width).
    """
    easy, hard = difficulty == Difficulty.EASY, difficulty == Difficulty.HARD
    if parameters >= LARGE or (parameters < SMALL and easy and account is Account.PAPER):
        return BestOfN(n)
    return BeamSearch(n) if parameters < SMALL or hard else Dvts(n)
