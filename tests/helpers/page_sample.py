"""A small server for tests of the page: bundled evidence, an invented plan and invented traffic."""

from __future__ import annotations

from fastapi import FastAPI

from planner.service.monitoring.snapshot import DriftReading, TrafficSnapshot
from planner.service.page import page_router
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from tests.planner.plans.test_plan import plan_of

POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"
NOWHERE = "sqlite:///no-such-store.db"

# The longer a question, the harder: the first ranges of pass@1 gain most from every word.
BY_LENGTH = DifficultyModel(
    (
        Head(
            probes=0,
            features=("log_words",),
            mean=(2.5,),
            scale=(0.3,),
            weights=tuple((float(RANGES - 2 * place),) for place in range(RANGES)),
            intercepts=(0.0,) * RANGES,
            nominal=0.9,
            quality=Quality(0.4, 1.0, 0.75, 0.02, 0.91, 0.3, ((0.8, 0.1, 0.1),) * 3),
        ),
    ),
    40,
)
PLAN = plan_of(policy=POLICY, prm=PRM, classifier=BY_LENGTH)
TRAFFIC = TrafficSnapshot(
    started="2026-01-02T03:04:05.678+00:00",
    running=3,
    waiting=1,
    places=64,
    requests={"200": 1234, "400": 3, "429": 12},
    cancelled=2,
    strategies={"majority": 500, "best_of_n": 300, "beam_search": 434},
    difficulties={"easy": 600, "medium": 400, "hard": 234},
    tokens={"prompt": 120_000, "generated": 2_345_678, "discarded": 34_567, "prm": 1_234_567},
    answers_last_minute=38,
    seconds={"p50": 1.42, "p90": 4.1},
    expected={"easy": 0.3, "medium": 0.3, "hard": 0.4},
    drift={"difficulty": DriftReading(21.4, 13.8)},
    warnings=("Traffic no longer looks like the profile: 49 % of queries are easy, 30 % there.",),
)


def page_app(*, plan: bool = True, traffic: bool = True, store: str = NOWHERE) -> FastAPI:
    """An app with the page and nothing else."""
    app = FastAPI()
    app.include_router(
        page_router(
            store, plan=PLAN if plan else None, traffic=(lambda: TRAFFIC) if traffic else None
        )
    )
    return app
