"""The wording of notes: a plain clause for each code of `planner.notes`, made nowhere else.

A clause starts in lower case and has no full stop, so that it can follow `note: ` on a terminal;
`sentence` makes a sentence of it. The most important part comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from planner.choice.paired import ComparedBy
from planner.notes import Note, NoteCode
from planner.prediction.beta import PERCENT
from planner.published.figures import UNSTATED, Contradiction
from planner.report import models_wording, wording

_WORTH_A_GAIN = 5e-5  # of accuracy: a hundredth of a point
_WORTH_A_SAVING = 5e-3  # of a cost: half a percent
_LEAST_CHANCE = 0.01  # a smaller one is not told exactly: it rests on what was never seen
_UNITS = {"flops": "FLOPs", "usd": "USD", "kwh": "kWh", "gpu_hours": "GPU-hours"}

# Notes that explain an answer further; without the others it would be misread.
_DETAILS = frozenset({
    NoteCode.BONFERRONI, NoteCode.SHRUNK, NoteCode.COMPARED_ON_SHARED,
    NoteCode.STRATEGY_PUBLISHED, NoteCode.OUTSIDE_FIGURES, NoteCode.SOURCES_DISAGREE,
    NoteCode.TOKENS_ASSUMED, NoteCode.TOKENS_PUBLISHED, NoteCode.NOT_KNOWN_HERE,
    NoteCode.TOKENS_BY_POLICY,
    NoteCode.PRICE_BY_HOUR, NoteCode.PRICE_BY_TOKEN, NoteCode.PRM_SECONDS_UNKNOWN,
})  # fmt: skip


def word(note: Note) -> str:
    """The clause of a note."""
    wording_of = _WORDINGS[note.code]
    return wording_of if isinstance(wording_of, str) else wording_of(note)


def sentence(note: Note) -> str:
    """The clause of a note with a capital and a full stop."""
    return wording.sentence(word(note))


def why(note: Note | None) -> str | None:
    """The clause of a note; None without one."""
    return None if note is None else word(note)


def essential(notes: Iterable[Note]) -> list[Note]:
    """Notes without which an answer would be misread, in order; details are left out."""
    return [note for note in notes if not _is_detail(note)]


def unit_words(unit: str) -> str:
    """A unit of cost as people write it."""
    return _UNITS.get(unit, unit)


def times_the(ratio: float | None, unit: str) -> str:
    """A cost as a multiple of the choice's: `1.05 times the FLOPs`; None: both cost nothing."""
    times = "1" if ratio is None else f"{ratio:.3g}"
    if ratio is not None and times == "1":
        times = f"{ratio:.4g}"  # cost may have decided between two that are nearly equal
    return (
        f"the same {unit_words(unit)}" if times == "1" else f"{times} times the {unit_words(unit)}"
    )


def _is_detail(note: Note) -> bool:
    if note.code is NoteCode.VOTE_GAIN:  # a PRM that hurts must be named
        return note.number("high") >= 0
    if note.code is NoteCode.BUDGETS_CONSIDERED:  # a budget that was asked for and is not there
        return note["missing"] is None
    return note.code in _DETAILS


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


# A choice under a constraint


def _target_not_reached(note: Note) -> str:
    # Rounded down: the chance must not read as the one it falls short of.
    chance = math.floor(1000 * note.number("chance")) / 10
    return (
        f"no strategy here is sure enough to reach {100 * note.number('target'):g}%: each would "
        f"have to be {_percent(note.number('at_least'))} sure by itself, and the surest, "
        f"{note.text('strategy')}, is {chance:g}% sure"
    )


def _bonferroni(note: Note) -> str:
    return (
        f"to be {100 * note.number('confidence'):g}% sure of a choice among "
        f"{note.whole('strategies')} strategies, each must be "
        f"{_percent(note.number('at_least'))} sure by itself (Bonferroni)"
    )


def _strategies_left_out(note: Note) -> str:
    number = note.whole("strategies")
    some = "1 strategy is" if number == 1 else f"{number} strategies are"
    them = "it" if number == 1 else "them"
    return f"{some} left out: a limit is on a cost that is not known of {them}"


def _budgets_considered(note: Note) -> str:
    considered = f"budgets considered: N = {_listed(f'{n:,}' for n in note.items('budgets'))}"
    if note["missing"] is None:
        return considered
    missing = f"N = {note.whole('missing'):,}"
    if note.flag("published"):
        return f"{considered}; there are no figures of {missing}, and none are interpolated"
    return f"{considered}, which were measured; {missing} was not: apportion measure adds it"


def _budgets_of_all_only(note: Note) -> str:
    return (
        f"votes among {_listed(f'{n:,}' for n in note.items('budgets'))} samples are known for all "
        "problems together, not for each difficulty: samples that say how hard a problem is are "
        f"not replayed in its difficulty; profiles of {note.whole('samples'):,} samples give both"
    )


def _interval_wide(note: Note) -> str:
    problems = note.whole("problems")
    if note.flag("published"):
        cause = "figures of one kind differ so much between studies; profile and measure"
    elif problems:
        cause = f"it rests on {wording.plural(problems, 'problem')}; measure more"
    else:
        cause = "the strategy was never measured; measure it"
    return f"the interval is {100 * note.number('width'):.0f} points wide: {cause} to narrow it"


def _few_problems(note: Note) -> str:
    few = (
        f"it rests on {wording.plural(note.whole('problems'), 'problem')} of this difficulty; with "
        f"fewer than {note.whole('enough')}, formulas weigh more than outcomes"
    )
    if not note.text("rival"):
        return few
    return (
        f"{few}; about {note.whole('needed'):,} problems would tell it apart from "
        f"{note.text('rival')}"
    )


def _shrunk(note: Note) -> str:
    solved = (
        f"{note.text('strategy')} solved {note.number('measured'):.3f} of "
        f"{wording.plural(note.whole('problems'), 'problem')}"
    )
    if note.flag("kept_inside"):
        high = note.number("measured") > note.number("predicted")
        limit, never = ("below 1", "never fails") if high else ("above 0", "always fails")
        return (
            f"{solved}; the prediction, {note.number('predicted'):.3f}, is kept {limit}: so few "
            f"problems cannot show that it {never}"
        )
    return (
        f"{solved}; the prediction, "
        f"{note.number('predicted'):.3f}, is shrunk toward the prior mean "
        f"{note.number('prior_mean'):.3f} (worth {note.number('prior_problems'):.3g} problems)"
    )


def _vote_gain(note: Note) -> str:
    prm, low, high = note.text("prm"), note.number("low"), note.number("high")
    if low > 0:
        verdict = "beats a plain one"
    elif high < 0:
        verdict = f"is worse than a plain one ({prm} hurts: use majority here)"
    else:
        verdict = "and a plain one are not told apart"
    return (
        f"a vote weighted by {prm} {verdict}: among {note.whole('samples')} samples the "
        f"measured difference is {note.number('difference'):+.3f} [{low:+.3f}, {high:+.3f}] (95 %, "
        "paired by problem)"
    )


# Strategies beside the choice


def _compared_by(note: Note) -> str:
    match note.get("basis", ComparedBy):
        case ComparedBy.PROBLEMS:
            return f"paired on {note.whole('paired')} problems"
        case ComparedBy.POSTERIORS:
            return "by their posteriors, taken as independent"
        case ComparedBy.FIGURES:
            return "by their joint prediction from published figures"


def _costs(note: Note) -> str:
    ratio = None if note["cost_ratio"] is None else note.number("cost_ratio")
    return f"at {times_the(ratio, note.text('unit'))}"


def _runner_up_less_accurate(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is {-note.number('difference'):.3f} less "
        f"accurate (truly better with a chance of {note.number('better'):.0%}, "
        f"{_compared_by(note)}), {_costs(note)}"
    )


def _runner_up_as_good(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is as good for all that is known "
        f"({note.number('difference'):+.3f}; truly better with a chance of "
        f"{note.number('better'):.0%}, {_compared_by(note)}), {_costs(note)}"
    )


def _runner_up_sure_enough(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is sure enough of the target too "
        f"({note.number('chance'):.1%}), {_costs(note)}"
    )


def _runner_up_short_of_target(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, reaches the target with a chance of "
        f"{note.number('chance'):.1%}, less than {_percent(note.number('at_least'))}"
    )


def _runner_up_less_sure(note: Note) -> str:
    return (
        f"the runner-up, {note.text('strategy')}, is less sure of the target: "
        f"{note.number('chance'):.1%} against {note.number('best_chance'):.1%}"
    )


def _cheaper(note: Note) -> str:
    if note.flag("close"):
        verdict = "within a point"
    elif note.get("basis", ComparedBy) is ComparedBy.PROBLEMS:
        verdict = "these problems do not tell the two apart"
    else:
        verdict = "not told apart"
    return (
        f"a cheaper strategy, {note.text('strategy')}, costs {note.number('cost_ratio'):.2g} times "
        f"the {unit_words(note.text('unit'))}; its accuracy differs by "
        f"{note.number('difference'):+.3f} [{note.number('low'):+.3f}, {note.number('high'):+.3f}] "
        f"({PERCENT}, {_compared_by(note)}): {verdict}"
    )


def _times(note: Note) -> str:
    """`4 [3 to 5] times the generations and more than 2 times the FLOPs`."""
    relation = note.text("relation")
    return " and ".join(
        f"{_ratio(relation, *numbers)} times the {unit_words(unit)}"
        for unit, *numbers in note.items("gains")
    )


def _ratio(relation: str, gain: float, low: float, high: float) -> str:
    limits = f" [{low:.3g} to {high:.3g}]" if math.isfinite(high) else f" [{low:.3g} and more]"
    if relation == ">" and (low, high) == (gain, math.inf):
        limits = ""  # "more than" says as much
    sign = {"=": "", ">": "more than ", "<": "less than "}[relation]
    return f"{sign}{gain:.3g}{limits}"


def _majority_equivalent(note: Note) -> str:
    times = _times(note)
    match note.text("relation"):
        case "=":
            return f"to be as accurate as the choice, majority vote takes {times}"
        case ">":
            return (
                "majority vote is less accurate than the choice at every budget measured; to equal "
                f"it would take {times}"
            )
    return (
        "majority vote is as accurate as the choice even at its smallest budget, with "
        f"{times}"
    )  # fmt: skip


def _majority_at_best(note: Note) -> str:
    generations, others = note.number("generations"), note.number("others_generations")
    if generations == 1:
        return (
            f"voting does not help here: majority vote is at its best, "
            f"{note.number('accuracy'):.3f}, with a single response"
        )
    reached = {
        "=": f"another strategy reaches that with {others:,.3g}",
        ">": "another strategy reaches that at the smallest budget measured",
        "<": "no other strategy reaches that at any budget measured",
    }[note.text("relation")]
    return (
        f"majority vote is at its best, {note.number('accuracy'):.3f}, with {generations:,.4g} "
        f"generations; {reached}: majority vote takes {_times(note)}"
    )


def _measurement_changes_nothing(note: Note) -> str:
    problems = note.whole("problems")
    return (
        f"{problems} more problems cannot change this choice: there is no other strategy to choose"
    )


def _measurement_may_change(note: Note) -> str:
    gain, saving, tokens = note.number("gain"), note.number("saving"), note["tokens"]
    worth = [f"{100 * gain:.2f} points of accuracy"] if gain >= _WORTH_A_GAIN else []
    if saving >= _WORTH_A_SAVING:
        worth.append(f"{saving:.0%} fewer {unit_words(note.text('unit'))} a problem")
    loss = f", at {-100 * gain:.2f} points less accuracy" if gain <= -_WORTH_A_GAIN else ""
    alone = "" if note.flag("together") else ", strategies taken as independent"
    takes = "not known" if tokens is None else f"{tokens:,.0f} tokens"
    return (
        f"{note.whole('problems')} more problems with all strategies ({_bought(note)}) would "
        f"change this choice with a chance of {_chance(note.number('chance'))}{alone}; on average "
        f"they are worth {' and '.join(worth) or 'nothing'}{loss}; what they take is {takes}; only "
        "problems that all strategies were run on count"
    )


def _chance(chance: float) -> str:
    """A chance in percent; one that is neither impossible nor certain never reads as if it were."""
    if 0 < chance < _LEAST_CHANCE:
        return f"less than {_LEAST_CHANCE:.0%}"
    if 1 - _LEAST_CHANCE < chance < 1:
        return f"more than {1 - _LEAST_CHANCE:.0%}"
    return f"{chance:.0%}"


def _bought(note: Note) -> str:
    samples, live = note.whole("samples"), note.items("live")
    parts = [f"a profile of {samples} samples a problem"] if samples else []
    if live:
        names = ", ".join(dict.fromkeys(live))
        parts.append(f"{len(live)} live {'run' if len(live) == 1 else 'runs'} ({names})")
    return " and ".join(parts)


# Evidence


def _imported_study(note: Note) -> str:
    benchmark = note["benchmark"]
    alone = "" if benchmark is None else f", its runs on {benchmark} alone"
    return (
        f"from runs imported as study {note.text('study')}{alone}, graded as they were there; "
        "costs that need counts they do not give are unknown, and strategies are then compared by "
        "generations; profile and measure for an answer of your own"
    )


def _benchmarks_pooled(note: Note) -> str:
    parts = (
        f"{count} problems of {name or 'no named benchmark'}"
        for name, count in note.items("problems")
    )
    return f"pooled: {_listed(parts)}; --benchmark NAME answers from one alone"


def _run_on_too_few(note: Note) -> str:
    strategies, problems = note.items("strategies"), note.whole("problems")
    named = ", ".join(f"{name} ({n} of {problems} problems)" for name, n in strategies[:3])
    more = f" and {len(strategies) - 3} more" if len(strategies) > 3 else ""
    return (
        f"strategies that were run on too few problems are left out: {named}{more}; "
        "apportion measure goes on from where it stopped"
    )


def _compared_on_shared(note: Note) -> str:
    return (
        f"strategies are compared on {note.whole('shared')} of {note.whole('problems')} problems: "
        "those that all of them were run on"
    )


def _runs_not_used(note: Note) -> str:
    store, policy = note["store"], note.text("policy")
    problems = wording.plural(note.whole("problems"), "problem")
    runs = "this project's own runs" if store is None else f"the runs in {store}"
    return (
        f"not used: {runs} of {policy} on {problems}; "
        "leave --benchmark out for an answer from them"
    )  # fmt: skip


# Published figures


def _published_figures(note: Note) -> str:
    chosen = "" if note.flag("asked") else ", as no --benchmark was given"
    return (
        f"from published figures, accuracy on {note.text('benchmark')}{chosen}; intervals are for "
        "a run of your own and include how much studies differ; profile and measure for an answer "
        "of your own"
    )


def _not_published(note: Note) -> str:
    prm = note["prm"]
    alone = " alone" if prm is None else f" with {prm}"
    also = "; there are figures of the policy without it" if note.flag("without_prm") else ""
    return (
        f"nobody has published {note.text('policy')}{alone} on {note.text('benchmark')}{also}: "
        f"the answer is the model's, from {note.whole('figures')} figures of "
        f"{note.whole('policies')} policies in {note.whole('studies')} studies"
    )


def _greedy_not_published(note: Note) -> str:
    return (
        f"greedy decoding is left out: published figures of {note.text('policy')} are of samples, "
        "so N = 1 is one sample; measure greedy decoding to have it compared"
    )


def _figures(figures: Iterable[tuple[float, str]]) -> str:
    return ", ".join(f"{accuracy:.3f} ({source})" for accuracy, source in figures)


def _strategy_not_published(note: Note) -> str:
    return f"no figure of {note.text('strategy')} itself is published: the accuracy is the model's"


def _strategy_published(note: Note) -> str:
    return (
        f"published of {note.text('strategy')} itself: {_figures(note.items('figures'))}; the "
        "prediction also uses other figures"
    )


def _outside_figures(note: Note) -> str:
    strategies = "; ".join(
        f"{name} {predicted:.3f} ({low:.3f}{'' if low == high else f' to {high:.3f}'} printed)"
        for name, predicted, low, high in note.items("strategies")
    )
    without = note["without"]
    rest = "" if without is None else f", {without:.3f} for {note.text('chosen')}"
    return (
        f"predicted outside the strategy's own figures: {strategies}; studies differ, and a run of "
        "your own is another study, so these figures count in part and are shrunk toward the "
        f"prediction from other figures{rest}"
    )


def _sources_disagree(note: Note) -> str:
    found = "; ".join(map(_contradiction, note.items("contradictions")))
    return f"sources disagree on {note.text('policy')}, {note.text('benchmark')}: {found}"


def _contradiction(one: Contradiction) -> str:
    prm = "a PRM that is not named" if one.prm == UNSTATED else one.prm
    cell = one.cell + (f" with {prm}" if prm else "")
    figures = _figures(one.figures)
    if one.study is not None:
        return f"{one.study} prints {cell} twice, {figures}"
    return (
        f"studies differ on {cell}: {figures}, which sampling explains with a chance of "
        f"{one.chance:.1g}"
    )


def _not_in_catalog(note: Note) -> str:
    near = note["near"]
    fix = "--catalog FILE adds it" if near is None else f"did you mean {near}?"
    named = f"the {note.text('role')} {note.text('name')}"
    return f"{named} is in no catalog, so its size is not known; {fix}"


def _prm_format_unknown(note: Note) -> str:
    return f"this program does not know the format of PRM {note.text('prm')} and cannot run it"


def _size_beyond_figures(note: Note) -> str:
    which = "smallest" if note.flag("smaller") else "largest"
    return (
        f"the policy {note.text('policy')} has {note.whole('parameters'):,} parameters, the "
        f"{which} policy with figures {note.whole('nearest'):,}: the answer extrapolates "
        f"{note.number('decades'):.1f} decades beyond them, so its interval is wide"
    )


def _tokens_assumed(note: Note) -> str:
    return (
        f"costs assume {note.number('tokens'):.0f} tokens a response without the prompt, for "
        f"{note.text('benchmark')} too{_prm_assumed(note)}: no source has those of this policy on "
        f"this benchmark, and one run gives those of a response ({note.text('source')})"
    )


def _tokens_published(note: Note) -> str:
    return (
        f"costs take {note.number('tokens'):.0f} tokens a response without the prompt, this "
        f"policy's mean on {note.text('benchmark')}{_prm_assumed(note)} ({note.text('source')})"
    )


def _prm_assumed(note: Note) -> str:
    return "; a PRM is assumed to forward as many tokens as are generated" * note.flag("scored")


# Costs


def _not_known_here(note: Note) -> str:
    quantities = ", ".join(map(unit_words, note.items("quantities")))
    return f"not known here: {quantities} ({note['missing']})"


def _seconds_by_roofline(note: Note) -> str:
    devices = note.whole("devices")
    many = f"{devices} x " if devices > 1 else ""
    caches = "" if note.flag("caches") else "; key-value caches not counted (shape not known)"
    return (
        f"seconds: roofline of {many}{note.text('device')}, not measured; MFU "
        f"{note.number('mfu'):g}, MBU {note.number('mbu'):g}, batch {note.number('batch'):g}, "
        f"context {note.number('context'):g}{caches}"
    )


def _prm_seconds_unknown(note: Note) -> str:
    return f"seconds with a PRM: {note['missing']}"


def _price_by_hour(note: Note) -> str:
    return f"money: {note.number('usd'):g} USD an hour and device ({_dated(note)})"


def _price_by_token(note: Note) -> str:
    return (
        f"money: {note.text('model')} at {note.number('input'):g} USD in, "
        f"{note.number('output'):g} out a million tokens ({_dated(note)})"
    )


def _dated(note: Note) -> str:
    return ", ".join(filter(None, (note.text("source"), note.text("date"))))


# Plans


def _routing(note: Note) -> str:
    routed = "routed" if note.code is NoteCode.ROUTED else "not routed"
    unit = unit_words(note.text("unit"))
    return (
        f"{routed}: {note.text('strategy')} for all is expected to solve {_solves(note, 'single')} "
        f"{unit} a problem, a strategy for each question {_solves(note, 'routed')}, with probes "
        "and wrong choices included"
    )


def _solves(note: Note, way: str) -> str:
    chance = note[f"{way}_chance"]
    sure = "" if chance is None else f" ({chance:.1%} sure of the target)"
    return f"{note.number(f'{way}_accuracy'):.3f}{sure} at {note.number(f'{way}_price'):.3g}"


def _probes_included(note: Note) -> str:
    return f"tokens include those of {wording.plural(note.whole('probes'), 'probe sample')}"


def _difficulty_estimator(note: Note) -> str:
    probes = note.whole("probes")
    source = f"from {wording.plural(probes, 'sample')}" if probes else "from the text alone"
    return (
        f"{source}, without its answer, a held-out problem's difficulty is named right with "
        f"probability {wording.decimal(note['accuracy'], 2)}; log loss "
        f"{wording.decimal(note['log_loss'])} nats, {wording.decimal(note['base_log_loss'])} by "
        f"the shares of the classes alone; the {note.number('level'):.0%} interval on pass@1 holds "
        f"it with probability {wording.decimal(note['coverage'], 2)}, and is "
        f"{wording.decimal(note['width'], 2)} wide on average"
    )


# Workloads


def _difficulties_from(note: Note) -> str:
    return f"difficulties: {note.text('source')}"


def _plan_known_for_all_only(note: Note) -> str:
    return (
        f"{note.text('strategy')} is known for all problems together only: the plan's own choices "
        "count as that accurate on every difficulty, and no division may take it"
    )


def _routes_by_chooser(note: Note) -> str:
    return (
        "the plan routes by a learnt choice, which knows no difficulty: its own choices count here "
        "as those of its table; on the problems of its profile it is expected to solve "
        f"{note.number('accuracy'):.3f} at {note.number('cost'):.3g} "
        f"{unit_words(note.text('unit'))} a question"
    )


def _level_without_evidence(note: Note) -> str:
    return (
        f"the plan has no evidence on {note.text('difficulty')} queries: they get the strategy "
        "for all"
    )


def _difficulties_estimated(note: Note) -> str:
    return (
        "right answers are those expected if every difficulty is named rightly; the plan's "
        f"classifier does so for {note.number('accuracy'):.0%} of held-out probe sets"
    )


def _plan_over_total(note: Note) -> str:
    unit = unit_words(note.text("unit"))
    return f"the plan's own choices need {note.number('needed'):,.4g} {unit}: more than there is"


def _plan_limit_binds(note: Note) -> str:
    most = f"{note.number('most'):,.4g} {unit_words(note.text('unit'))}"
    return (
        f"the plan keeps to {note.text('limits')}: more than {most} would change nothing; a plan "
        "with a wider limit may have better strategies"
    )


def _as_named_impossible(note: Note) -> str:
    return f"nothing can be divided by the difficulties named: {note.text('reason')}"


# Evaluations, replays and imports


def _imported_samples(note: Note) -> str:
    return f"from imported samples, as graded by {note.text('study')}"


def _prm_trained_on(note: Note) -> str:
    problems = note.whole("problems")
    some = "1 problem is" if problems == 1 else f"{problems} problems are"
    return f"{some} left out: the PRM was trained on {'it' if problems == 1 else 'them'}"


def _prm_not_named(note: Note) -> str:
    return f"no rule with a score: give --prm, one of {', '.join(note.items('prms'))}"


def _graded_by_files(note: Note) -> str:
    file, here = note.whole("right_by_file"), note.whole("right_here")
    return (
        f"graded by the files' own labels; this program's grader disagrees on {file + here} of "
        f"{note.whole('compared')} ({file} right by the files alone, {here} right by this "
        "program's alone)"
    )


def _graded_here(note: Note) -> str:
    return f"{note.whole('records')} records have no label and were graded by this program"


def _files_silent(note: Note) -> str:
    counts = ", ".join(note.items("counts"))
    return f"the files do not give: {counts}; costs that need them are unknown"


# Answers to questions


def _seconds_not_predicted(note: Note) -> str:
    return (
        f"the strategies that end within {note.number('seconds'):g} s are not known "
        f"({note['missing']}); the best answer by then is given"
    )


def _nothing_in_time(note: Note) -> str:
    return (
        f"nothing is expected to end within {note.number('seconds'):g} s; the quickest strategy is "
        "run, and the best answer by then is given"
    )


def _time_ran_out(note: Note) -> str:
    ended = note.whole("ended")
    answer = (
        f"the vote of the {wording.plural(ended, 'sample')} that had ended"
        if ended
        else "the text written by then"
    )
    return f"time ran out after {note.number('seconds'):g} s: the answer is {answer}"


def _answers_not_compared(note: Note) -> str:
    pairs = wording.plural(note.whole("pairs"), "pair")
    return f"the vote counts {pairs} of answers as different: comparing them took too long"


def _fewer_answers(note: Note) -> str:
    return f"{note.whole('asked')} answers were asked for; {note.whole('different')} differ"


def _other_temperature(note: Note) -> str:
    return f"predicted for temperature {note.number('temperature'):g}, not this one"


def _tokens_capped(note: Note) -> str:
    return f"at most {note.whole('max_tokens')} tokens a response: the server's limit holds"


def _other_token_limit(note: Note) -> str:
    return f"predicted for {note.whole('max_tokens')} tokens a response, not {note.whole('asked')}"


def _other_top_p(note: Note) -> str:
    return f"predicted for top_p {note.number('top_p'):g}, not this one"


# Why a field of a request has no effect; those that are not here need no more words.
_WHY_WITHOUT_EFFECT: Mapping[str, str] = {
    "cache_control": "equal beginnings of prompts are cached without it",
    "name": "the policy reads who speaks from the role alone",
    "prediction": "the policy writes its answer anew",
    "reasoning": "thoughts that another model wrote are left out",
    "reasoning_content": "thoughts that another model wrote are left out",
    "reasoning_details": "thoughts that another model wrote are left out",
    "reasoning_effort": "the plan says how much is thought; budget and max_seconds change it",
    "reasoning_summary": "there are no thoughts to sum up",
    "service_tier": "all requests are served alike",
    "store": "no response is kept for later requests",
    "stream_options": "the response is no stream",
    "thinking_blocks": "thoughts that another model wrote are left out",
    "truncation": "a conversation that fills the context is refused",
    "verbosity": "the policy is not told how much to write",
}


def _field_without_effect(note: Note) -> str:
    field = note.text("field")
    why = _WHY_WITHOUT_EFFECT.get(field)
    return f"{field} has no effect here" + ("" if why is None else f": {why}")


def _greedy_by_request(note: Note) -> str:
    return f"one greedy response instead of the plan: {note.text('by')} asks for it"


def _other_model_name(note: Note) -> str:
    return f"answered by {note.text('model')}, the model that the name was taken for"


def _tools_not_called(note: Note) -> str:
    tools = wording.plural(note.whole("tools"), "tool")
    return f"{tools} offered: the policy calls none, and the answer is text"


def _zero_temperature_routed(note: Note) -> str:
    return (
        f"{note.text('field')} {note.number('value'):g} did not turn off the plan; the header "
        "X-Apportion: off or strategy greedy asks for one greedy response"
    )


def _traffic_drifted(note: Note) -> str:
    return (
        f"traffic no longer looks like the plan's profile: {note.text('measure')} "
        f"{note.number('statistic'):.3g}, expected below {note.number('limit'):.3g}; profile it "
        "and plan again"
    )


# A note without parameters has its clause here, any other the function that makes it.
_WORDINGS: Mapping[NoteCode, str | Callable[[Note], str]] = {
    NoteCode.TARGET_NOT_REACHED: _target_not_reached,
    NoteCode.BONFERRONI: _bonferroni,
    NoteCode.STRATEGIES_LEFT_OUT: _strategies_left_out,
    NoteCode.BUDGETS_CONSIDERED: _budgets_considered,
    NoteCode.BUDGETS_OF_ALL_ONLY: _budgets_of_all_only,
    NoteCode.INTERVAL_WIDE: _interval_wide,
    NoteCode.FEW_PROBLEMS: _few_problems,
    NoteCode.SHRUNK: _shrunk,
    NoteCode.VOTE_GAIN: _vote_gain,
    NoteCode.AGAINST_LARGER: models_wording.against_larger,
    NoteCode.MODELS_LEFT_OUT: models_wording.models_left_out,
    NoteCode.MODELS_WITHOUT_COST: models_wording.models_without_cost,
    NoteCode.RUNNER_UP_LESS_ACCURATE: _runner_up_less_accurate,
    NoteCode.RUNNER_UP_AS_GOOD: _runner_up_as_good,
    NoteCode.RUNNER_UP_SURE_ENOUGH: _runner_up_sure_enough,
    NoteCode.RUNNER_UP_SHORT_OF_TARGET: _runner_up_short_of_target,
    NoteCode.RUNNER_UP_LESS_SURE: _runner_up_less_sure,
    NoteCode.CHEAPER: _cheaper,
    NoteCode.MAJORITY_EQUIVALENT: _majority_equivalent,
    NoteCode.MAJORITY_AT_BEST: _majority_at_best,
    NoteCode.MEASUREMENT_CHANGES_NOTHING: _measurement_changes_nothing,
    NoteCode.MEASUREMENT_MAY_CHANGE: _measurement_may_change,
    NoteCode.BUNDLED_EVIDENCE:
        "from evidence this project recorded on its own problems; profile and measure on yours for "
        "an answer of your own",
    NoteCode.MODEL_NOT_FITTED_HERE:
        "no outcome model is fitted yet; apportion fit says how well outcomes of held-out problems "
        "are predicted",
    NoteCode.MODEL_OUTDATED:
        "the evidence has changed since the outcome model was fitted; run apportion fit again",
    NoteCode.IMPORTED_STUDY: _imported_study,
    NoteCode.BENCHMARKS_POOLED: _benchmarks_pooled,
    NoteCode.RUN_ON_TOO_FEW: _run_on_too_few,
    NoteCode.COMPARED_ON_SHARED: _compared_on_shared,
    NoteCode.RUNS_NOT_USED: _runs_not_used,
    NoteCode.PUBLISHED_FIGURES: _published_figures,
    NoteCode.NOT_PUBLISHED: _not_published,
    NoteCode.GREEDY_NOT_PUBLISHED: _greedy_not_published,
    NoteCode.STRATEGY_NOT_PUBLISHED: _strategy_not_published,
    NoteCode.STRATEGY_PUBLISHED: _strategy_published,
    NoteCode.OUTSIDE_FIGURES: _outside_figures,
    NoteCode.SOURCES_DISAGREE: _sources_disagree,
    NoteCode.NOT_IN_CATALOG: _not_in_catalog,
    NoteCode.PRM_FORMAT_UNKNOWN: _prm_format_unknown,
    NoteCode.SIZE_BEYOND_FIGURES: _size_beyond_figures,
    NoteCode.TOKENS_ASSUMED: _tokens_assumed,
    NoteCode.TOKENS_PUBLISHED: _tokens_published,
    NoteCode.TOKENS_BY_POLICY: models_wording.tokens_by_policy,
    NoteCode.NOT_KNOWN_HERE: _not_known_here,
    NoteCode.SECONDS_BY_ROOFLINE: _seconds_by_roofline,
    NoteCode.PRM_SECONDS_UNKNOWN: _prm_seconds_unknown,
    NoteCode.PRICE_BY_HOUR: _price_by_hour,
    NoteCode.PRICE_BY_TOKEN: _price_by_token,
    NoteCode.ROUTED: _routing,
    NoteCode.NOT_ROUTED: _routing,
    NoteCode.PROBES_INCLUDED: _probes_included,
    NoteCode.DIFFICULTY_ESTIMATOR: _difficulty_estimator,
    NoteCode.QUESTION_UNLIKE_PROFILE:
        "the question is unlike those of the profile: it gets the strategy that is best for all of "
        "them",
    NoteCode.DIFFICULTIES_FROM: _difficulties_from,
    NoteCode.ROUTES_BY_CHOOSER: _routes_by_chooser,
    NoteCode.PLAN_KNOWN_FOR_ALL_ONLY: _plan_known_for_all_only,
    NoteCode.LEVEL_WITHOUT_EVIDENCE: _level_without_evidence,
    NoteCode.DIFFICULTIES_NOT_ESTIMATED:
        "this plan does not estimate difficulties: the division holds if they are known",
    NoteCode.DIFFICULTIES_ESTIMATED: _difficulties_estimated,
    NoteCode.EQUAL_SHARE_TOO_SMALL:
        "an equal share is too small for every strategy of some difficulty",
    NoteCode.PLAN_OVER_TOTAL: _plan_over_total,
    NoteCode.PLAN_LIMIT_BINDS: _plan_limit_binds,
    NoteCode.AS_NAMED:
        "by the difficulty named: the plan's classifier names each query's difficulty, rightly or "
        "wrongly, by its confusion on held-out problems; the total holds on average",
    NoteCode.AS_NAMED_IMPOSSIBLE: _as_named_impossible,
    NoteCode.EVALUATED_ON_BUNDLED: "on evidence this project recorded on its own problems",
    NoteCode.DIFFICULTY_FROM_PROFILE:
        "regret, rules of thumb and the plan if told take a problem's difficulty from its profile, "
        "which has seen its label; the plan itself runs as the router runs it, on probes it pays",
    NoteCode.NOT_REPLAYED_AS_ROUTED:
        "some policies and PRMs have no profile to replay probes from: their plans run one "
        "strategy for all",
    NoteCode.HINDSIGHT_BY_LUCK:
        "the best in hindsight was chosen on the problems it is judged by, so it is lucky too",
    NoteCode.SEARCHES_ARE_LIVE:
        "searches are live runs; majority and best-of-N are replayed from the profile's samples",
    NoteCode.BUNDLED_SAMPLES:
        "from samples this project recorded; profile yours for an answer of your own",
    NoteCode.IMPORTED_SAMPLES: _imported_samples,
    NoteCode.PRM_TRAINED_ON: _prm_trained_on,
    NoteCode.PRM_NOT_NAMED: _prm_not_named,
    NoteCode.GRADED_BY_FILES: _graded_by_files,
    NoteCode.GRADED_HERE: _graded_here,
    NoteCode.FILES_SILENT: _files_silent,
    NoteCode.SECONDS_NOT_PREDICTED: _seconds_not_predicted,
    NoteCode.NOTHING_IN_TIME: _nothing_in_time,
    NoteCode.TIME_RAN_OUT: _time_ran_out,
    NoteCode.ANSWERS_NOT_COMPARED: _answers_not_compared,
    NoteCode.USAGE_UNKNOWN:
        "the policy's endpoint did not report all that it bills; the usage has what it reported",
    NoteCode.FEWER_ANSWERS: _fewer_answers,
    NoteCode.OTHER_TEMPERATURE: _other_temperature,
    NoteCode.TOKENS_CAPPED: _tokens_capped,
    NoteCode.OTHER_TOKEN_LIMIT: _other_token_limit,
    NoteCode.LAST_MESSAGE_ALONE: "difficulty and rewards are those of the last message alone",
    NoteCode.STRATEGY_NOT_PREDICTED: "the accuracy of this strategy is not predicted",
    NoteCode.OTHER_TOP_P: _other_top_p,
    NoteCode.JSON_VOTE:
        "the answer is JSON: equal JSON values are one vote, and the plan's evidence says nothing "
        "of them",
    NoteCode.CONVERSATION_AS_TEXT:
        "the policy has no chat template: the system prompt and earlier turns are plain text "
        "before the question",
    NoteCode.QUESTION_ALONE:
        "the policy was trained on single questions: the system prompt and earlier turns are left "
        "out",
    NoteCode.FIELD_WITHOUT_EFFECT: _field_without_effect,
    NoteCode.GREEDY_BY_REQUEST: _greedy_by_request,
    NoteCode.OTHER_MODEL_NAME: _other_model_name,
    NoteCode.RESPONSE_BEGUN:
        "the answer continues the assistant's last message, and holds only what follows it",
    NoteCode.TOOL_MESSAGES_AS_TEXT:
        "calls and results of tools in the conversation are read as plain text",
    NoteCode.TOOLS_NOT_CALLED: _tools_not_called,
    NoteCode.ZERO_TEMPERATURE_ROUTED: _zero_temperature_routed,
    NoteCode.TRAFFIC_DRIFTED: _traffic_drifted,
}  # fmt: skip
