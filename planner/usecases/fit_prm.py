"""Train a PRM: a reward head on the policy's own samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.models.fused import CARD_FILE, fused_policy
from executor.policies.base import no_tokens, token_policy
from executor.problem import Problem
from executor.scorers.reward_head import Reads
from planner.runtime.model_ref import check_thinking, find_policy
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for
from profiling.profiles import profiler
from profiling.scorers.fuse_head import check_fusible, fuse_head
from profiling.scorers.rewards import RewardStatistics
from profiling.scorers.save_head import save_head
from profiling.scorers.step_states import hidden_states
from profiling.scorers.train_head import FittedHead, train_head


@dataclass(frozen=True, slots=True)
class TrainedPrm:
    """A trained reward head.

    Attributes:
        prm: folder of its checkpoint, or else of the policy that holds it.
        layers: layer of the policy whose hidden states it reads.
        statistics: how well it tells right samples from wrong ones, on problems held out.
        fused: folder of the policy that holds it; None if none was asked for.
    """

    prm: Path
    layers: int
    statistics: RewardStatistics
    fused: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "prm": str(self.prm),
            "layers": self.layers,
            "held_out": self.statistics.to_dict(),
        } | ({} if self.fused is None else {"fused": str(self.fused)})


def fit_prm(
    problems: Problems,
    *,
    policy: str,
    out: Path | str | None = None,
    fuse: Path | str | None = None,
    max_samples: int = 16,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> TrainedPrm:
    """Sample a policy, train a reward head on the samples, and save it as a checkpoint.

    Samples that a profile without a PRM left in the store are used, not drawn again. With `fuse`,
    the head is saved inside a copy of the policy, and reads what this copy reads while it writes:
    the last layer, before each step's end. With `out` as well, the same head is saved twice.

    Args:
        problems: a file of problems, several files, or the problems themselves, with answers.
        policy: whose hidden states the head reads: catalog name, checkpoint folder or hub id.
        out: folder of the new checkpoint; if it exists it must be a reward head, and is replaced.
        fuse: folder of a copy of the policy that holds the head in its output matrix; if it exists
            it must be such a copy, and is replaced.
        max_samples: samples drawn for each problem.
        store: SQLAlchemy URL of the store, which is made if it does not exist.
        settings: of sampling and engines.
        session: an open session, whose store and settings count; None: one for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: a file or the policy is missing, `out` or `fuse` is something else or both are
            missing, the policy cannot hold a head, or the samples are too few or all alike.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    found = read_problems(problems, remark=reporter.say)
    targets = _targets(out, fuse)
    if targets.fuse is not None:
        find = find_policy if session is None else session.find_policy
        check_fusible(find(policy).location)
    settings = settings_for(found, settings or SessionSettings(), session)
    with open_session(session, store, settings, reporter, policy=policy) as opened:
        head = _train(opened, policy, found, max_samples, targets)
    prm = targets.out or targets.fuse
    assert prm is not None
    return TrainedPrm(prm, head.layers, head.statistics, targets.fuse)


@dataclass(frozen=True, slots=True)
class _Targets:
    """Folders to write: of a head of its own, and of a policy that holds it; at least one."""

    out: Path | None
    fuse: Path | None


def _targets(out: Path | str | None, fuse: Path | str | None) -> _Targets:
    """Return the folders to write, checked before any work is done."""
    targets = _Targets(None if out is None else Path(out), None if fuse is None else Path(fuse))
    if targets.out is None and targets.fuse is None:
        raise InputError("--out is missing; expected --out FOLDER, --fuse FOLDER or both")
    if targets.out == targets.fuse:
        raise InputError(f"--fuse {fuse} is the folder of --out; give another")
    for option, folder, kind in (
        ("--out", targets.out, "a reward head"),
        ("--fuse", targets.fuse, "a policy that holds a reward head"),
    ):
        if folder is None or not folder.exists():
            continue
        is_fused = fused_policy(folder) is not None
        if not (folder / CARD_FILE).is_file() or is_fused != (option == "--fuse"):
            raise InputError(f"{option} {folder} exists and is not {kind}; give a new folder")
    return targets


def _train(
    session: Session, policy: str, problems: list[Problem], samples: int, targets: _Targets
) -> FittedHead:
    """Profile the policy without a PRM, and train and save a head on the samples."""
    model = session.find_policy(policy)
    if model.checkpoint.chat:
        raise InputError(no_tokens("fit-prm reads hidden states", model.name))
    if check_thinking(model, session.settings.sampling).thinking is not None:
        raise InputError(
            f"policy {policy}: thinks before it answers, and reward heads read responses without "
            "thoughts; expected a policy that does not think"
        )
    executor = session.executor(model)
    loaded = token_policy(executor.policy, "fit-prm reads hidden states")
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
        reads = Reads.AFTER if targets.fuse is None else Reads.BEFORE
        steps = hidden_states(model.location, loaded, graded, reads=reads, progress=progress)
    with session.reporter.status("training the head"):
        head = train_head(steps, random_state=session.settings.seed)
        for save, target in ((save_head, targets.out), (fuse_head, targets.fuse)):
            if target is not None:
                save(
                    head, model.location, target,
                    policy=loaded, template=template, problems=problems,
                )  # fmt: skip
    return head
