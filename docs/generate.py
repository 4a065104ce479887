"""The pages that are generated from the source: commands, config keys, plug-ins, experiments, the glossary.

They are not stored in git. A new plug-in, option or key gets its page or row at the next build, without an edit here.
"""

import os
import re
import textwrap
from functools import lru_cache
from unittest import mock

from docs import commands, plugin_pages, words
from utils import config as configs
from utils.plugins import ROOT

ENVIRONMENT = """## Environment

| variable | meaning |
|---|---|
| `SER_DATA` | folder of the corpora; relative roots of a config are below it; `data/` in the checkout unless set |
| `SER_PRETRAINED` | folder of pretrained encoders; `pretrained/` in the checkout unless set |
| `SER_CHECKPOINTS` | folder of the checkpoints that the web page offers; `checkpoints/` in the checkout unless set |
| `KERAS_BACKEND` | `jax`: train the networks on JAX instead of TensorFlow |"""
FOLDERS = {pages.key: pages.folder for pages in plugin_pages.KINDS.values()}  # a config's key -> pages of its plug-ins


@lru_cache
def pages() -> dict[str, str]:
    """Return path below docs/ -> Markdown of every generated page, in the order of the nav."""
    made = {"scripts/index.md": _scripts()}
    made |= {f"scripts/{name}.md": _script(name) for name in commands.names()}
    made |= {"config.md": _config(), "experiments.md": _experiments(), "glossary.md": _glossary()}
    return made | plugin_pages.pages()


def _scripts() -> str:
    rows = []
    for name, call in commands.names().items():
        parser = commands.parser(name)
        about = parser.description if parser else commands.docstring(name)
        rows.append([f"[`{call}`]({name}.md)", words.markdown(about.partition("\n")[0])])
    introduction = (
        "Run the commands in the checkout; `--help` shows the same text as these pages. Exit status: 0 done, 1 some "
        "data failed after all was tried, 2 a wrong option or config. A user's error is one line on stderr."
    )
    return words.page("Commands", introduction, words.table(["command", "what it does"], rows))


def _script(name: str) -> str:
    parser, call = commands.parser(name), commands.names()[name]
    if parser is None:  # such as the web page, whose docstring says how it is started
        return words.page(f"{name}.py", words.markdown(commands.docstring(name)))
    with mock.patch.dict(os.environ, COLUMNS="80"):
        usage = parser.format_usage()
    parts = [words.markdown(parser.description), f"```text\n{usage}```"]
    for group in parser._action_groups:
        rows = [[_option(action), _meaning(action)] for action in group._group_actions if action.dest != "help"]
        if rows:
            title = group.title.removeprefix("positional ")
            parts += [f"## {title[0].upper()}{title[1:]}", words.table(["", ""], rows)]
    example = re.sub(r"^\s*examples?:\s*\n", "", parser.epilog or "")
    if example:
        parts += ["## Example", f"```sh\n{textwrap.dedent(example).strip()}\n```"]
    return words.page(call.removeprefix("python ").removeprefix("-m "), *parts)


def _option(action) -> str:
    value = action.metavar or ("" if action.choices else action.dest.upper())
    value = {"+": f" {value} ...", "*": f" [{value} ...]", "?": f" [{value}]", 0: ""}.get(action.nargs, f" {value}")
    return f"`{', '.join(action.option_strings)}{value}`".replace("` ", "`").replace(" `", "`")


def _meaning(action) -> str:
    text = words.escaped((action.help or "").replace("%%", "%"))
    text += f": {', '.join(f'`{choice}`' for choice in action.choices)}" if action.choices else ""
    return text + ("; required" if action.required and action.option_strings else "")


def _config() -> str:
    introduction = (
        "One YAML file is one complete experiment. `--set KEY=VALUE` overrides a key from the command line; entries of "
        "lists are counted from 0: `--set split.folds=10 --set corpora.0.root=EMO-DB`. A key that is left out has its "
        "default. A mistyped key is an error that names the nearest valid key.\n\n```yaml\n"
        + (ROOT / "config/demo_bilstm.yaml").read_text(encoding="utf8").strip()
        + "\n```"
    )
    sections = {key: field.annotation for key, field in configs.Config.model_fields.items() if is_section(field)}
    parts = [introduction, "## The experiment", _keys(configs.Config, "", sections)]
    for key, section in sections.items():
        parts += [f"## {key}", section.__doc__, _keys(section, f"{key}.", {})]
    return words.page("Config keys", *parts, ENVIRONMENT)


def is_section(field) -> bool:
    """Whether a field of the config holds keys of its own."""
    return isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")


def _keys(section: type, prefix: str, nested: dict) -> str:
    rows = []
    for key, field in section.model_fields.items():
        if key in nested:
            rows.append([f"`{key}`", "mapping", "", f"{nested[key].__doc__.rstrip('.')}: [below](#{key})"])
            continue
        default = "*must be given*" if field.is_required() else words.default(field.default)
        about = words.escaped(field.description)
        about += f": [list]({FOLDERS[key]}/index.md)" if key in FOLDERS and not prefix else ""
        rows.append([f"`{prefix}{key}`", words.field_type(section, key), default, about])
    return words.table(["key", "type", "default", "meaning"], rows)


def _experiments() -> str:
    rows = []
    for name, raw in plugin_pages.experiments().items():
        first = (ROOT / "config" / name).read_text(encoding="utf8").partition("\n")[0]
        about = first.removeprefix("#").strip() if first.startswith("#") else ""
        feature = raw["features"]["name"] if raw.get("features") else ""
        used = [("corpora", entry["name"]) for entry in raw["corpora"]]
        used += [("features", feature)] * bool(feature) + [("models", raw["model"]["name"])]
        linked = ", ".join(f"[{plugin}]({folder}/{plugin}.md)" for folder, plugin in used)
        rows.append([f"`{name}`", linked, words.escaped(about)])
    introduction = "Each file of `config/` is a whole experiment: `python train.py --config config/NAME.yaml`."
    return words.page("Experiments", introduction, words.table(["`config/`", "uses", "what it is"], rows))


def _glossary() -> str:
    from evaluation.scores import glossary

    rows = [[term.name, f"`{key}`", words.escaped(term.meaning)] for key, term in glossary.TERMS.items()]
    introduction = (
        "Every number of `report.html`, `metrics.json`, the workbook and the model card. How to read them together: "
        "[Reading a report](report.md)."
    )
    return words.page("Glossary", introduction, words.table(["number", "key", "meaning"], rows))
