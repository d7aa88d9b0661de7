"""A hook of MkDocs: the README is a page of the site, and links between the two hold in both."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# index.md is the site's first page, and MkDocs takes a README for one.
_NAME = "about.md"
_README = re.compile(r"\]\((?:\.\./)+README\.md")
_DOCS = re.compile(r"\]\(docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README."""
    readme = Path(config.config_file_path).parent / "README.md"
    text = _DOCS.sub("](", readme.read_text(encoding="utf-8"))
    files.append(File.generated(config, _NAME, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to the README lead to its page."""
    here = posixpath.dirname(page.file.src_uri)
    return _README.sub(f"]({posixpath.relpath(_NAME, here or '.')}", markdown)
