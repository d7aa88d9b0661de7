"""Train a PRM: a reward head on the policy's own samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.problem import Problem
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for
from profiling.profiles import profiler
from profiling.scorers.fit_head import FittedHead, hidden_states, save_head, train_head
from profiling.scorers.rewards import RewardStatistics


@dataclass(frozen=True, slots=True)
class TrainedPrm:
    """A trained reward head.

    Attributes:
        prm: folder of its checkpoint.
        layers: layer of the policy whose hidden states it reads.
        statistics: how well it tells right samples from wrong ones, on problems held out.
    """

    prm: Path
    layers: int
    statistics: RewardStatistics

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "prm": str(self.prm),
            "layers": self.layers,
            "held_out": self.statistics.to_dict(),
        }


def fit_prm(
    problems: Problems,
    *,
    policy: str,
    out: Path | str,
    max_samples: int = 16,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> TrainedPrm:
    """Sample a policy, train a reward head on the samples, and save it as a checkpoint.

    Samples that a profile without a PRM left in the store are used, not drawn again.

    Args:
        problems: a file of problems, several files, or the problems themselves, with answers.
        policy: whose hidden states the head reads: catalog name, checkpoint folder or hub id.
        out: folder of the new checkpoint; if it exists it must be a reward head, and is replaced.
        max_samples: samples drawn for each problem.
        store: SQLAlchemy URL of the store, which is made if it does not exist.
        settings: of sampling and engines.
        session: an open session, whose store and settings count; None: one for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file or the policy is missing, `out` is something else, or the samples are
            too few or all alike.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    found = read_problems(problems, remark=reporter.say)
    target = Path(out)
    _check_target(target)
    settings = settings_for(found, settings or SessionSettings(), session)
    with open_session(session, store, settings, reporter, policy=policy) as opened:
        head = _train(opened, policy, found, max_samples, target)
    return TrainedPrm(target, head.layers, head.statistics)


def _check_target(out: Path) -> None:
    """Check that a folder may be written, before any work is done."""
    from executor.scorers.reward_head import CARD_FILE

    if out.exists() and not (out / CARD_FILE).is_file():
        raise InputError(f"--out {out} exists and is not a reward head; give a new folder")


def _train(
    session: Session, policy: str, problems: list[Problem], samples: int, out: Path
) -> FittedHead:
    """Profile the policy without a PRM, and train and save a head on the samples."""
    model = session.find_policy(policy)
    executor = session.executor(model)
    template = session.template(model)
    spec = profiler.profile_spec(executor, samples, template.to_dict())
    session.timed(
        "sampling for the PRM",
        len(problems),
        spec,
        lambda progress: profiler.profile(
            executor, problems, session.store, spec,
            progress=progress, admission=session.admission(spec, samples),
            say=session.reporter.say,
        ),
    )  # fmt: skip
    graded = [
        (one.outcome.problem, one.outcome.samples)
        for one in profiler.read_profile(session.store, spec, problems)
    ]
    with session.reporter.progress("reading hidden states", len(graded)) as progress:
        steps = hidden_states(model.location, executor.policy, graded, progress=progress)
    with session.reporter.status("training the head"):
        head = train_head(steps, random_state=session.settings.seed)
        save_head(
            head, model.location, out, policy=executor.policy, template=template, problems=problems
        )
    return head
