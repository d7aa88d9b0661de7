"""Plans on held-out problems: what they choose, what they lose, and what they may not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from executor.errors import InputError
from executor.strategy import BeamSearch, BestOfN, Greedy, Majority, key
from planner.choice.rule_of_thumb import Account
from planner.evaluation.comparison import against_oracle
from planner.evaluation.crossfit import HeldOut
from planner.evaluation.regret import regrets
from planner.evidence.cells import cells
from planner.prediction.features import describe
from planner.prediction.outcome_model import OutcomeModel
from planner.prediction.splits import problem_folds
from tests.helpers.arena import arena_of
from tests.helpers.evidence_frames import frame_of, row, simulated_frame

TRUTH = {
    "easy": {Greedy(): 1.0, Majority(4): 0.0, Majority(16): 1.0},
    "hard": {Greedy(): 0.0, Majority(4): 1.0, Majority(16): 1.0},
}
COUNTS = {"easy": 6, "hard": 10}
RIGHT = {**TRUTH, "all": {Greedy(): 0.4, Majority(4): 0.6, Majority(16): 1.0}}
WRONG = {
    "easy": {Greedy(): 0.1, Majority(4): 0.9, Majority(16): 0.5},
    "all": {Greedy(): 0.9, Majority(4): 0.2, Majority(16): 0.5},
}


def names(arena, picked) -> list[str]:
    return [arena.strategies[index] for index in picked]


def test_each_fold_is_planned_by_what_its_own_plan_expects() -> None:
    arena = arena_of(TRUTH, COUNTS, [RIGHT, WRONG])
    for index, name in enumerate(names(arena, arena.planned(4))):
        if arena.folds[index] == 0:
            best = Greedy() if arena.levels[index] == "easy" else Majority(4)
        else:  # it expects nothing of hard ones, and takes what it expects of all
            best = Majority(4) if arena.levels[index] == "easy" else Greedy()
        assert name == key(best)
    alike = arena.planned(4, by_difficulty=False)
    assert {name for name, fold in zip(names(arena, alike), arena.folds, strict=True)
            if fold == 0} == {key(Majority(4))}  # fmt: skip


def test_a_plan_takes_the_cheaper_of_near_equals_unless_at_any_cost() -> None:
    expected = {"all": {Greedy(): 0.500, Majority(16): 0.503}}
    arena = arena_of({"easy": {Greedy(): 1.0, Majority(16): 1.0}}, {"easy": 4}, [expected])
    assert set(names(arena, arena.planned(16))) == {"greedy"}
    assert set(names(arena, arena.planned(16, at_any_cost=True))) == {key(Majority(16))}
    assert set(names(arena, arena.planned(4, at_any_cost=True))) == {"greedy"}


def test_scores_tokens_and_flops_are_those_of_what_was_picked() -> None:
    arena = arena_of(TRUTH, COUNTS, [RIGHT])
    picked = arena.planned(4)
    assert arena.score(picked).tolist() == [1.0] * 16
    assert arena.spent(picked).tolist() == [100.0] * 6 + [400.0] * 10
    assert arena.forwarded(picked).tolist() == [200.0] * 6 + [800.0] * 10


def test_the_rule_of_thumb_needs_its_strategies_and_a_size() -> None:
    chances = {BeamSearch(4): 1.0, BestOfN(4): 0.0, Greedy(): 0.0}
    arena = arena_of({"easy": chances, "hard": chances}, COUNTS, [RIGHT])
    assert set(names(arena, arena.thumb(4, Account.REPLY))) == {key(BeamSearch(4))}
    assert names(arena, arena.thumb(4, Account.PAPER))[:7] == (
        [key(BestOfN(4))] * 6 + [key(BeamSearch(4))]
    )
    assert arena.thumb(1, Account.REPLY) is None  # no search of one generation
    assert arena.thumb(16, Account.REPLY) is None  # not measured
    assert arena_of({"easy": chances}, {"easy": 4}, [RIGHT], parameters=None).thumb(
        4, Account.REPLY
    ) is None  # fmt: skip


# From evidence

CHANCES = {
    "easy": {Greedy(): 0.9, Majority(4): 0.95, BestOfN(4): 0.5},
    "hard": {Greedy(): 0.05, Majority(4): 0.05, BestOfN(4): 0.6},
}
FRAME = simulated_frame(CHANCES, 25)


def plain_fit(train: pd.DataFrame) -> OutcomeModel:
    table = describe(cells(train), train)
    return OutcomeModel().fit(table, table["successes"] / table["rows"], table["rows"])


def test_plans_find_what_is_best_and_are_scored_on_every_problem() -> None:
    [arena] = HeldOut.fit(FRAME, plain_fit).arenas({"policy": 100, "prm": 100})
    assert set(arena.problems) == set(FRAME["problem"])
    assert set(arena.strategies) == set(FRAME["strategy"])
    expected = FRAME.set_index(["problem", "strategy"])["accuracy"]
    for i, problem in enumerate(arena.problems[::7]):
        for j, strategy in enumerate(arena.strategies):
            assert arena.accuracy[7 * i, j] == expected[problem, strategy]
    picked = arena.planned(4)
    hard = np.array(names(arena, picked))[arena.levels == "hard"]
    assert set(hard) == {key(BestOfN(4))}
    assert arena.score(picked).mean() > 0.6
    flops = arena.forwarded(arena.fixed("greedy"))
    assert flops.tolist() == pytest.approx([2 * 100 * 120.0] * 50)


def test_no_fold_is_planned_with_what_it_is_judged_by() -> None:
    """Turning a fold's outcomes round leaves what is planned for it as it was."""
    first = next(problem_folds(FRAME["problem"], 0))
    turned = FRAME.assign(accuracy=FRAME["accuracy"].where(~first, 1 - FRAME["accuracy"]))
    seen: list[set[str]] = []

    def fit(train: pd.DataFrame) -> OutcomeModel:
        seen.append(set(train["problem"]))
        return plain_fit(train)

    [one], [other] = (HeldOut.fit(frame, fit).arenas({}) for frame in (FRAME, turned))
    held_out = set(FRAME["problem"][first])
    assert not seen[0] & held_out
    mine = np.array([problem in held_out for problem in one.problems])
    assert np.array_equal(one.planned(4)[mine], other.planned(4)[mine])
    assert not np.array_equal(one.accuracy[mine], other.accuracy[mine])


def test_evidence_that_compares_nothing_is_one_line() -> None:
    alone = FRAME[FRAME["strategy"] == "greedy"].reset_index(drop=True)
    for frame in (alone, FRAME.assign(difficulty="unknown")):
        with pytest.raises(InputError, match="no policy has two strategies") as caught:
            HeldOut.fit(frame, plain_fit).arenas({})
        assert "\n" not in str(caught.value)


def test_imported_rows_that_say_nothing_of_tokens_are_compared_all_the_same() -> None:
    frame = FRAME.copy()
    frame.loc[frame["name"] == "best_of_n", ["generated_tokens", "prm_tokens"]] = np.nan
    [arena] = HeldOut.fit(frame, plain_fit).arenas({})
    unknown = np.array([name.startswith("best_of_n") for name in arena.strategies])
    assert unknown.any()
    assert np.isnan(arena.tokens[:, unknown]).all()
    assert np.isfinite(arena.tokens[:, ~unknown]).all()


def small_pools(count: int = 40) -> pd.DataFrame:
    """Pools of 16 samples: a majority of 16 has no difficulty, and counts for all problems."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        level, right = ("easy", 0.9) if i % 2 else ("hard", 0.1)
        rows.append(row(Greedy(), str(i), rng.random() < right, difficulty=level))
        for n in (1, 4):
            one = row(Majority(n), str(i), right, difficulty=level, source="replayed")
            rows.append(one | {"all_accuracy": right / 2})
        one = row(Majority(16), str(i), right, difficulty="unknown", source="replayed")
        rows.append(one | {"all_accuracy": right})
    return frame_of(rows)


def test_what_has_no_difficulty_is_run_on_all_problems_and_not_judged_by_difficulty() -> None:
    [arena] = HeldOut.fit(small_pools(), plain_fit).arenas({"policy": 100})
    assert len(arena.problems) == 40
    assert dict(zip(arena.strategies, arena.by_class.tolist(), strict=True)) == {
        "greedy": True, key(Majority(1)): True, key(Majority(4)): True, key(Majority(16)): False,
    }  # fmt: skip
    every = set(names(arena, arena.planned(16, by_difficulty=False)))
    assert every == {key(Majority(16))}
    by_class = arena.planned(16)
    assert key(Majority(16)) not in names(arena, by_class)
    told, fixed = arena.told(4), arena.run(arena.fixed(key(Majority(4))))
    assert not np.isnan(told.accuracy).any()
    assert arena.told(16) is None  # without majority of 16 it would be no bound
    assert against_oracle([arena], 4) is not None and against_oracle([arena], 16) is None
    assert fixed.accuracy.mean() == pytest.approx(0.25)  # by the whole pools
    assert arena.score_by_class(arena.fixed(key(Majority(4)))).mean() == pytest.approx(0.5)
    assert len(list(regrets(arena, 4, arena.planned(4)))) == 2
    assert not list(regrets(arena, 16, by_class))
    assert arena.thumb(16, Account.REPLY) is None


def test_no_difficulty_is_told_if_nothing_is_known_in_it() -> None:
    arena = arena_of(TRUTH, COUNTS, [RIGHT])
    arena = replace(arena, in_class=np.full_like(arena.in_class, np.nan))
    assert arena.told(16) is None
    assert arena.as_run(16).accuracy.mean() == 1.0
