"""Python's types, defaults, docstrings and tables as Markdown for readers."""

import ast
import json
import re
import typing
from collections.abc import Sequence
from typing import Any

TYPES = {
    "str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`", "Any": "any value",
    "dict": "mapping", "Section": "`{name, ...}`", "Range": "`[low, high]`", "Folder": "folder",
}  # fmt: skip
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
DOI = re.compile(r"\bdoi (10\.\d{4,9}/\S+)")
ARXIV = re.compile(r"\barXiv (\d{4}\.\d{4,5})")
SITE = re.compile(r"(?<![\w/@.:-])((?:[a-z0-9-]+\.)+(?:org|com|edu|info|io|ca|uk)(?:/[\w./~?=-]*\w)?)(?!\w)")
CODE = re.compile(r"(``.+?``|`[^`]+`|^ {4}[^\n]*$)", re.MULTILINE | re.DOTALL)  # spans and indented lines


def page(title: str, *parts: str) -> str:
    """Return a page; empty parts are left out."""
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are Markdown already. A bar inside a code span divides no cells."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    parts = CODE.split(text.replace("\n", " "))
    return "".join(part if CODE.fullmatch(part) else part.replace("|", "\\|") for part in parts)


def escaped(text: str) -> str:
    """Return plain text so that Markdown shows it as it is."""
    return re.sub(r"([*_\[\]])", r"\\\1", text).replace("<", "&lt;")


def markdown(text: str) -> str:
    """Return a docstring as Markdown: its dois, arXiv numbers and sites as links, its code as it stands.

    >>> markdown("Platt (1999, doi 10.1000/a(1)b); <name>, `<name>`, example.org/a.")
    'Platt (1999, [doi 10.1000/a(1)b](<https://doi.org/10.1000/a(1)b>)); &lt;name>, `<name>`, [example.org/a](https://example.org/a).'
    """
    return "".join(part if CODE.fullmatch(part) else _linked(part) for part in CODE.split(text))


def _linked(text: str) -> str:
    text = text.replace("<", "&lt;").replace("*", "\\*")
    text = SITE.sub(r"[\1](https://\1)", text)
    text = DOI.sub(_doi, text)
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", text)


def _doi(match: re.Match) -> str:
    """Return the link; a doi ends before the punctuation and the bracket of its sentence, but may contain brackets."""
    name = match[1].rstrip(".,;:")
    while name.endswith(")") and name.count(")") > name.count("("):
        name = name[:-1].rstrip(".,;:")
    return f"[doi {name}](<https://doi.org/{name}>){match[1][len(name) :]}"


def default(value: Any) -> str:
    """Return a default as YAML has it, in a code span.

    >>> default(None), default([1, 2.5]), default("rbf")
    ('`null`', '`[1, 2.5]`', '`rbf`')
    """
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def type_of(annotation: str) -> str:
    """Return an annotation in words.

    >>> type_of("Literal['db', 'ln'] | None"), type_of("list[int]")
    ('`db` or `ln` or `null`', 'list of whole numbers')
    """
    return _in_words(ast.parse(annotation, mode="eval").body)


def field_type(section: type, key: str) -> str:
    """Return the type of a key of a pydantic section in words, with its limits."""
    hint = typing.get_type_hints(section)[key]
    name = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
    metadata = section.model_fields[key].metadata
    limits = [f"{sign} {getattr(m, limit)}" for m in metadata for limit, sign in LIMITS.items() if hasattr(m, limit)]
    return ", ".join([type_of(name), *limits])


def _in_words(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return _either([_in_words(part) for part in _alternatives(node)])
    if isinstance(node, ast.Constant):
        return "`null`" if node.value is None else f"`{node.value}`"
    if isinstance(node, ast.Name):
        return TYPES[node.id]
    kind = node.value.id
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if kind == "dict":
        return TYPES["dict"]
    if kind == "list":
        inner = _in_words(parts[0])
        return (
            f"list of ({inner})"
            if " or " in inner
            else f"list of {inner}{'' if inner.endswith(('`', 'text')) else 's'}"
        )
    return _either([*map(_in_words, parts), *(["`null`"] if kind == "Optional" else [])])


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _alternatives(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp):
        return _alternatives(node.left) + _alternatives(node.right)
    return [node]
