"""Profile a policy: sample it on problems with known answers for pass@1 and difficulty of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from executor.answers.grader import Grader
from executor.ledger import Ledger
from executor.strategy import Sampling
from planner.evaluation.run_summary import isolations
from planner.evidence.layout import BUDGETS
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.runtime.spending import Spending, check_anything_done, with_spending
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for
from profiling.pass_rate import Difficulty
from profiling.pools.replay import pass_at_k
from profiling.profiles import profiler
from profiling.profiles.profiler import ProblemProfile
from profiling.scorers.rewards import RewardStatistics


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of a policy.

    Attributes:
        policy: its name in evidence.
        prm: name of the PRM that scored the samples; None without one.
        problems: pass rate and samples of each problem.
        rewards: how well the PRM tells right samples from wrong ones; None without one.
        context_exceeded: ids of the problems that have no samples, because their question fills
            the policy's context.
        isolation: see `RunSummary`.
        thinking: how long thoughts may be (a number of tokens, or `free`); None if the policy does
            not think.
        spending: what was spent of the settings' `max_usd`; None without one.
    """

    policy: str
    prm: str | None
    problems: tuple[ProblemProfile, ...]
    rewards: RewardStatistics | None
    context_exceeded: tuple[str, ...] = ()
    isolation: tuple[str, ...] = ()
    thinking: int | str | None = None
    spending: Spending | None = None

    @classmethod
    def from_problems(
        cls,
        policy: str,
        prm: str | None,
        problems: list[ProblemProfile],
        grader: Grader,
        context_exceeded: Sequence[str] = (),
        isolation: tuple[str, ...] = (),
        thinking: int | str | None = None,
    ) -> Profile:
        """The profile that problems of a run make up."""
        rewards = profiler.profile_rewards(problems, grader)
        return cls(
            policy, prm, tuple(problems), rewards, tuple(context_exceeded), isolation, thinking
        )

    @property
    def only_thoughts(self) -> int:
        """Number of samples that ended inside their thought, without an answer."""
        return sum(s.only_thought for one in self.problems for s in one.outcome.samples)

    @property
    def difficulties(self) -> dict[str, int]:
        """Number of problems, by difficulty."""
        counts = Counter(one.pass_rate.difficulty for one in self.problems)
        return {level.value: counts[level] for level in Difficulty}

    @property
    def unresolved(self) -> list[str]:
        """Ids of the problems whose difficulty is not sure."""
        return [one.outcome.problem.id for one in self.problems if not one.resolved]

    @property
    def pass_at_k(self) -> dict[int, float]:
        """Mean pass@k over problems, for the paper's budgets that every pool is large enough for.

        Empty if sampling stopped when difficulties were sure: small pools are then all alike.
        """
        if len({one.pass_rate.trials for one in self.problems}) > 1:
            return {}
        pools = [np.array([bool(s.correct) for s in one.outcome.samples]) for one in self.problems]
        smallest = min((len(pool) for pool in pools), default=0)
        budgets = [k for k in BUDGETS if k <= smallest]
        if not budgets:
            return {}
        means = np.mean([pass_at_k(pool, np.array(budgets)) for pool in pools], axis=0)
        return dict(zip(budgets, means.tolist(), strict=True))

    @property
    def ledger(self) -> Ledger:
        """Tokens of all problems."""
        return profiler.total_ledger(list(self.problems))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        record = {
            "policy": self.policy,
            "prm": self.prm,
            "problems": [one.to_dict() for one in self.problems],
            "difficulties": self.difficulties,
            "unresolved": self.unresolved,
            "context_exceeded": list(self.context_exceeded),
            "thinking": self.thinking,
            "only_thoughts": self.only_thoughts,
            "pass_at_k": {str(k): value for k, value in self.pass_at_k.items()},
            "rewards": None if self.rewards is None else self.rewards.to_dict(),
            "ledger": self.ledger.to_dict(),
            "isolation": list(self.isolation),
        }
        return with_spending(record, self.spending)


def profile(
    problems: Problems,
    *,
    policy: str,
    prm: str | None = None,
    max_samples: int = 16,
    confidence: float | None = None,
    sampling: Sampling | None = None,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> Profile:
    """Sample a policy on problems with known answers; problems that are done are not done again.

    The samples stay in the store as evidence.

    Args:
        problems: a file of problems, several files, or the problems themselves, with answers.
        policy: catalog name, checkpoint folder, hub id or address of a server.
        prm: the same of a PRM that scores the samples; None: no scores.
        max_samples: samples drawn for each problem.
        confidence: stop sampling a problem if its difficulty is this sure, 0 to 1; None: draw all
            samples. Only then are they evidence on votes and best-of-N.
        sampling: how the policy samples; None: as in the settings.
        store: SQLAlchemy URL of the store, which is made if it does not exist.
        settings: of sampling, engines, servers and cluster.
        session: an open session, whose store and settings count; None: one for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file or a model is missing or unfit, or an argument is out of range.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    found = read_problems(problems, remark=reporter.say)
    settings = settings_for(found, settings or SessionSettings(), session)
    with open_session(session, store, settings, reporter, policy=policy, prm=prm) as opened:
        model = opened.find_policy(policy)
        scorer = None if prm is None else opened.find_prm(prm)
        models = opened.models(model, scorer, sampling=sampling)
        template = opened.template(model).to_dict()
        spec = profiler.profile_spec(models, max_samples, template, confidence)
        opened.timed(
            f"profiling {models.policy_name}",
            len(found),
            spec,
            lambda progress: profiler.profile(
                models, found, opened.store, spec,
                progress=progress, admission=opened.admission(spec, max_samples),
                say=opened.reporter.say,
            ),
        )  # fmt: skip
        profiles = profiler.read_profile(opened.store, spec, found)
        beyond = profiler.beyond_context(opened.store, spec, found)
        ran = isolations(opened.store.outcomes(spec, problems=found, samples=False))
        check_anything_done(opened.spending, len(profiles) + len(beyond))
        made = Profile.from_problems(
            spec.policy, spec.prm, profiles, opened.grader, beyond, ran,
            spec.settings["sampling"].get("thinking"),
        )  # fmt: skip
        return replace(made, spending=opened.spending)
