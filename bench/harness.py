"""lm-evaluation-harness, as it is published, against `apportion serve` with real models.

The harness gets its own environment (by uv, in a minute), or `--lm-eval` names an existing one. The
server is this project's command, with a plan from the recorded evidence on the policy or with
`--plan`. Both OpenAI models of the harness run on held-out problems of the laboratory: chat, and
completions, once as texts and once as token ids. The bench prints the accuracies that the harness
itself computes (95 %, Jeffreys), and the strategies that its requests got according to the server's
log.

The harness does not put a completion into the policy's chat template; the server does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from common import LABORATORY, MODELS, ROOT, finish
from live import POLICY, recorded_plan, serving

from planner.plans.serialization import load_plan, save_plan

sys.path.insert(0, str(ROOT))
from profiling.pass_rate import PassRate
from profiling.problems.files import load_problems

VERSION = "0.4.13"
TASK = "apportion_heldout"
# Policies of the laboratory box their answers.
_TASK = {
    "task": TASK,
    "dataset_path": "json",
    "test_split": "train",
    "output_type": "generate_until",
    "doc_to_text": "{{problem}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["<|endoftext|>"], "max_gen_toks": 256},
    "filter_list": [
        {
            "name": "boxed",
            "filter": [
                {"function": "regex", "regex_pattern": r"\\boxed\{([^{}]*)\}", "group_select": -1},
                {"function": "take_first"},
            ],
        }
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
WAYS = {
    "chat": ("local-chat-completions", "chat/completions", ""),
    "completions as texts": (
        "local-completions", "completions", ",tokenizer_backend=None,tokenized_requests=False",
    ),
    "completions as token ids": (
        "local-completions", "completions", f",tokenizer={MODELS / POLICY}",
    ),
}  # fmt: skip


def install(folder: Path) -> Path:
    """The harness in an environment of its own; its command."""
    wanted = [f"lm-eval[api]=={VERSION}", "transformers"]
    python = folder / "bin" / "python"
    for command in (
        ["uv", "venv", "--quiet", "--python", sys.executable, str(folder)],
        ["uv", "pip", "install", "--quiet", "--python", str(python), *wanted],
    ):
        subprocess.run([sys.executable, "-m", *command], check=True)
    return folder / "bin" / "lm_eval"


def evaluate(
    command: Path, way: str, url: str, folder: Path, problems: int, more: str
) -> tuple[float, int]:
    """What the harness finds: its accuracy, and on how many problems."""
    model, path, options = WAYS[way]
    out = folder / way.replace(" ", "-")
    called = [
        str(command), "--model", model, "--tasks", TASK, "--include_path", str(folder),
        "--model_args", f"model={POLICY},base_url={url}/{path},num_concurrent=16{options}",
        "--gen_kwargs", f"temperature=0.7{more}", "--limit", str(problems),
        "--output_path", str(out), "--log_samples",
        *(["--apply_chat_template"] if way == "chat" else []),
    ]  # fmt: skip
    hidden = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"}
    environment = os.environ | hidden | {"HF_HOME": str(folder / "cache")}
    done = subprocess.run(called, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {way}: {done.stderr[-2000:]}")
    (found,) = out.rglob("results_*.json")
    results = json.loads(found.read_text())
    return results["results"][TASK]["exact_match,boxed"], results["n-samples"][TASK]["effective"]


def main() -> None:
    """All ways, one after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, help=f"of {POLICY}")
    parser.add_argument("--lm-eval", type=Path, help="its command (default: installed for this)")
    parser.add_argument("--problems", type=int, default=80)
    parser.add_argument("--budget", type=int, help="of each request (default: the plan's)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    more = "" if arguments.budget is None else f",budget={arguments.budget}"
    document: dict[str, Any] = {"lm_eval": VERSION, "problems": arguments.problems}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        command = arguments.lm_eval or install(folder / "environment")
        asked = load_problems(LABORATORY / "heldout.jsonl", limit=arguments.problems)
        lines = [json.dumps({"problem": one.text, "answer": one.answer}) for one in asked]
        (folder / "problems.jsonl").write_text("\n".join(lines))
        data = {"dataset_kwargs": {"data_files": {"train": str(folder / "problems.jsonl")}}}
        (folder / f"{TASK}.yaml").write_text(json.dumps(_TASK | data))  # JSON is YAML
        plan = recorded_plan() if arguments.plan is None else load_plan(arguments.plan)
        save_plan(plan, folder / "plan.json")
        with serving(folder / "plan.json") as server:
            for way in WAYS:
                before = len(server.events("request"))
                mean, count = evaluate(command, way, f"{server.url}/v1", folder, len(asked), more)
                requests = [
                    one
                    for one in server.events("request")[before:]
                    if one["path"].startswith("/v1/")
                ]
                rate = PassRate(round(mean * count), count)
                ran = Counter(
                    f"{name}@{n}"
                    for one in requests
                    for name, n in zip(one.get("strategy", ()), one.get("n", ()), strict=True)
                )
                document[way] = {
                    "accuracy": mean,
                    "interval": list(rate.interval()),
                    "status": dict(Counter(str(one["status"]) for one in requests)),
                    "strategies": dict(ran),
                }
    line = "; ".join(
        f"{way} {found['accuracy']:.3f} [{found['interval'][0]:.3f}, {found['interval'][1]:.3f}], "
        f"requests by status {found['status']}, strategies {found['strategies']}"
        for way in WAYS
        for found in [document[way]]
    )
    finish(document, f"lm_eval {VERSION}, {len(asked)} problems: {line}", as_json=arguments.json)


if __name__ == "__main__":
    main()
