"""Every code of a note is worded, as a plain clause, with one example a code."""

from __future__ import annotations

import math
import re

import pytest

from planner.choice.against import Verdict
from planner.choice.paired import ComparedBy
from planner.costs.missing import Lack, Missing
from planner.notes import Note, NoteCode, codes
from planner.published.figures import UNSTATED, Contradiction
from planner.report.notes import essential, sentence, why, word

CODE = NoteCode
PRM_SPEED = Missing(Lack.PRM_THROUGHPUT)
COUNTS = Missing(Lack.TOKEN_COUNTS, ("generated_tokens", "prm_cached_tokens"))
BESIDE = {"strategy": "majority(n=4)", "cost_ratio": 0.5, "unit": "flops"}
CHANCES = {"chance": 0.505, "best_chance": 0.97, "at_least": 0.9667}
APART = {"better": 0.07, "basis": ComparedBy.POSTERIORS, "paired": 0}
TWICE = Contradiction("greedy", "", "liu2025", ((0.756, "Table 3"), (0.782, "Table 5")))
DIFFER = Contradiction("best_of_n(n=4)", UNSTATED, None, ((0.5, "a"), (0.6, "b")), 0.003)
ROUTING = {
    "strategy": "greedy", "unit": "flops", "single_accuracy": 0.7, "single_price": 10.0,
    "single_chance": None, "routed_accuracy": 0.72, "routed_price": 8.0, "routed_chance": 0.25,
}  # fmt: skip

AGAINST = {
    "strategy": "majority(n=16) of small", "accuracy": 0.7, "larger": "large",
    "larger_strategy": "greedy", "larger_accuracy": 0.62, "size_ratio": 100.0, "unit": "flops",
}  # fmt: skip

# A note, and its clause.
EXAMPLES = [
    (
        Note.of(CODE.TARGET_NOT_REACHED, target=0.9, at_least=0.9875, strategy="greedy",
                chance=0.94999),
        "no strategy here is sure enough to reach 90%: each would have to be 98.75% sure by "
        "itself, and the surest, greedy, is 94.9% sure",
    ),
    (
        Note.of(CODE.BONFERRONI, confidence=0.95, strategies=2, at_least=0.975),
        "to be 95% sure of a choice among 2 strategies, each must be 97.5% sure by itself "
        "(Bonferroni)",
    ),
    (
        Note.of(CODE.AGAINST_LARGER, **AGAINST, verdict=Verdict.SURPASSES, difference=0.08,
                low=0.03, high=0.13, basis=ComparedBy.PROBLEMS, paired=400, cost_ratio=0.25),
        "majority(n=16) of small, 0.700, surpasses one answer of large (greedy, 0.620), which is "
        "100 times the size: +0.080 [+0.030, +0.130] (90 %, paired on 400 problems), at 4 times "
        "less FLOPs",
    ),
    (
        Note.of(CODE.AGAINST_LARGER, **AGAINST, verdict=Verdict.NOT_TOLD_APART, difference=0.08,
                low=-0.03, high=0.19, basis=ComparedBy.FIGURES, paired=0, cost_ratio=1234.0),
        "majority(n=16) of small, 0.700, equals, for all that is known, one answer of large "
        "(greedy, 0.620), which is 100 times the size: +0.080 [-0.030, +0.190] (90 %, unpaired, "
        "predicted together from published figures), at 1,234 times the FLOPs",
    ),
    (
        Note.of(CODE.AGAINST_LARGER, **AGAINST, verdict=Verdict.FALLS_SHORT, difference=-0.2,
                low=-0.3, high=-0.1, basis=ComparedBy.POSTERIORS, paired=0, cost_ratio=None),
        "majority(n=16) of small, 0.700, does not reach one answer of large (greedy, 0.620), which "
        "is 100 times the size: -0.200 [-0.300, -0.100] (90 %, unpaired, estimates taken as "
        "independent), which costs nothing",
    ),
    (
        Note.of(CODE.MODELS_LEFT_OUT, models=(("a", "too large"), ("b", "too large"),
                                              ("c", "run on 2 of 60 problems"))),
        "left out: a, b (too large); c (run on 2 of 60 problems)",
    ),
    (
        Note.of(CODE.MODELS_WITHOUT_COST, models=("a", "b", "c", "d", "e", "f", "g"),
                unit="usd"),
        "left out, as their cost in USD is not known: a, b, c, d, e and 2 more",
    ),
    (
        Note.of(CODE.TOKENS_BY_POLICY, printed=(("a", 9292.6, "a study"),), assumed=2, unknown=(),
                tokens=687.1, source="one run", benchmark="AIME24"),
        "costs take each policy's own mean tokens a response on AIME24 (a 9,293: a study) and 687 "
        "tokens a response of 2 other policies, which one run gives (one run), without the prompt; "
        "a PRM is assumed to forward as many tokens as are generated",
    ),
    (
        Note.of(CODE.TOKENS_BY_POLICY, printed=(), assumed=3, unknown=("b",), tokens=687.1,
                source="one run", benchmark="MATH-500"),
        "costs take 687 tokens a response of 3 policies, which one run gives (one run), without "
        "the prompt; a PRM is assumed to forward as many tokens as are generated; no source has "
        "the tokens of b on MATH-500, which think",
    ),
    (
        Note.of(CODE.STRATEGIES_LEFT_OUT, strategies=1),
        "1 strategy is left out: a limit is on a cost that is not known of it",
    ),
    (
        Note.of(CODE.STRATEGIES_LEFT_OUT, strategies=3),
        "3 strategies are left out: a limit is on a cost that is not known of them",
    ),
    (
        Note.of(CODE.INTERVAL_WIDE, width=0.31, problems=20, published=False),
        "the interval is 31 points wide: it rests on 20 problems; measure more to narrow it",
    ),
    (
        Note.of(CODE.INTERVAL_WIDE, width=0.31, problems=500, published=True),
        "the interval is 31 points wide: figures of one kind differ so much between studies; "
        "profile and measure to narrow it",
    ),
    (
        Note.of(CODE.INTERVAL_WIDE, width=0.31, problems=0, published=False),
        "the interval is 31 points wide: the strategy was never measured; measure it to narrow it",
    ),
    (
        Note.of(CODE.FEW_PROBLEMS, problems=7, enough=15, rival="majority(n=4)", needed=2800),
        "it rests on 7 problems of this difficulty; with fewer than 15, formulas weigh more than "
        "outcomes; about 2,800 problems would tell it apart from majority(n=4)",
    ),
    (
        Note.of(CODE.FEW_PROBLEMS, problems=1, enough=15, rival="", needed=0),
        "it rests on 1 problem of this difficulty; with fewer than 15, formulas weigh more than "
        "outcomes",
    ),
    (
        Note.of(CODE.SHRUNK, strategy="majority(n=4)", measured=1.0, problems=8, predicted=0.875,
                prior_mean=0.594, prior_problems=4.0, kept_inside=False),
        "majority(n=4) solved 1.000 of 8 problems; the prediction, 0.875, is shrunk toward the "
        "prior mean 0.594 (worth 4 problems)",
    ),
    (
        Note.of(CODE.SHRUNK, strategy="greedy", measured=1.0, problems=8, predicted=0.978,
                prior_mean=0.999, prior_problems=4.0, kept_inside=True),
        "greedy solved 1.000 of 8 problems; the prediction, 0.978, is kept below 1: so few "
        "problems cannot show that it never fails",
    ),
    (
        Note.of(CODE.SHRUNK, strategy="greedy", measured=0.0, problems=8, predicted=0.022,
                prior_mean=0.001, prior_problems=4.0, kept_inside=True),
        "greedy solved 0.000 of 8 problems; the prediction, 0.022, is kept above 0: so few "
        "problems cannot show that it always fails",
    ),
    (
        Note.of(CODE.VOTE_GAIN, prm="judge", samples=16, difference=0.098, low=0.077, high=0.119),
        "a vote weighted by judge beats a plain one: among 16 samples the measured "
        "difference is +0.098 [+0.077, +0.119] (95 %, paired by problem)",
    ),
    (
        Note.of(CODE.VOTE_GAIN, prm="judge", samples=16, difference=-0.1, low=-0.2, high=-0.01),
        "a vote weighted by judge is worse than a plain one (judge hurts: use majority here): "
        "among 16 samples the measured difference is -0.100 [-0.200, -0.010] (95 %, paired by "
        "problem)",
    ),
    (
        Note.of(CODE.VOTE_GAIN, prm="judge", samples=16, difference=0.0, low=-0.1, high=0.1),
        "a vote weighted by judge and a plain one are not told apart: among 16 samples the "
        "measured difference is +0.000 [-0.100, +0.100] (95 %, paired by problem)",
    ),
    (
        Note.of(CODE.RUNNER_UP_LESS_ACCURATE, **BESIDE, **APART, difference=-0.1),
        "the runner-up, majority(n=4), is 0.100 less accurate (truly better with a chance of 7%, "
        "by their posteriors, taken as independent), at 0.5 times the FLOPs",
    ),
    (
        Note.of(CODE.RUNNER_UP_AS_GOOD, strategy="greedy", cost_ratio=None, unit="tokens",
                difference=0.002, better=0.6, basis=ComparedBy.FIGURES, paired=0),
        "the runner-up, greedy, is as good for all that is known (+0.002; truly better with a "
        "chance of 60%, by their joint prediction from published figures), at the same tokens",
    ),
    (
        Note.of(CODE.RUNNER_UP_SURE_ENOUGH, **BESIDE, **CHANCES),
        "the runner-up, majority(n=4), is sure enough of the target too (50.5%), at 0.5 times the "
        "FLOPs",
    ),
    (
        Note.of(CODE.RUNNER_UP_SHORT_OF_TARGET, **BESIDE, **CHANCES),
        "the runner-up, majority(n=4), reaches the target with a chance of 50.5%, less than 96.67%",
    ),
    (
        Note.of(CODE.RUNNER_UP_LESS_SURE, **BESIDE, **CHANCES),
        "the runner-up, majority(n=4), is less sure of the target: 50.5% against 97.0%",
    ),
    (
        Note.of(CODE.CHEAPER, **BESIDE, difference=-0.007, low=-0.008, high=-0.006, close=True,
                basis=ComparedBy.POSTERIORS, paired=0),
        "a cheaper strategy, majority(n=4), costs 0.5 times the FLOPs; its accuracy differs by "
        "-0.007 [-0.008, -0.006] (90 %, by their posteriors, taken as independent): within a point",
    ),
    (
        Note.of(CODE.CHEAPER, **BESIDE, difference=-0.02, low=-0.05, high=0.01, close=False,
                basis=ComparedBy.PROBLEMS, paired=50),
        "a cheaper strategy, majority(n=4), costs 0.5 times the FLOPs; its accuracy differs by "
        "-0.020 [-0.050, +0.010] (90 %, paired on 50 problems): these problems do not tell the two "
        "apart",
    ),
    (
        Note.of(CODE.CHEAPER, **BESIDE, difference=-0.02, low=-0.05, high=0.01, close=False,
                basis=ComparedBy.FIGURES, paired=0),
        "a cheaper strategy, majority(n=4), costs 0.5 times the FLOPs; its accuracy differs by "
        "-0.020 [-0.050, +0.010] (90 %, by their joint prediction from published figures): not "
        "told apart",
    ),
    (
        Note.of(CODE.MAJORITY_EQUIVALENT, relation="=", gains=(("generations", 0.25, 0.1, 10.0),)),
        "to be as accurate as the choice, majority vote takes 0.25 [0.1 to 10] times the "
        "generations",
    ),
    (
        Note.of(CODE.MAJORITY_EQUIVALENT, relation=">",
                gains=(("generations", 16.0, 16.0, math.inf), ("flops", 4.0, 2.5, math.inf))),
        "majority vote is less accurate than the choice at every budget measured; to equal it "
        "would take more than 16 times the generations and more than 4 [2.5 and more] times the "
        "FLOPs",
    ),
    (
        Note.of(CODE.MAJORITY_EQUIVALENT, relation="<", gains=(("flops", 0.5, 0.0, 0.5),)),
        "majority vote is as accurate as the choice even at its smallest budget, with less than "
        "0.5 [0 to 0.5] times the FLOPs",
    ),
    (
        Note.of(CODE.MAJORITY_AT_BEST, relation="=", accuracy=0.6, generations=64.0,
                others_generations=10.0, gains=(("flops", 6.4, 5.0, 8.0),)),
        "majority vote is at its best, 0.600, with 64 generations; another strategy reaches that "
        "with 10: majority vote takes 6.4 [5 to 8] times the FLOPs",
    ),
    (
        Note.of(CODE.MAJORITY_AT_BEST, relation=">", accuracy=0.6, generations=1.0,
                others_generations=1.0, gains=(("flops", 6.0, 6.0, math.inf),)),
        "voting does not help here: majority vote is at its best, 0.600, with a single response",
    ),
    (
        Note.of(CODE.MAJORITY_AT_BEST, relation=">", accuracy=0.6, generations=4.0,
                others_generations=4.0, gains=(("flops", 6.0, 6.0, math.inf),)),
        "majority vote is at its best, 0.600, with 4 generations; another strategy reaches that "
        "at the smallest budget measured: majority vote takes more than 6 times the FLOPs",
    ),
    (
        Note.of(CODE.MAJORITY_AT_BEST, relation="<", accuracy=0.6, generations=64.0,
                others_generations=64.0, gains=(("flops", 0.5, 0.0, 0.5),)),
        "majority vote is at its best, 0.600, with 64 generations; no other strategy reaches that "
        "at any budget measured: majority vote takes less than 0.5 [0 to 0.5] times the FLOPs",
    ),
    (
        Note.of(CODE.BUDGETS_CONSIDERED, budgets=(1, 4, 1024), missing=None, published=True),
        "budgets considered: N = 1, 4 and 1,024",
    ),
    (
        Note.of(CODE.BUDGETS_CONSIDERED, budgets=(1, 4, 16), missing=8, published=True),
        "budgets considered: N = 1, 4 and 16; there are no figures of N = 8, and none are "
        "interpolated",
    ),
    (
        Note.of(CODE.BUDGETS_CONSIDERED, budgets=(1, 4, 16), missing=8, published=False),
        "budgets considered: N = 1, 4 and 16, which were measured; N = 8 was not: apportion "
        "measure adds it",
    ),
    (
        Note.of(CODE.BUDGETS_OF_ALL_ONLY, budgets=(16, 64), samples=96),
        "votes among 16 and 64 samples are known for all problems together, not for each "
        "difficulty: samples that say how hard a problem is are not replayed in its difficulty; "
        "profiles of 96 samples give both",
    ),
    (
        Note.of(CODE.MEASUREMENT_CHANGES_NOTHING, problems=5),
        "5 more problems cannot change this choice: there is no other strategy to choose",
    ),
    (
        Note.of(CODE.MEASUREMENT_MAY_CHANGE, problems=8, samples=64,
                live=("greedy", "dvts", "dvts"), chance=0.08, together=True, gain=0.0012,
                saving=0.25, unit="flops", tokens=899997.0),
        "8 more problems with all strategies (a profile of 64 samples a problem and 3 live runs "
        "(greedy, dvts)) would change this choice with a chance of 8%; on average they are worth "
        "0.12 points of accuracy and 25% fewer FLOPs a problem; what they take is 899,997 tokens; "
        "only problems that all strategies were run on count",
    ),
    (
        Note.of(CODE.MEASUREMENT_MAY_CHANGE, problems=8, samples=0, live=("greedy",), chance=0.08,
                together=False, gain=0.0, saving=-0.1, unit="flops", tokens=None),
        "8 more problems with all strategies (1 live run (greedy)) would change this choice with a "
        "chance of 8%, strategies taken as independent; on average they are worth nothing; what "
        "they take is not known; only problems that all strategies were run on count",
    ),
    (
        Note.of(CODE.MEASUREMENT_MAY_CHANGE, problems=8, samples=4, live=(), chance=0.0002,
                together=True, gain=-0.001, saving=0.5, unit="flops", tokens=10.0),
        "8 more problems with all strategies (a profile of 4 samples a problem) would change this "
        "choice with a chance of less than 1%; on average they are worth 50% fewer FLOPs a "
        "problem, at 0.10 points less accuracy; what they take is 10 tokens; only problems that "
        "all strategies were run on count",
    ),
    (Note.of(CODE.BUNDLED_EVIDENCE, benchmarks=("",)), "from evidence this project recorded on "
     "its own problems; profile and measure on yours for an answer of your own"),
    (Note.of(CODE.BUNDLED_EVIDENCE, benchmarks=("GSM8K",)), "from evidence this project recorded "
     "on problems of GSM8K; profile and measure on yours for an answer of your own"),
    (Note.of(CODE.MODEL_NOT_FITTED_HERE), "no outcome model is fitted yet; apportion fit says how "
     "well outcomes of held-out problems are predicted"),
    (Note.of(CODE.MODEL_OUTDATED), "the evidence has changed since the outcome model was fitted; "
     "run apportion fit again"),
    (
        Note.of(CODE.IMPORTED_STUDY, study="them", benchmark="AIME24"),
        "from runs imported as study them, its runs on AIME24 alone, graded as they were there; "
        "costs that need counts they do not give are unknown, and strategies are then compared by "
        "generations; profile and measure for an answer of your own",
    ),
    (
        Note.of(CODE.BENCHMARKS_POOLED, problems=(("AIME24", 10), ("", 30))),
        "pooled: 10 problems of AIME24 and 30 problems of no named benchmark; --benchmark NAME "
        "answers from one alone",
    ),
    (
        Note.of(CODE.RUN_ON_TOO_FEW, problems=200,
                strategies=(("greedy", 5), ("majority(n=4)", 6), ("a", 7), ("b", 8))),
        "strategies that were run on too few problems are left out: greedy (5 of 200 problems), "
        "majority(n=4) (6 of 200 problems), a (7 of 200 problems) and 1 more; apportion measure "
        "goes on from where it stopped",
    ),
    (
        Note.of(CODE.COMPARED_ON_SHARED, shared=40, problems=200),
        "strategies are compared on 40 of 200 problems: those that all of them were run on",
    ),
    (
        Note.of(CODE.RUNS_NOT_USED, store="own.db", policy="mine", problems=1),
        "not used: the runs in own.db of mine on 1 problem; leave --benchmark out for an answer "
        "from them",
    ),
    (
        Note.of(CODE.RUNS_NOT_USED, store=None, policy="mine", problems=400),
        "not used: this project's own runs of mine on 400 problems; leave --benchmark out for an "
        "answer from them",
    ),
    (
        Note.of(CODE.PUBLISHED_FIGURES, benchmark="MATH-500", asked=False),
        "from published figures, accuracy on MATH-500, as no --benchmark was given; intervals are "
        "for a run of your own and include how much studies differ; profile and measure for an "
        "answer of your own",
    ),
    (
        Note.of(CODE.NOT_PUBLISHED, policy="p", prm="judge", benchmark="MATH-500", without_prm=True,
                figures=1200, policies=21, studies=5),
        "nobody has published p with judge on MATH-500; there are figures of the policy without "
        "it: the answer is the model's, from 1200 figures of 21 policies in 5 studies",
    ),
    (
        Note.of(CODE.GREEDY_NOT_PUBLISHED, policy="deep"),
        "greedy decoding is left out: published figures of deep are of samples, so N = 1 is one "
        "sample; measure greedy decoding to have it compared",
    ),
    (
        Note.of(CODE.STRATEGY_NOT_PUBLISHED, strategy="greedy"),
        "no figure of greedy itself is published: the accuracy is the model's",
    ),
    (
        Note.of(CODE.STRATEGY_PUBLISHED, strategy="greedy", figures=((0.544, "Table 3"),)),
        "published of greedy itself: 0.544 (Table 3); the prediction also uses other figures",
    ),
    (
        Note.of(CODE.OUTSIDE_FIGURES, chosen="greedy", without=0.48,
                strategies=(("greedy", 0.494, 0.544, 0.544), ("dvts", 0.3, 0.4, 0.5))),
        "predicted outside the strategy's own figures: greedy 0.494 (0.544 printed); dvts 0.300 "
        "(0.400 to 0.500 printed); studies differ, and a run of your own is another study, so "
        "these figures count in part and are shrunk toward the prediction from other figures, "
        "0.480 for greedy",
    ),
    (
        Note.of(CODE.SOURCES_DISAGREE, policy="p", benchmark="MATH-500",
                contradictions=(TWICE, DIFFER)),
        "sources disagree on p, MATH-500: liu2025 prints greedy twice, 0.756 (Table 3), 0.782 "
        "(Table 5); studies differ on best_of_n(n=4) with a PRM that is not named: 0.500 (a), "
        "0.600 (b), which sampling explains with a chance of 0.003",
    ),
    (
        Note.of(CODE.NOT_IN_CATALOG, role="policy", name="lama", near="llama"),
        "the policy lama is in no catalog, so its size is not known; did you mean llama?",
    ),
    (
        Note.of(CODE.NOT_IN_CATALOG, role="PRM", name="judge", near=None),
        "the PRM judge is in no catalog, so its size is not known; --catalog FILE adds it",
    ),
    (
        Note.of(CODE.PRM_FORMAT_UNKNOWN, prm="judge"),
        "this program does not know the format of PRM judge and cannot run it",
    ),
    (
        Note.of(CODE.SIZE_BEYOND_FIGURES, policy="tiny", parameters=795_136, nearest=494_032_768,
                smaller=True, decades=2.793),
        "the policy tiny has 795,136 parameters, the smallest policy with figures 494,032,768: the "
        "answer extrapolates 2.8 decades beyond them, so its interval is wide",
    ),
    (
        Note.of(CODE.TOKENS_ASSUMED, tokens=412.4, source="a run", benchmark="AIME24", scored=True),
        "costs assume 412 tokens a response without the prompt, for AIME24 too; a PRM is assumed "
        "to forward as many tokens as are generated: no source has those of this policy on this "
        "benchmark, and one run gives those of a response (a run)",
    ),
    (
        Note.of(CODE.TOKENS_PUBLISHED, tokens=9292.5, source="runs", benchmark="AIME24",
                scored=False),
        "costs take 9292 tokens a response without the prompt, this policy's mean on AIME24 (runs)",
    ),
    (
        Note.of(CODE.NOT_KNOWN_HERE, quantities=("flops", "seconds", "usd"), missing=COUNTS),
        "not known here: FLOPs, seconds, USD (the evidence does not count generated and PRM cached "
        "tokens; runs of your own (apportion profile, apportion measure) do)",
    ),
    (
        Note.of(CODE.SECONDS_BY_ROOFLINE, device="h100", devices=2, mfu=0.4, mbu=0.6, batch=64,
                context=2048, caches=False),
        "seconds: roofline of 2 x h100, not measured; MFU 0.4, MBU 0.6, batch 64, context 2048; "
        "key-value caches not counted (shape not known)",
    ),
    (
        Note.of(CODE.PRM_SECONDS_UNKNOWN, missing=PRM_SPEED),
        "seconds with a PRM: the PRM's throughput is not known: give --device NAME, or a store "
        "with runs of your own with this PRM and without",
    ),
    (
        Note.of(CODE.PRICE_BY_HOUR, usd=3.95, source="a host", date="2025-06-01"),
        "money: 3.95 USD an hour and device (a host, 2025-06-01)",
    ),
    (
        Note.of(CODE.PRICE_BY_TOKEN, model="big", input=0.55, output=2.19, source="a host",
                date=""),
        "money: big at 0.55 USD in, 2.19 out a million tokens (a host)",
    ),
    (
        Note.of(CODE.ROUTED, **ROUTING),
        "routed: greedy for all is expected to solve 0.700 at 10 FLOPs a problem, a strategy for "
        "each question 0.720 (25.0% sure of the target) at 8, with probes and wrong choices "
        "included",
    ),
    (
        Note.of(CODE.NOT_ROUTED, **(ROUTING | {"routed_chance": None})),
        "not routed: greedy for all is expected to solve 0.700 at 10 FLOPs a problem, a strategy "
        "for each question 0.720 at 8, with probes and wrong choices included",
    ),
    (Note.of(CODE.PROBES_INCLUDED, probes=4), "tokens include those of 4 probe samples"),
    (
        Note.of(CODE.DIFFICULTY_ESTIMATOR, probes=0, accuracy=0.86, log_loss=0.34,
                base_log_loss=1.007, coverage=0.91, width=0.18, level=0.9),
        "from the text alone, without its answer, a held-out problem's difficulty is named right "
        "with probability 0.86; log loss 0.340 nats, 1.007 by the shares of the classes alone; the "
        "90% interval on pass@1 holds it with probability 0.91, and is 0.18 wide on average",
    ),
    (Note.of(CODE.QUESTION_UNLIKE_PROFILE), "the question is unlike those of the profile: it gets "
     "the strategy that is best for all of them"),
    (Note.of(CODE.DIFFICULTIES_FROM, source="workload mix.toml"),
     "difficulties: workload mix.toml"),
    (Note.of(CODE.LEVEL_WITHOUT_EVIDENCE, difficulty="medium"),
     "the plan has no evidence on medium queries: they get the strategy for all"),
    (
        Note.of(CODE.ROUTES_BY_CHOOSER, accuracy=0.61, cost=2900.0, unit="flops"),
        "the plan routes by a learnt choice, which knows no difficulty: its own choices count here "
        "as those of its table; on the problems of its profile it is expected to solve 0.610 at "
        "2.9e+03 FLOPs a question",
    ),
    (Note.of(CODE.PLAN_KNOWN_FOR_ALL_ONLY, strategy="majority(n=16)"),
     "majority(n=16) is known for all problems together only: the plan's own choices count as that "
     "accurate on every difficulty, and no division may take it"),
    (Note.of(CODE.DIFFICULTIES_NOT_ESTIMATED), "this plan does not estimate difficulties: the "
     "division holds if they are known"),
    (
        Note.of(CODE.DIFFICULTIES_ESTIMATED, accuracy=0.826),
        "right answers are those expected if every difficulty is named rightly; the plan's "
        "classifier does so for 83% of held-out probe sets",
    ),
    (Note.of(CODE.EQUAL_SHARE_TOO_SMALL), "an equal share is too small for every strategy of some "
     "difficulty"),
    (Note.of(CODE.PLAN_OVER_TOTAL, needed=1731000.0, unit="gpu_hours"),
     "the plan's own choices need 1.731e+06 GPU-hours: more than there is"),
    (
        Note.of(CODE.PLAN_LIMIT_BINDS, limits="budget 16", most=123456.0, unit="tokens"),
        "the plan keeps to budget 16: more than 1.235e+05 tokens would change nothing; a plan with "
        "a wider limit may have better strategies",
    ),
    (
        Note.of(CODE.AS_NAMED),
        "by the difficulty named: the plan's classifier names each query's difficulty, rightly or "
        "wrongly, by its confusion on held-out problems; the total holds on average",
    ),
    (Note.of(CODE.AS_NAMED_IMPOSSIBLE, reason="too little"),
     "nothing can be divided by the difficulties named: too little"),
    (Note.of(CODE.EVALUATED_ON_BUNDLED, benchmarks=("", "GSM8K", "SVAMP")),
     "on evidence this project recorded on problems of GSM8K, SVAMP and on its own"),
    (
        Note.of(CODE.DIFFICULTY_FROM_PROFILE),
        "regret, rules of thumb and the plan if told take a problem's difficulty from its profile, "
        "which has seen its label; the plan itself runs as the router runs it, on probes it pays",
    ),
    (
        Note.of(CODE.NOT_REPLAYED_AS_ROUTED),
        "some policies and PRMs have no profile to replay probes from: their plans run one "
        "strategy for all",
    ),
    (Note.of(CODE.HINDSIGHT_BY_LUCK), "the best in hindsight was chosen on the problems it is "
     "judged by, so it is lucky too"),
    (Note.of(CODE.SEARCHES_ARE_LIVE), "searches are live runs; majority and best-of-N are replayed "
     "from the profile's samples"),
    (Note.of(CODE.BUNDLED_SAMPLES), "from samples this project recorded; profile yours for an "
     "answer of your own"),
    (Note.of(CODE.IMPORTED_SAMPLES, study="them"), "from imported samples, as graded by them"),
    (Note.of(CODE.PRM_TRAINED_ON, problems=1),
     "1 problem is left out: the PRM was trained on it"),
    (Note.of(CODE.PRM_TRAINED_ON, problems=7),
     "7 problems are left out: the PRM was trained on them"),
    (Note.of(CODE.PRM_NOT_NAMED, prms=("a", "b")),
     "no rule with a score: give --prm, one of a, b"),
    (
        Note.of(CODE.GRADED_BY_FILES, compared=100, right_by_file=3, right_here=4),
        "graded by the files' own labels; this program's grader disagrees on 7 of 100 (3 right by "
        "the files alone, 4 right by this program's alone)",
    ),
    (Note.of(CODE.GRADED_HERE, records=160),
     "160 records have no label and were graded by this program"),
    (Note.of(CODE.FILES_SILENT, counts=("cached", "prm")),
     "the files do not give: cached, prm; costs that need them are unknown"),
    (
        Note.of(CODE.SECONDS_NOT_PREDICTED, seconds=30, missing=Missing(Lack.POLICY_SIZE)),
        "the strategies that end within 30 s are not known (the policy's size is not known; it "
        "comes with measured evidence or a catalog); the best answer by then is given",
    ),
    (
        Note.of(CODE.NOTHING_IN_TIME, seconds=0.5),
        "nothing is expected to end within 0.5 s; the quickest strategy is run, and the best "
        "answer by then is given",
    ),
    (Note.of(CODE.TIME_RAN_OUT, seconds=0.9, ended=8),
     "time ran out after 0.9 s: the answer is the vote of the 8 samples that had ended"),
    (Note.of(CODE.TIME_RAN_OUT, seconds=0.9, ended=0),
     "time ran out after 0.9 s: the answer is the text written by then"),
    (Note.of(CODE.ANSWERS_NOT_COMPARED, pairs=1),
     "the vote counts 1 pair of answers as different: comparing them took too long"),
    (Note.of(CODE.USAGE_UNKNOWN),
     "the policy's endpoint did not report all that it bills; the usage has what it reported"),
    (Note.of(CODE.FEWER_ANSWERS, asked=3, different=2), "3 answers were asked for; 2 differ"),
    (Note.of(CODE.OTHER_TEMPERATURE, temperature=0.7),
     "predicted for temperature 0.7, not this one"),
    (Note.of(CODE.TOKENS_CAPPED, max_tokens=400),
     "at most 400 tokens a response: the server's limit holds"),
    (Note.of(CODE.OTHER_TOKEN_LIMIT, max_tokens=400, asked=5),
     "predicted for 400 tokens a response, not 5"),
    (Note.of(CODE.LAST_MESSAGE_ALONE),
     "difficulty and rewards are those of the last message alone"),
    (Note.of(CODE.STRATEGY_NOT_PREDICTED), "the accuracy of this strategy is not predicted"),
    (Note.of(CODE.OTHER_TOP_P, top_p=0.95), "predicted for top_p 0.95, not this one"),
    (Note.of(CODE.JSON_VOTE), "the answer is JSON: equal JSON values are one vote, and the plan's "
     "evidence says nothing of them"),
    (Note.of(CODE.CONVERSATION_AS_TEXT), "the policy has no chat template: the system prompt and "
     "earlier turns are plain text before the question"),
    (Note.of(CODE.QUESTION_ALONE), "the policy was trained on single questions: the system prompt "
     "and earlier turns are left out"),
    (Note.of(CODE.FIELD_WITHOUT_EFFECT, field="store"),
     "store has no effect here: no response is kept for later requests"),
    (Note.of(CODE.FIELD_WITHOUT_EFFECT, field="include_obfuscation"),
     "include_obfuscation has no effect here"),
    (Note.of(CODE.GREEDY_BY_REQUEST, by="temperature 0"),
     "one greedy response instead of the plan: temperature 0 asks for it"),
    (Note.of(CODE.OTHER_MODEL_NAME, model="lab-0.8m"),
     "answered by lab-0.8m, the model that the name was taken for"),
    (Note.of(CODE.RESPONSE_BEGUN), "the answer continues the assistant's last message, and holds "
     "only what follows it"),
    (Note.of(CODE.TOOL_MESSAGES_AS_TEXT),
     "calls and results of tools in the conversation are read as plain text"),
    (Note.of(CODE.TOOLS_NOT_CALLED, tools=2),
     "2 tools offered: the policy calls none, and the answer is text"),
    (Note.of(CODE.ZERO_TEMPERATURE_ROUTED, field="temperature", value=0),
     "temperature 0 did not turn off the plan; the header X-Apportion: off or strategy greedy asks "
     "for one greedy response"),
    (
        Note.of(CODE.TRAFFIC_DRIFTED, measure="text", statistic=30.04, limit=10.0),
        "traffic no longer looks like the plan's profile: text 30, expected below 10; profile it "
        "and plan again",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("note", "clause"), EXAMPLES, ids=[f"{i}-{note.code}" for i, (note, _) in enumerate(EXAMPLES)]
)
def test_a_note_is_a_plain_clause(note: Note, clause: str) -> None:
    assert word(note) == clause
    assert clause[0].islower() or clause[0].isdigit()
    assert not clause.endswith(".") and "\n" not in clause and "  " not in clause
    assert not re.search(r"[{}]|\bNone\b|\bnan\b|\binf\b", clause)


def test_every_code_is_worded() -> None:
    assert {note.code for note, _ in EXAMPLES} == set(NoteCode)


@pytest.mark.parametrize("lack", [lack for lack in Lack if lack is not Lack.TOKEN_COUNTS])
def test_every_lack_says_what_gives_it(lack: Lack) -> None:
    assert re.search(r"--|\b(give|comes with|leave)\b", str(Missing(lack)))


def test_a_sentence_has_a_capital_and_a_full_stop() -> None:
    assert sentence(Note.of(CODE.LAST_MESSAGE_ALONE)) == (
        "Difficulty and rewards are those of the last message alone."
    )
    assert why(None) is None


def test_without_essential_notes_an_answer_is_misread() -> None:
    """A PRM that hurts is named; one that helps is a detail."""
    hurts, helps = (
        Note.of(CODE.VOTE_GAIN, prm="judge", samples=16, difference=by, low=by - 0.01,
                high=by + 0.01)
        for by in (-0.1, 0.1)
    )  # fmt: skip
    shrunk = Note.of(CODE.SHRUNK)
    unreached = Note.of(CODE.TARGET_NOT_REACHED)
    assert essential([shrunk, helps, unreached, hurts]) == [unreached, hurts]


def test_parameters_are_read_by_their_type() -> None:
    note = Note.of(CODE.PRM_TRAINED_ON, problems=7)
    assert (note.whole("problems"), note.number("problems")) == (7, 7.0)
    assert note == Note.of(CODE.PRM_TRAINED_ON, problems=7) and {note: 1}[note] == 1
    with pytest.raises(TypeError, match="problems is 7; expected str"):
        note.text("problems")
    with pytest.raises(KeyError, match="has no parameter policy"):
        note.text("policy")
    assert codes([note]) == ["prm_trained_on"]
