"""The pages say what is there: commands parse, options, paths, links and fields exist."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from planner.cli.main import build_parser
from planner.cli.options import Parser
from tests.helpers.command import apportion

ROOT = Path(__file__).parents[1]
# Pages in the root, and the names that docs/readme_page.py gives them on the site.
IN_ROOT = {"README.md": "about.md", "CONTRIBUTING.md": "contributing.md",
           "CHANGELOG.md": "changelog.md"}  # fmt: skip
PAGES = [*(ROOT / name for name in IN_ROOT), *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("executor", "profiling", "planner")
# Options that pages name of programs that are not this project's.
FOREIGN = {"--gen_kwargs", "--max-logprobs"}
_MODES = re.MULTILINE | re.DOTALL
_FENCE = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1\s*$", _MODES)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_OPTION = re.compile(r"--[a-z][\w-]*")
_PATH = re.compile(rf"(?:{'|'.join(PACKAGES)}|bench|data|docs|tests|\.ci)/[\w./*-]+")
_MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
_METRIC = re.compile(r"apportion_[a-z_]+")


@dataclass(frozen=True)
class Text:
    """A page in its parts.

    Attributes:
        blocks: language and content of what is fenced, and the line it begins at.
        prose: the rest, with blank lines in place of the blocks.
    """

    blocks: tuple[tuple[str, str, int], ...]
    prose: str

    @property
    def spans(self) -> Iterator[str]:
        """What prose shows as code, on one line each."""
        return (" ".join(span.split()) for span in _SPAN.findall(self.prose))


@cache
def read(page: Path) -> Text:
    text = page.read_text(encoding="utf-8")
    blocks = tuple(
        (found[2], found[3], text[: found.start(3)].count("\n") + 1)
        for found in _FENCE.finditer(text)
    )
    prose = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    return Text(blocks, prose)


def commands(block: str) -> Iterator[list[str]]:
    """The arguments of every `apportion` that a block of shell runs."""
    for line in block.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        while words:
            ends = (at for at, word in enumerate(words) if set(word) <= set("|&;<>()"))
            end = next(ends, len(words))
            command, words = words[:end], words[end + 1 :]
            if command and Path(command[0]).name == "apportion":
                yield command[1:]


def subparsers(parser: argparse.ArgumentParser) -> dict[str, Parser]:
    [found] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(found.choices)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def in_sources(*folders: str) -> str:
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    )


def parses(arguments: list[str]) -> str | None:
    """What the real parser says of arguments; None: nothing."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit:
        return f"apportion {shlex.join(arguments)}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_every_command_line_parses(
        self, page: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shell = [(block, line) for kind, block, line in read(page).blocks if kind == "sh"]
        wrong = [
            f"line {line}: {said}"
            for block, line in shell
            for arguments in commands(block)
            if (said := parses(arguments)) is not None
        ]
        assert not wrong, capsys.readouterr().err

    def test_commands_in_sentences_have_the_options_they_name(self, page: Path) -> None:
        known = subparsers(build_parser())
        for span in read(page).spans:
            words = span.split()
            if words[0] == "apportion" and len(words) > 1 and re.match(r"\w", words[1]):
                assert words[1] in known, span
                assert set(_OPTION.findall(span)) <= options_of(known[words[1]]), span

    def test_options_named_exist(self, page: Path) -> None:
        mine = set().union(*map(options_of, subparsers(build_parser()).values()))
        # Options of benches, and those of vLLM that serve-command prints.
        written = in_sources("executor", "bench")
        named = {
            option
            for span in read(page).spans
            if span.startswith("--")
            for option in _OPTION.findall(span)
        }
        unknown = {
            one
            for one in named - mine - FOREIGN
            if f'"{one}"' not in written and f'"{one[2:].replace("-", "_")}": ' not in written
        }
        assert not unknown

    def test_links_lead_somewhere(self, page: Path) -> None:
        for link in _LINK.findall(read(page).prose):
            if link.startswith(("http://", "https://")):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.is_relative_to(ROOT) and target.exists(), link
            if anchor:
                assert anchor in anchors(target), link

    def test_paths_named_exist(self, page: Path) -> None:
        shell = [word for kind, block, _ in read(page).blocks if kind == "sh"
                 for word in block.split()]  # fmt: skip
        for span in [*read(page).spans, *shell]:
            if _PATH.fullmatch(span):
                assert list(ROOT.glob(span.rstrip("/"))), span

    def test_modules_named_exist(self, page: Path) -> None:
        listed = re.findall(r"^::: (\S+)$", read(page).prose, re.MULTILINE)
        for name in [*read(page).spans, *listed]:
            if _MODULE.fullmatch(name):
                assert defined(name), name

    def test_python_is_python_and_imports_what_there_is(self, page: Path) -> None:
        for kind, block, _ in read(page).blocks:
            if kind != "python":
                continue
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in PACKAGES:
                    missing = [a.name for a in node.names if not defined(f"{node.module}.{a.name}")]
                    assert not missing

    def test_targets_of_make_exist(self, page: Path) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
        named = {span.split()[1] for span in read(page).spans if re.match(r"make [a-z-]+$", span)}
        assert named <= targets


def anchors(page: Path) -> set[str]:
    """Of headings, as GitHub and MkDocs name them; of plain ones both do alike."""
    headings = _HEADING.findall(read(page).prose)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {re.sub(r" +", "-", words.strip()) for words in plain}


def defined(name: str) -> bool:
    """Whether a dotted name is a module, or is defined at the top of one; imports nothing."""
    path = ROOT.joinpath(*name.split("."))
    if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
        return True
    parent, last = path.parent, path.name
    for module in (parent.with_suffix(".py"), parent / "__init__.py"):
        if module.is_file():
            return last in top_level(module)
    return False


@cache
def top_level(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names.add(name)
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def test_extra_fields_of_examples_are_the_services() -> None:
    pytest.importorskip("fastapi")
    from planner.service.http.requests import ChatRequest

    given = {
        key.value
        for page in PAGES
        for kind, block, _ in read(page).blocks
        if kind == "python"
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.keyword) and node.arg == "extra_body"
        for key in node.value.keys  # type: ignore[attr-defined]
    }
    assert given
    assert given <= set(ChatRequest.model_fields)


def test_metrics_named_are_the_services() -> None:
    source = (ROOT / "planner/service/monitoring/metrics.py").read_text(encoding="utf-8")
    page = read(ROOT / "docs/route-a-service.md")
    named = {name for span in page.spans for name in _METRIC.findall(span)}
    assert len(named) > 5
    assert {name for name in named if f'"{name.removesuffix("_total")}"' not in source} == set()


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES[len(IN_ROOT) :]}
    assert pages | set(IN_ROOT.values()) == set(listed)


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_programs_of_users_import_the_public_package_alone(page: Path) -> None:
    """But for the pages on writing a scorer, which is part of this project or derives from it."""
    if page.name == "add-a-prm.md":
        return
    public = pytest.importorskip("apportion")
    for kind, block, _ in read(page).blocks:
        if kind != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            names = []
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] not in PACKAGES, f"{page.name}: {node.module}"
                names = [one.name for one in node.names] if node.module == "apportion" else []
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = [node.attr] if node.value.id == "apportion" else []
            assert [name for name in names if not hasattr(public, name)] == []


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ("apportion fit  # all of it", [["fit"]]),
        (
            "make x && .venv/bin/apportion plan --out \\\n  p.json | tee log",
            [["plan", "--out", "p.json"]],
        ),
        ("pip install apportion", []),
    ],
)
def test_commands_are_found_in_shell(block: str, found: list[list[str]]) -> None:
    assert list(commands(block)) == found


@pytest.mark.parametrize(
    "arguments", [["fit", "--trails", "3"], ["budgte"], ["plan", "--policy", "p"]]
)
def test_a_wrong_command_line_is_found(arguments: list[str]) -> None:
    assert parses(arguments) is not None


def printed(page: Path) -> list[tuple[list[str], str]]:
    """Commands whose whole output a page shows: a block of text after a block of one command."""
    blocks = read(page).blocks
    return [
        (run[0], text)
        for (kind, shell, _), (next_kind, text, _) in pairwise(blocks)
        if (kind, next_kind) == ("sh", "text") and len(run := list(commands(shell))) == 1
    ]


@pytest.mark.parametrize(
    "page",
    ["../README.md", "choose-a-strategy.md", "choose-between-models.md", "plan-a-budget.md"],
)
def test_what_pages_show_is_what_commands_print(page: str, tmp_path: Path) -> None:
    """In a folder with the project's data and with the files that the page writes.

    bench/page_outputs.py puts it there; what ends with "..." is the output up to its first note.
    """
    (tmp_path / "data").symlink_to(ROOT / "data")
    for kind, block, _ in read(ROOT / "docs" / page).blocks:
        if kind == "sh" and (file := re.search(r"^cat > (\S+) <<'END'\n(.*)^END$", block, _MODES)):
            (tmp_path / file[1]).write_text(file[2], encoding="utf-8")
    shown = printed(ROOT / "docs" / page)
    assert shown
    for arguments, text in shown:
        ended = apportion(tmp_path, *arguments)
        assert ended.returncode in (0, 4), ended.stderr  # 4: a target that is not surely reached
        lines = [line.rstrip() for line in ended.stdout.splitlines()]
        if text.endswith("...\n"):
            note = next(i for i, line in enumerate(lines) if line.startswith("note: "))
            lines[note:] = ["..."]
        assert lines == text.splitlines()
