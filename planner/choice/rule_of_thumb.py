"""The rule of thumb of arXiv 2502.06703: a strategy by the policy's size and the difficulty.

Two accounts of it are public and differ in one case, easy problems for policies below 7B: the
authors' reply in their code's issue tracker (compute-optimal-tts, issue 4, 2025-02-17) has beam
search there, their paper (Sec. 4.3, on its Fig. 8) says that best-of-N is better. The reply states
what they ran for MATH-500 and is the account used unless the other is asked for. What both say of
AIME24 alone is left out.
"""

from __future__ import annotations

from enum import StrEnum

from executor.strategy import BeamSearch, BestOfN, Dvts, Strategy
from profiling.pass_rate import Difficulty

# Parameters: below, and from there on. Sizes are nominal: models called 32B have up to 32.8e9, and
# those called 7B, 7.6e9; the next larger ones that the rule was made with have 70e9.
SMALL, LARGE = 7e9, 33e9


class Account(StrEnum):
    """Where the rule was read."""

    REPLY = "reply"
    PAPER = "paper"


def rule_of_thumb(
    parameters: float, difficulty: str, n: int, account: Account = Account.REPLY
) -> Strategy:
    """The strategy for a policy of so many parameters, at budget `n`.

    Scores, votes and widths are this project's defaults: the rule names none.

    Raises:
        InputError: the strategy has no such budget (searches: multiples of their width).
    """
    easy, hard = difficulty == Difficulty.EASY, difficulty == Difficulty.HARD
    if parameters >= LARGE or (parameters < SMALL and easy and account is Account.PAPER):
        return BestOfN(n)
    return BeamSearch(n) if parameters < SMALL or hard else Dvts(n)
