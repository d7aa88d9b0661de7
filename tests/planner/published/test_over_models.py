"""Published figures over several policies: predicted as alone, and together where one fit does."""

from __future__ import annotations

import math

import pytest

from executor.strategy import Greedy, Majority
from planner.catalog import load_catalog
from planner.choice.estimate import Models
from planner.choice.paired import ComparedBy
from planner.costs.cost import Rates
from planner.notes import NoteCode
from planner.published.answer import ask
from planner.published.over_models import PublishedModels, ask_models, published_policies
from tests.helpers.notes import of_code

CATALOG = load_catalog()
PRM = "RLHFlow-PRM-Deepseek-8B"
LLAMAS = ("Llama-3.2-1B-Instruct", "Llama-3.1-405B-Instruct")


def rates(policy: str, prm: str | None) -> Rates:
    return Rates(CATALOG.parameters(policy), None if prm is None else CATALOG.parameters(prm))


@pytest.fixture(scope="module")
def llamas() -> PublishedModels:
    return ask_models(dict.fromkeys(LLAMAS, (PRM,)), "MATH-500", CATALOG, rates)


def test_each_is_predicted_as_if_it_were_asked_alone(llamas: PublishedModels) -> None:
    for policy in LLAMAS:
        alone = ask(policy, PRM, "MATH-500", CATALOG, rates(policy, PRM))
        together = {one.strategy: one for one in llamas.found if one.models.policy == policy}  # type: ignore[union-attr]
        assert set(together) == {one.strategy for one in alone.choices}
        for one in alone.choices:
            assert together[one.strategy].predicted_accuracy == pytest.approx(
                one.predicted_accuracy, abs=1e-6
            )
            assert together[one.strategy].cost == one.cost


def test_errors_that_policies_share_cancel(llamas: PublishedModels) -> None:
    """How hard the benchmark is errs for both alike."""
    by_run = {one.run: one for one in llamas.found}
    small = by_run[Majority(16), Models(LLAMAS[0])]
    large = by_run[Greedy(), Models(LLAMAS[1])]
    contrast = llamas.contrast(small, large)
    assert (contrast.basis, contrast.paired) == (ComparedBy.FIGURES, 0)
    assert contrast.difference == pytest.approx(small.predicted_accuracy - large.predicted_accuracy)
    assert contrast.difference < 0 and contrast.better < 0.5
    back = llamas.contrast(large, small)
    assert back.error == pytest.approx(contrast.error)
    assert back.better == pytest.approx(1 - contrast.better)


def test_policies_of_two_fits_are_taken_as_independent() -> None:
    """DeepSeek-R1 is predicted from the figures of reasoning models too, the 405B is not."""
    two = ask_models({"DeepSeek-R1": (), LLAMAS[1]: ()}, "MATH-500", CATALOG, rates)
    assert len(two.fits) == 2
    one, other = two.found[0], two.found[-1]
    assert two.contrast(one, other).basis is ComparedBy.POSTERIORS


def test_a_policy_that_thinks_has_no_cost_without_its_own_tokens() -> None:
    policies = {"DeepSeek-R1-Distill-Qwen-7B": (), "Qwen2.5-7B-Instruct": ()}
    found = ask_models(policies, "MATH-500", CATALOG, rates)
    unknown = {one.models.policy for one in found.found if one.cost.flops is None}  # type: ignore[union-attr]
    assert unknown == {"DeepSeek-R1-Distill-Qwen-7B"}
    [note] = of_code(found.notes, NoteCode.TOKENS_BY_POLICY)
    assert note["unknown"] == ("DeepSeek-R1-Distill-Qwen-7B",)
    [own] = [
        one.cost.generated_tokens
        for one in ask_models({"QwQ-32B": ()}, "AIME24", CATALOG, rates).found
        if one.strategy == Majority(1)
    ]
    assert own == pytest.approx(13297, rel=0.001) and not math.isnan(own)


def test_without_a_name_the_prms_are_those_with_figures_of_the_policy() -> None:
    found = ask_models({LLAMAS[0]: None, LLAMAS[1]: None}, "MATH-500", CATALOG, rates)
    prms = {one.models for one in found.found if one.models is not None and one.models.prm}
    assert prms == {Models(LLAMAS[0], PRM)}


def test_all_policies_of_a_benchmark_are_those_with_usable_figures() -> None:
    policies = published_policies("GPQA-Diamond", CATALOG)
    assert "QwQ-32B" in policies and "Llama-3.2-1B-Instruct" not in policies
    assert "Qwen3-235B-A22B-Instruct-2507" not in policies  # most of its answers were cut
