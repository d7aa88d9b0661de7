"""The recorded matrix of the laboratory: whole, of the sizes that are claimed, and honest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from executor.ledger import TOKEN_COLUMNS
from planner.evidence.bundled import bundled_rows
from profiling.laboratory.catalog import LIVE_BUDGETS, LIVE_KINDS, POLICIES, TEACHER, prms_of
from profiling.profiles.pool_files import load_pools, prms_in, rewards_of
from profiling.scorers.rewards import auc

MEASURED = Path(__file__).parents[3] / "data" / "measured"

every_policy = pytest.mark.parametrize("policy", POLICIES)


def test_the_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in MEASURED.rglob("*") if path.is_file()) < 60e6


@every_policy
def test_pools_of_256_scored_by_five_prms(policy: str) -> None:
    samples, ledgers = load_pools(MEASURED / "pools", policy)
    assert sorted(prms_in(samples)) == sorted(prms_of(policy).values())
    assert samples.groupby("problem").size().eq(256).all()
    assert samples["problem"].nunique() >= 400
    for prm in prms_in(samples):
        rewards = np.concatenate(rewards_of(samples, prm).to_numpy())
        assert ((rewards >= 0) & (rewards <= 1)).all()
    charged = ledgers.set_index(["prm", "problem"])
    assert len(charged) == (1 + len(prms_in(samples))) * samples["problem"].nunique()
    assert charged[list(TOKEN_COLUMNS)].notna().all(axis=None)
    lengths = samples.groupby("problem")["tokens"].sum()
    for prm in ["", *prms_in(samples)]:
        assert charged.loc[prm]["generated_tokens"].sort_index().eq(lengths).all()
        assert (charged.loc[prm]["prm_tokens"] > 0).all() == bool(prm)


@every_policy
def test_the_columns_of_pools_are_what_the_pools_say(policy: str) -> None:
    samples, _ = load_pools(MEASURED / "pools", policy)
    frame = bundled_rows(policy)
    problems = sorted(frame["problem"].unique())[::40]
    for uid, own in samples[samples["problem"].isin(problems)].groupby("problem"):
        rows = frame[frame["problem"] == uid]
        wrong = own[~own["correct"]]["answer"].value_counts(normalize=False)
        # Answers here are whole numbers: equal strings, equal answers.
        rival = wrong.max() / 256 if len(wrong) else 0.0
        assert rows["rival"].to_numpy() == pytest.approx(rival, abs=0.02)
        for prm in prms_in(samples):
            last = rewards_of(own, prm).map(lambda steps: steps[-1]).to_numpy(float)
            right = own["correct"].to_numpy(bool)
            scored = rows[(rows["prm"] == prm) & (rows["score"] == "last")]
            assert len(scored) >= 8
            expected = auc(last, right)
            assert scored["prm_auc_within"].to_numpy() == pytest.approx(
                expected, abs=2e-3, nan_ok=True
            )
            gap = last[right].mean() - last[~right].mean() if 0 < right.sum() < 256 else np.nan
            assert scored["prm_gap"].to_numpy() == pytest.approx(gap, abs=2e-6, nan_ok=True)


@every_policy
def test_live_searches_at_three_budgets_with_three_prms(policy: str) -> None:
    frame = bundled_rows(policy)
    live = frame[frame["source"] == "measured"]
    assert live[live["name"] == "greedy"]["problem"].nunique() >= 400
    for kind in LIVE_KINDS:
        mine = live[live["prm"] == prms_of(policy)[kind]]
        for name in ("beam_search", "dvts"):
            for n in LIVE_BUDGETS:
                cell = mine[(mine["name"] == name) & (mine["n"] == n)]
                assert len(cell) == cell["problem"].nunique() >= 400, (kind, name, n)
    tokens = frame[[column for column in frame.columns if column.endswith("_tokens")]]
    assert tokens.notna().all(axis=None)
    assert (frame["generated_tokens"] > 0).all()


def test_the_middle_policy_finds_all_difficulties() -> None:
    about = bundled_rows("lab-0.8m").drop_duplicates("problem")
    shares = about["difficulty"].value_counts(normalize=True)
    assert (shares[["easy", "medium", "hard"]] >= 0.15).all(), shares


def test_what_prms_start_from_was_asked_too() -> None:
    greedy = bundled_rows(TEACHER)
    assert set(greedy["name"]) == {"greedy"}
    assert greedy["problem"].nunique() >= 400
