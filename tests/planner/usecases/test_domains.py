"""Evidence from elsewhere never answers for a domain other than its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from executor.errors import InputError
from planner.usecases.evaluate import read_evidence
from planner.usecases.recommend import recommend
from planner.usecases.replay import replay
from planner.usecases.report import report

BUNDLED = ("lab-0.4m", "lab-0.4m-prm")
PUBLISHED = ("Llama-3.2-1B-Instruct", "RLHFlow-PRM-Deepseek-8B")
NOWHERE = "sqlite:///nowhere.db"


def asking(domain: str, place: Path) -> list[Callable[[], Any]]:
    """Everything that answers from evidence of this project or of others."""
    out = place / "report.md"
    return [
        lambda: recommend(*BUNDLED, domain=domain, store=NOWHERE),
        lambda: recommend(*PUBLISHED, benchmark="MATH-500", domain=domain, store=NOWHERE),
        lambda: recommend([BUNDLED[0], "lab-1.8m"], domain=domain, store=NOWHERE),
        lambda: recommend([PUBLISHED[0]], benchmark="MATH-500", domain=domain, store=NOWHERE),
        lambda: report(*BUNDLED, out=out, form="md", domain=domain, store=NOWHERE),
        lambda: report(*PUBLISHED, out=out, form="md", domain=domain, store=NOWHERE),
        lambda: replay(*BUNDLED, k=[1], domain=domain, store=NOWHERE),
        lambda: read_evidence(NOWHERE, BUNDLED[0], domain),
    ]


@pytest.mark.parametrize("number", range(8))
def test_what_others_measured_is_of_maths(number: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no evidence of the domain code"):
        asking("code", tmp_path)[number]()
    with pytest.raises(InputError, match="domain 'cod' is not known"):
        asking("cod", tmp_path)[number]()


def test_its_own_domain_may_be_named() -> None:
    assert recommend(*BUNDLED, domain="maths", store=NOWHERE).policy == BUNDLED[0]
