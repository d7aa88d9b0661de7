"""What is asked of several models alike, and what is known of each: evidence, figures, sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from executor.errors import InputError
from executor.problem import MATHS
from executor.store.store import Store
from planner.catalog import Catalog
from planner.choice.estimate import Models
from planner.costs.cost import Rates
from planner.costs.pricing import DoesNotFitError, Pricing
from planner.evidence.bundled import bundled_policies, bundled_sizes
from planner.evidence.layout import KINDS
from planner.notes import Note
from planner.published.answer import DEFAULT_BENCHMARK
from planner.published.over_models import PublishedModels, ask_models, published_policies
from planner.usecases.evidence_bundle import read_with_each_prm
from planner.usecases.known_models import Unlisted
from planner.usecases.measured_models import Measured, measured_with
from planner.usecases.store_lookup import (
    check_not_measured_here,
    is_measured_on,
    model_name,
    names_in_evidence,
    store_exists,
    with_counted_sizes,
)

EVERY = "all"  # stands for every policy, or every PRM, that something is known of
NO_PRM = "none"


def scorers(prms: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names of the PRMs to consider; None: all that there is evidence with."""
    if not prms or EVERY in prms:
        return None
    if NO_PRM in prms and len(prms) > 1:
        raise InputError(f"--prm {NO_PRM}: stands for no PRM, so it cannot stand beside another")
    if NO_PRM in prms:
        return ()
    return tuple(dict.fromkeys(model_name(name, "PRM") for name in prms))


class AskedModels:
    """What is asked of every policy alike; reads what is known of each.

    Attributes:
        benchmark: problem set that is asked about; None: whatever was measured.
        too_large: models that do not fit the device.
        notes: notes on the prices of published policies.
    """

    def __init__(
        self,
        store_url: str,
        benchmark: str | None,
        catalog: Catalog,
        pricing: Pricing,
        unlisted: Unlisted,
        prms: tuple[str, ...] | None,
        domain: str | None = None,
    ) -> None:
        self._store_url = store_url
        self.benchmark = benchmark
        self._is_named = benchmark is not None
        self._catalog = catalog
        self._pricing = pricing
        self._unlisted = unlisted
        self._prms = prms
        self._domain = domain
        self.too_large: list[Models] = []
        self.notes: list[Note] = []

    def split(self, policies: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the measured policies and the published ones."""
        names = [model_name(name, "policy") for name in policies if name != EVERY]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"--policy {name}: is given twice; expected once")
        every = self._every() if EVERY in policies else []
        measured: dict[str, None] = {}
        published: dict[str, None] = {}
        for name in [*names, *every]:
            known = names_in_evidence(self._store_url, name, None, self._catalog, self.benchmark)
            if known is not None and self._is_of_benchmark(known[0]):
                measured[known[0]] = None
            else:
                entry = self._catalog.policy(name)
                published[name if entry is None else entry.name] = None
        if published:
            check_not_measured_here(next(iter(published)), self._domain or MATHS)
        for name in published:
            if self._catalog.policy(name) is None:
                self._unlisted.check(self._store_url, name, None, self._catalog)
        if published and self.benchmark is None:
            if measured:
                raise InputError(
                    f"policy {next(iter(published))}: there is no evidence on it; measure it on "
                    "the problems of the others (apportion profile), or give --benchmark for "
                    "published figures"
                )
            self.benchmark = DEFAULT_BENCHMARK
        return list(measured), list(published)

    def _is_of_benchmark(self, policy: str) -> bool:
        if self.benchmark is None:
            return True
        return is_measured_on(self._store_url, policy, self.benchmark)

    def _every(self) -> list[str]:
        """Return every policy that something is known of, by its first name."""
        names = [*self.own_policies(), *bundled_policies()]
        if self.benchmark is not None:
            names = [name for name in names if self._is_of_benchmark(name)]
            names += published_policies(self.benchmark, self._catalog)
        if not names:
            raise InputError(
                f"--policy {EVERY}: nothing is known of any policy on {self.benchmark}; expected "
                "a benchmark that was measured, or one with published figures, such as MATH-500"
            )
        return list(dict.fromkeys(names))

    def own_policies(self) -> list[str]:
        """Return the policies that were measured in the store."""
        if not store_exists(self._store_url):
            return []
        with Store.open(self._store_url, create=False) as store:
            return sorted({spec.policy for spec in store.runs() if spec.kind in KINDS})

    def measured(self, policies: Sequence[str]) -> list[Measured]:
        """Return the evidence on each policy, alone and with each PRM."""
        made: list[Measured] = []
        for policy in policies:
            prms = self._prms
            if prms is not None:
                pairs = (
                    names_in_evidence(self._store_url, policy, prm, self._catalog, self.benchmark)
                    for prm in prms
                )
                prms = tuple(pair[1] for pair in pairs if pair is not None and pair[1] is not None)
            found, too_large = read_with_each_prm(
                self._store_url, policy, prms, self._pricing, self.benchmark, self._catalog,
                self._domain,
            )  # fmt: skip
            self.too_large += too_large
            made += measured_with(policy, found)
        unknown = set(self._prms or ()) - {one.models.prm for one in made}
        if made and unknown and self.benchmark is None:
            known = sorted({prm for one in made for prm in one.bundle.frame["prm"].unique() if prm})
            raise InputError(
                f"PRM {', '.join(sorted(unknown))}: there is no evidence on it with any of these "
                f"policies (known: {', '.join(known) or 'none'})"
            )
        return made

    def figures(self, published: Sequence[str]) -> PublishedModels:
        """Return the strategies of policies with published figures."""
        assert self.benchmark is not None
        prms = self._prms
        if prms is not None:
            for prm in prms:
                if self._catalog.prm(prm) is None:
                    self._unlisted.check(self._store_url, published[0], prm, self._catalog)
            entries = ((prm, self._catalog.prm(prm)) for prm in prms)
            prms = tuple(name if entry is None else entry.name for name, entry in entries)
        asked = dict.fromkeys(published, prms)
        return ask_models(
            asked, self.benchmark, self._catalog, self._rates, is_named=self._is_named
        )

    def _rates(self, policy: str, prm: str | None) -> Rates | None:
        """Return the prices of a published policy; None if the two do not fit the device."""
        sized = self._catalog
        if store_exists(self._store_url):
            sized = with_counted_sizes(self._store_url, policy, prm, sized)
        sizes = Rates(
            policy_parameters=sized.parameters(policy),
            policy_weights=sized.all_parameters(policy),
            prm_parameters=None if prm is None else sized.parameters(prm),
        )
        try:
            rates = self._pricing.apply(sizes, policy, prm)
            self.notes += rates.notes()
            return rates
        except DoesNotFitError:
            self.too_large.append(Models(policy, prm))
            return None

    def sizes(self, policies: Iterable[str]) -> dict[str, int]:
        """Return the numbers of all parameters of policies, as far as they are known."""
        bundled = bundled_sizes()
        sizes = {}
        for policy in policies:
            sized = with_counted_sizes(self._store_url, policy, None, self._catalog)
            size = sized.all_parameters(policy) or bundled.get(policy)
            if size is not None:
                sizes[policy] = size
        return sizes
