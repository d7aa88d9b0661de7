"""A package of others that brings a scorer, as an installer leaves it in a folder."""

from __future__ import annotations

from pathlib import Path

MODULE = '''\
"""Prefers short responses."""

from executor.scorers.base import PlainResponseScorer


class Brevity(PlainResponseScorer):
    name = "brevity"

    def score_response(self, question, response):
        return 1 / (1 + len(response.token_ids))
'''


def install(
    folder: Path, module: str = MODULE, *, name: str = "brevity", target: str = "brevity:Brevity"
) -> Path:
    """Put the package into a folder, which is to be on the path of modules.

    Args:
        folder: the folder.
        module: source of the module `brevity`.
        name: name of the entry point.
        target: what the entry point names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brevity.py").write_text(module)
    about = folder / "brevity-1.2.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brevity\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[apportion.scorers]\n{name} = {target}\n")
    return folder
