"""The pages of the plug-ins: their docstrings, signatures and constants, and the experiments that use them."""

import ast
import re
from functools import lru_cache
from typing import NamedTuple

import yaml

from docs import words
from utils import config as configs
from utils import plugins
from utils.plugins import ROOT, Plugin


class Pages(NamedTuple):
    """The pages of one kind of plug-in: their folder, the list's title and introduction, the config's key."""

    folder: str
    title: str
    introduction: str
    key: str


KINDS = {
    "corpora": Pages(
        "corpora", "Corpora", "The data to train on, with licence and paper. All parsers use the same words for "
        "emotions and unique ids, and state what else a corpus knows; `preprocess.py` compares the number of "
        "clips with the published counts. The zoo is distributed without audio.", "corpora",
    ),
    "features": Pages(
        "features", "Features", "The input of a model. A *vector* is one row per clip, *frames* are one row every few "
        "milliseconds. Networks take frames or vectors, as their pages state; estimators take vectors, and of frames "
        "their mean, deviation, minimum and maximum over time.", "features",
    ),
    "models": Pages(
        "models", "Models", "Networks (Keras) and estimators (scikit-learn). All read clips of any length; scaling, "
        "masks, calibration, early stopping and the ONNX graph are shared code. Their scores: "
        "[results](../results.md).", "model",
    ),
    "augment": Pages(
        "augmentation", "Augmentation", "Other training clips, made from the clips of a corpus. *On audio*: "
        "`preprocess.py` stores `copies` of each clip, for every model. *On frames*: anew every epoch while a network "
        "trains. Copies stay in the fold of their original.", "augment",
    ),
}  # fmt: skip
READS = {
    "frames": "Reads frames.", "vector": "Reads a vector; of frames their statistics over time.",
    "either": "Reads frames or a vector.", "members": "Reads the probabilities of finished runs.",
}  # fmt: skip
MOST_NAMED = 8  # experiments that a plug-in's page names
MADE = {"models.dnn": "A Keras network.", "models.ml": "A scikit-learn estimator."}
ON = {"frames": "On frames, while a network trains.", "either": "On frames or vectors, while a network trains."}


def pages() -> dict[str, str]:
    """Return path below docs/ -> Markdown: for each kind its list, and one page per plug-in."""
    made = {}
    for kind, about in KINDS.items():
        made[f"{about.folder}/index.md"] = _kind(kind)
        made |= {f"{about.folder}/{name}.md": _plugin(kind, plugin) for name, plugin in plugins.every(kind).items()}
    return made


@lru_cache
def experiments() -> dict[str, dict]:
    """Return name of the file -> its content, for every file of config/."""
    paths = sorted((ROOT / "config").glob("*.yaml"))
    return {path.name: configs.parse_yaml(path.read_text(encoding="utf8"), path.name) for path in paths}


def _kind(kind: str) -> str:
    head, rows = ["name", "what it is"], []
    for name, plugin in plugins.every(kind).items():
        row = [f"[`{name}`]({name}.md)", words.markdown(plugin.summary)]
        rows.append(row + ([words.markdown(plugin.licence or "yours")] if kind == "corpora" else []))
    head += ["licence"] if kind == "corpora" else []
    more = f"To add one, add one file: [how to](../add/{plugins.KINDS[kind].word}.md)."
    return words.page(KINDS[kind].title, KINDS[kind].introduction, words.table(head, rows), more)


def _plugin(kind: str, plugin: Plugin) -> str:
    module, lead, meanings = _docstrings(plugin)
    constants, parts = plugin.constants, [words.markdown(module)]
    if "SOURCE" in constants:
        parts += ["## How to get it", words.markdown(constants["SOURCE"])]
    parts.append(" ".join(filter(None, [MADE.get(plugin.package), READS.get(constants.get("INPUT"))])))
    parts += [ON.get(constants.get("ON")), f"```yaml\n{KINDS[kind].key}: {_sample(kind, plugin)}\n```", "## Arguments"]
    if kind != "corpora":
        parts.append(f"`{plugin.kind.function}(...)`: {words.markdown(lead)}")
    parts.append(_arguments(plugin, meanings))
    users = [f"`{name}`" for name, raw in experiments().items() if plugin.name in _named(raw.get(KINDS[kind].key))]
    if users:
        more = f" and {len(users) - MOST_NAMED} [more](../experiments.md)" if len(users) > MOST_NAMED else ""
        parts += ["## Experiments", f"In `config/`: {', '.join(users[:MOST_NAMED])}{more}."]
    return words.page(plugin.name, *parts, f"Source: `{plugin.package.replace('.', '/')}/{plugin.name}.py`")


def _arguments(plugin: Plugin, meanings: dict[str, str]) -> str:
    stated = dict(plugin.arguments)
    if plugin.constants.get("ON") == "audio":  # an argument of all of them: augmentation.base.variants
        stated["copies"] = plugins.Argument("int", 1)
        meanings = meanings | {"copies": "copies per clip that `preprocess.py` stores"}
    rows = [
        [f"`{name}`", words.type_of(argument.annotation), _default(argument), words.markdown(meanings.get(name, ""))]
        for name, argument in stated.items()
    ]
    head = ["argument", "type", "default", "meaning"]
    width = 4 if any(row[3] for row in rows) else 3
    return words.table(head[:width], [row[:width] for row in rows]) if rows else "None."


def _named(section) -> list[str]:
    return [part["name"] for part in (section if isinstance(section, list) else [section] if section else [])]


def _default(argument: plugins.Argument) -> str:
    return "*must be given*" if argument.default is plugins.REQUIRED else words.default(argument.default)


def _sample(kind: str, plugin: Plugin) -> str:
    """Return the shortest section of a config that chooses the plug-in."""
    entry = {"name": plugin.name} | ({"root": _root(plugin)} if kind == "corpora" else {})
    for name, argument in plugin.arguments.items():
        if argument.default is plugins.REQUIRED:
            entry[name] = ["run_a", "run_b"] if argument.annotation.startswith("list") else f"my_{name}"
    text = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip()
    return f"[{text}]" if kind in ("corpora", "augment") else text


def _root(plugin: Plugin) -> str:
    """Return a corpus's folder in the experiments; if none uses it, that of its download or of its docstring."""
    used = [entry["root"] for raw in experiments().values() for entry in raw["corpora"] if entry["name"] == plugin.name]
    home = plugin.name.upper() if plugin.licence else "mine"
    return used[0] if used else plugin.constants.get("DOWNLOAD", {}).get("folder", home)


def _docstrings(plugin: Plugin) -> tuple[str, str, dict[str, str]]:
    """Return the module's docstring, the first paragraphs of its function's, and argument -> meaning from its Args."""
    path = ROOT.joinpath(*plugin.package.split("."), f"{plugin.name}.py")
    tree = ast.parse(path.read_text(encoding="utf8"))
    function = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == plugin.kind.function
    )
    text = ast.get_docstring(function) or ""
    lead, *_ = re.split(r"^(?:Args|Raises|Returns|Yields):$", text, flags=re.MULTILINE)
    meanings = {}
    stated = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    entries = re.findall(
        r"^    (\w[\w, ]*): (.*?)(?=^    \w|\Z)", stated[1] if stated else "", re.MULTILINE | re.DOTALL
    )
    for names, meaning in entries:
        meaning = re.sub(r"\bNone\b", "`null`", " ".join(meaning.split()))
        meanings |= dict.fromkeys(names.split(", "), meaning)
    return ast.get_docstring(tree) or "", lead.strip(), meanings
