"""Hook of MkDocs: pages of the project's root are pages of the site, and links hold in both."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# File in the root, and its page. MkDocs would take a README for the first page; that is index.md.
_PAGES = {
    "README.md": "about.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
_NAMES = "|".join(map(re.escape, _PAGES))
_UP = re.compile(rf"\]\((?:\.\./)+({_NAMES})")
_BESIDE = re.compile(rf"\]\(({_NAMES})")
_DOCS = re.compile(r"\]\(docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, their links rewritten to lead from the site's top."""
    root = Path(config.config_file_path).parent
    for name, page in _PAGES.items():
        text = _DOCS.sub("](", (root / name).read_text(encoding="utf-8"))
        text = _BESIDE.sub(lambda link: f"]({_PAGES[link[1]]}", text)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point links to files of the root at their pages."""
    here = posixpath.dirname(page.file.src_uri) or "."
    return _UP.sub(lambda link: f"]({posixpath.relpath(_PAGES[link[1]], here)}", markdown)
