"""The documentation: it builds, nothing in it is missing or from elsewhere, and what it tells to type works."""

import ast
import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from docs import commands, generate, plugin_pages, words
from utils import config as configs
from utils import plugins

ROOT = plugins.ROOT
MKDOCS = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing either is an error
from mkdocs.__main__ import cli
cli(["build", *sys.argv[1:]])
"""
PLUGINS = [(kind, name) for kind in plugins.KINDS for name in plugins.every(kind)]
WRITTEN = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("[cf]*/README.md"),
        *ROOT.glob("deploy/**/*.md"),
    ]
)
OURS = "|".join(re.escape(call.partition(" ")[2]) for call in commands.names().values())
CALL = re.compile(rf"^\S*python[\d.]*(?:\.exe)? ({OURS})(?= |$)(.*)")
EXAMPLE_FILES = set(re.findall(r"^```\w+\n# (\S+)$", "\n".join((ROOT / p).read_text("utf8") for p in WRITTEN), re.M))


def build(project: Path, target: Path, *options: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-c", MKDOCS, "--site-dir", str(target), *options]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return the folder of the built site."""
    target = tmp_path_factory.mktemp("docs") / "site"
    before = sorted((ROOT / "docs").rglob("*.md"))
    done = build(ROOT, target, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted((ROOT / "docs").rglob("*.md")) == before  # what is generated stays out of the checkout
    return target


class _Page(HTMLParser):
    """The text of a page's article, and the links and loaded files of the whole page."""

    def __init__(self, path: Path):
        super().__init__()
        self.words, self.links, self.loaded, self.inside = [], [], [], False
        self.feed(path.read_text(encoding="utf8"))
        self.text = " ".join("".join(self.words).split())

    def handle_data(self, data: str):
        self.words += [data] * self.inside

    def handle_starttag(self, tag: str, attributes: list):
        given = dict(attributes)
        self.inside |= tag == "article"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loaded.append(given["href"])
        elif "src" in given:
            self.loaded.append(given["src"])

    def handle_endtag(self, tag: str):
        self.inside &= tag != "article"


def test_types_defaults_and_citations_in_words():
    assert doctest.testmod(words) == (0, 3)


def shown(text: str) -> str:
    """Return a docstring's line as a reader sees it."""
    return " ".join(text.replace("`", "").split())


def test_every_page_is_reached_from_the_first(site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html"}
    assert set(_Page(site / "index.html").links) >= pages - {"index.html"} and len(pages) > 90


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        outside = [name for name in _Page(path).loaded if re.match(r"\w+:|//", name)]
        assert not outside, f"{path.name} loads {outside}"
    for path in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", path.read_text(encoding="utf8")), path.name


def test_the_search_finds_every_model(site):
    index = (site / "search/search_index.json").read_text(encoding="utf8")
    assert all(f"models/{name}.html" in index for name in plugins.every("models"))


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_plugin_has_a_page_with_its_arguments(site, kind, name):
    plugin, folder = plugins.every(kind)[name], plugin_pages.KINDS[kind][0]
    page = _Page(site / folder / f"{name}.html")
    assert shown(plugin.summary) in page.text
    for argument, stated in plugin.arguments.items():
        assert re.search(rf"(?<!\w){argument}(?!\w)", page.text)
        if isinstance(stated.default, str | int):
            assert json.dumps(stated.default).strip('"') in page.text
    assert plugin.licence in page.text.replace("\\", "")
    assert f"{name}.html" in _Page(site / folder / "index.html").links


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in PLUGINS if kind != "augment"])
def test_every_argument_has_a_meaning(kind, name):
    rows = re.findall(r"^\| `.*$", generate.pages()[f"{plugin_pages.KINDS[kind][0]}/{name}.md"], re.MULTILINE)
    assert all(re.search(r"\| [^|]*\w[^|]* \|$", row) and row.count(" | ") == 3 for row in rows), rows


@pytest.mark.parametrize("name", plugins.every("models"))
def test_every_model_names_its_paper(name):
    assert re.search(r"[A-Z][\w-]+.* (19|20)\d\d\b", generate.pages()[f"models/{name}.md"])


@pytest.mark.parametrize("name", commands.names())
def test_every_option_of_a_command_is_on_its_page(site, name):
    page, parser = _Page(site / f"scripts/{name}.html"), commands.parser(name)
    assert f"{name}.html" in _Page(site / "scripts/index.html").links
    if parser is None:
        assert shown(commands.docstring(name).partition("\n")[0]) in page.text
        return
    for action in (action for action in parser._actions if action.dest != "help"):
        assert all(option in page.text for option in action.option_strings or [action.metavar or action.dest.upper()])
        assert shown(action.help.replace("%%", "%")) in page.text
    assert shown((parser.epilog or "").partition(":\n")[2]) in page.text


def test_every_config_key_is_there_with_default_and_meaning(site):
    page = _Page(site / "config.html")
    for key, field in configs.Config.model_fields.items():
        assert re.search(rf"(?<![\w.]){key}(?!\w)", page.text)
        section = field.annotation if generate.is_section(field) else None
        assert field.description or section
        for below, part in section.model_fields.items() if section else ():
            assert f"{key}.{below}" in page.text and part.description
        for part in section.model_fields.values() if section else [field]:
            assert shown(part.description) in page.text
    for name in plugin_pages.experiments():
        assert name in _Page(site / "experiments.html").text


def test_every_number_of_the_glossary_is_there(site):
    from evaluation.scores import glossary

    text = _Page(site / "glossary.html").text
    assert all(shown(term.meaning) in text for term in glossary.TERMS.values())


def test_the_examples_of_contributing_are_shown_whole(site):
    shown_text = " ".join(_Page(path).text for path in sorted((site / "add").glob("*.html")))
    source = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8")
    blocks = re.findall(r"^```\w+\n(# \S+\n.*?)^```$", source, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6 and all(" ".join(block.split()) in shown_text for block in blocks)


def test_a_new_file_has_its_page_and_a_broken_link_or_anchor_is_refused(tmp_path):
    copy = tmp_path / "zoo"
    made = shutil.ignore_patterns(".*", "__pycache__", "data", "features", "checkpoints", "tests", "site")
    shutil.copytree(ROOT, copy, ignore=made)
    (copy / "models/dnn/gru.py").write_text(
        '"""Gates. Cho 2014."""\nINPUT = "frames"\ndef build(frame_shape, n_classes, *, units: int = 64): ...\n'
    )
    (copy / "hello.py").write_text('"""Say hello."""\n')
    (copy / "docs/guides").mkdir(exist_ok=True)
    (copy / "docs/guides/mine.md").write_text("# My guide\n")
    (copy / "docs/limits.md").write_text("# Limits\n[a](index.md#nowhere) [b](missing.md)\n")
    done = build(copy, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "units" in _Page(tmp_path / "site/models/gru.html").text
    assert "Say hello." in _Page(tmp_path / "site/scripts/hello.html").text
    assert "guides/mine.html" in _Page(tmp_path / "site/index.html").links
    assert "'#nowhere'" in done.stderr and "'missing.md'" in done.stderr
    assert build(copy, tmp_path / "site", "--strict").returncode != 0


def documents() -> dict[str, str]:
    """Return the name -> Markdown of all that a user reads, written and generated."""
    return {name: (ROOT / name).read_text(encoding="utf8") for name in WRITTEN} | generate.pages()


def blocks(text: str) -> list[SimpleNamespace]:
    fenced = re.findall(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [
        SimpleNamespace(kind=kind or "sh", text=re.sub(rf"(?m)^{indent}", "", body)) for indent, kind, body in fenced
    ]


def spans(text: str) -> list[str]:
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()).replace("\\|", "|") for span in re.findall(r"`([^`]+)`", text)]


def typed(text: str) -> list[str]:
    """Return the commands that a document tells to type."""
    shell = "\n".join(block.text for block in blocks(text) if block.kind in ("sh", "text"))
    lines = re.sub(r"\\\n\s*", "", shell).splitlines()
    return [part.strip() for line in lines + spans(text) for part in re.split(r" \| | && ", line)]


@pytest.mark.parametrize("name", documents())
def test_every_command_parses(name, capsys):
    for command in typed(documents()[name]):
        if script := re.match(r"^\S*python[\d.]* ([\w/]+\.py)", command):
            assert (ROOT / script[1]).is_file(), command
        if called := CALL.match(command.replace("\\python", "/python")):
            module = next(m for m, call in commands.names().items() if call.partition(" ")[2] == called[1])
            accepted(commands.parser(module), shlex.split(re.sub(r" <.*", "", called[2]), comments=True), command)
            assert not capsys.readouterr().err, command
        for script, options in re.findall(rf"(?<!\w)({OURS})((?: [^`]*)?)$", command):
            module = next(m for m, call in commands.names().items() if call.partition(" ")[2] == script)
            known = " ".join(o for a in getattr(commands.parser(module), "_actions", ()) for o in a.option_strings)
            assert set(re.findall(r"(?<!\S)--[a-z-]+", options)) <= set(known.split()), command


def accepted(parser, arguments: list[str], command: str) -> None:
    """Assert that a parser takes the arguments, and that the files of ours that they name are there."""
    if parser is None or not arguments:
        return  # the name of a script in running text
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:
        raise AssertionError(command) from stopped
    named = [*getattr(options, "config", []), getattr(options, "other", None), getattr(options, "space", None)]
    for path in (str(path) for path in named if path):
        invented = re.search(r"[A-Z]|\.\.\.|^[^/]+$|^config/tuned/", path) or path in EXAMPLE_FILES
        assert invented or (ROOT / path).is_file(), f"{path} in: {command}"


def test_the_documents_commands_are_recognised():
    calls = [command for text in documents().values() for command in typed(text) if CALL.match(command)]
    assert len(calls) > 80
    assert "python train.py --config config/mine.yaml" in calls
    with pytest.raises(AssertionError):
        accepted(commands.parser("train"), ["--confg", "x.yaml"], "a typo")
    with pytest.raises(AssertionError):
        accepted(commands.parser("train"), ["--config", "config/none.yaml"], "no such file")


@pytest.mark.parametrize("name", documents())
def test_every_sample_parses(name):
    text = documents()[name]
    for block in blocks(text):
        if block.kind == "python":
            ast.parse(block.text)
        elif block.kind == "toml":
            tomllib.loads(block.text)
        elif block.kind == "yaml":
            checked(configs.parse_yaml(block.text, name), name)
    for span in spans(text):
        key, colon, value = span.partition(": ")
        if colon and key in configs.Config.model_fields and not re.search(r"\.\.\.|: [A-Z]\b", value):
            checked(configs.parse_yaml(span, name), f"{name}: {span}")


def checked(raw: dict, where: str) -> None:
    """Check a whole config, or some keys of one put into the demo's; plug-ins that an example brings are its own."""
    base = configs.parse_yaml((ROOT / "config/demo_bilstm.yaml").read_text(encoding="utf8"), "demo")
    brought = {Path(path).stem for path in EXAMPLE_FILES}
    if not brought & {section["name"] for key in ("features", "model") if (section := raw.get(key))}:
        raw = raw if "model" in raw and "name" in raw else without_demo_keys(raw, base) | raw
        configs.check(raw, where)


def without_demo_keys(raw: dict, base: dict) -> dict:
    """Return what is left of the demo's config: an ensemble brings features and training by itself."""
    joins = raw.get("model", {}).get("name") == "ensemble"
    return {key: value for key, value in base.items() if not (joins and key in ("features", "train"))}


ROOMS = "|".join(sorted(path.name for path in ROOT.iterdir() if any(path.glob("*.py"))))
FILE = re.compile(rf"(?<![\w/.$-])(?:{ROOMS})/(?:[\w./-]*\w/?)?")
MODULE = re.compile(rf"(?<![\w/.$-])(?:{ROOMS})(?:\.[A-Za-z_]\w*)+(?![\w/.])")  # not a key such as corpora.0.root


def is_ours(module: str) -> bool:
    """Return whether a dotted name is a module of ours, or something that one defines."""
    names = module.split(".")
    for n in range(len(names), 0, -1):
        stem, below = ROOT.joinpath(*names[:n]), names[n:]
        source = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if stem.is_dir() or source.is_file():
            return not below or bool(re.search(rf"\b{below[0]}\b", source.read_text(encoding="utf8")))
    return False


@pytest.mark.parametrize("name", documents())
def test_files_and_modules_that_a_document_names_exist(name):
    for span in spans(documents()[name]):
        for path in FILE.findall(span):
            assert (ROOT / path).exists() or path in EXAMPLE_FILES, f"{name}: {span}"
        for module in MODULE.findall(re.sub(r"\S+/\S*", "", span)):
            assert is_ours(module), f"{name}: {span}"


def test_the_python_samples_import_what_exists():
    notebook = json.loads((ROOT / "examples/quickstart.ipynb").read_text(encoding="utf8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    samples = [re.sub(r"(?m)^%.*$", "", cell) for cell in cells]
    samples += [block.text for text in documents().values() for block in blocks(text) if block.kind == "python"]
    nodes = [node for sample in samples for node in ast.walk(ast.parse(sample)) if isinstance(node, ast.ImportFrom)]
    ours = [f"{node.module}.{alias.name}" for node in nodes for alias in node.names if re.match(ROOMS, node.module)]
    assert len(ours) > 10 and not [name for name in ours if not is_ours(name)]


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("name", WRITTEN)
def test_links_lead_somewhere(name):
    text = re.sub(r"^ *```.*?^ *```$", "", (ROOT / name).read_text(encoding="utf8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if ":" in link:
            assert re.fullmatch(r"https?://[a-z0-9.-]+\.[a-z]+(/\S*)?", link), link
            continue
        path, _, anchor = link.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        generated = os.path.relpath(there, ROOT / "docs").replace(os.sep, "/") in generate.pages()
        assert generated or there.is_file(), f"{name}: {link}"
        if anchor and there.is_file() and not name.startswith("docs/"):  # MkDocs has looked at its own
            assert anchor in map(slug, re.findall(r"^#+ (.+)$", there.read_text(encoding="utf8"), re.MULTILINE)), link
