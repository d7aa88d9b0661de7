"""Which prices do hosts of models ask? Makes the bundled extract of LiteLLM's public price file.

The wheel of LiteLLM (BerriAI, MIT licence) holds the file. The extract has the chat models of the
large hosts, with the fields that `planner.costs.litellm` reads, as they stand there. To make it
anew:

    pip download litellm --no-deps --dest /tmp/litellm
    python bench/litellm_prices.py /tmp/litellm/litellm-*.whl --date 2026-12-01

Figure: the number of models in the extract.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.files import write_whole
from planner.costs.litellm import ABOUT, FIELDS, MODES

INSIDE = "litellm/model_prices_and_context_window_backup.json"
OUT = ROOT / "data" / "prices" / "litellm.json"
HOSTS = (
    "anthropic", "azure", "deepinfra", "deepseek", "fireworks_ai", "gemini", "groq", "mistral",
    "openai", "openrouter", "together_ai", "xai",
)  # fmt: skip


def extract(prices: dict[str, Any], version: str, date: str) -> dict[str, Any]:
    """The chat models of the large hosts, with the fields that are read."""
    about = {
        "source": f"litellm {version} ({INSIDE}), https://github.com/BerriAI/litellm",
        "date": date,
        "licence": "MIT, Copyright (c) 2023 Berri AI",
        "units": "USD per token",
    }
    models = {
        name: {field: entry[field] for field in FIELDS if field in entry}
        for name, entry in sorted(prices.items())
        if entry.get("litellm_provider") in HOSTS and entry.get("mode") in MODES
    }
    return {ABOUT: about} | {
        name: entry for name, entry in models.items() if "output_cost_per_token" in entry
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--date", required=True, help="day of the download, as 2026-12-01")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        prices = json.loads(wheel.read(INSIDE))
    made = extract(prices, arguments.wheel.name.split("-")[1], arguments.date)
    lines = (f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in made.items())
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.out, "{\n" + ",\n".join(lines) + "\n}\n")
    count = len(made) - 1
    finish({"models": count}, f"{count} models in {arguments.out}", as_json=arguments.json)


if __name__ == "__main__":
    main()
