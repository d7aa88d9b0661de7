"""Put the present output of commands into the pages that show it.

`tests/test_docs.py` compares the two. A block of text that follows a block of one `apportion`
command is that command's output. If the block ends with `...`, it is the output up to its first
note. Figure: number of changed blocks.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, finish

PAGES = [ROOT / "README.md"] + [
    ROOT / "docs" / name
    for name in ("choose-a-strategy.md", "choose-between-models.md", "plan-a-budget.md")
]
GOOD = (0, 4)  # 4: no strategy is sure enough to reach a target; the surest is printed
_MODES = re.MULTILINE | re.DOTALL
_SHOWN = re.compile(
    r"^```sh\n(?P<shell>(?:(?!^```).)*?)^```\n(?:(?!^```).)*?^```text\n(?P<text>.*?)^```$", _MODES
)
_FILE = re.compile(r"^cat > (\S+) <<'END'\n(.*?)^END$", _MODES)


def output_of(shell: str, folder: Path) -> str:
    """What the one command of a block prints, run in `folder` and no wider than its lines are."""
    command = shell.replace("\\\n", " ").split(None, 1)[1]
    done = subprocess.run(
        f"{sys.executable} -m planner.cli.main {command}",
        shell=True, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in GOOD:
        sys.exit(f"apportion {command.strip()}: {done.stderr[-2000:]}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def renewed(page: str, folder: Path) -> tuple[str, int]:
    """A page with the outputs of its commands made anew, and how many of them changed."""
    for name, text in _FILE.findall(page):
        (folder / name).write_text(text, encoding="utf-8")
    changed = 0

    def renew(shown: re.Match[str]) -> str:
        nonlocal changed
        shell, old = shown["shell"], shown["text"]
        if len(re.findall(r"^\S*apportion ", shell, re.MULTILINE)) != 1:
            return shown[0]
        new = output_of(shell, folder)
        if old.endswith("...\n"):
            new = re.split(r"^note: ", new, maxsplit=1, flags=re.MULTILINE)[0] + "...\n"
        changed += new != old
        return shown[0].replace(f"```text\n{old}```", f"```text\n{new}```")

    return _SHOWN.sub(renew, page), changed


def main() -> None:
    """Renew all pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(ROOT / "data")
        for path in PAGES:
            text, counts[path.name] = renewed(path.read_text(encoding="utf-8"), Path(folder))
            path.write_text(text, encoding="utf-8")
    line = ", ".join(f"{name}: {count} changed" for name, count in counts.items())
    finish({"changed": counts}, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
