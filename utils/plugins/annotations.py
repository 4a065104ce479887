"""The types that the settings of a plug-in may be annotated with."""

import ast
from typing import Any, Literal

Section = dict[str, Any]  # {"name": plug-in, argument: value, ...}; an argument list[Section] holds more of the kind
Range = list[float]  # [low, high], within the plug-in's LIMITS if it has any
Folder = str  # whose content the numbers depend on
WORDS = {"Literal": Literal, "Any": Any, "Section": Section, "Range": Range, "Folder": Folder}
BUILTINS = {type_.__name__: type_ for type_ in (bool, int, float, str, list, dict, tuple)}
KNOWN = ", ".join([*BUILTINS, *WORDS, "None"])
PARTS = (
    ast.Expression, ast.Name, ast.Constant, ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr,
    ast.UnaryOp, ast.USub, ast.Load,
)  # fmt: skip


def unreadable(annotation: str) -> str:
    """Return why an annotation is not one that a config's value can be checked against; "" if it is.

    >>> unreadable("float | None")
    ''
    """
    allowed = f"which must be made of {KNOWN} and |."
    nodes = list(ast.walk(ast.parse(annotation, mode="eval")))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    literal = {id(n) for node in nodes if isinstance(node, ast.Subscript) for n in ast.walk(node.slice)}
    texts = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if any(id(node) not in literal for node in texts):  # a type in quotes is not read
        return allowed
    if not all(isinstance(node, PARTS) for node in nodes) or not {*names} <= {*WORDS, *BUILTINS}:
        return allowed
    try:
        type_of(annotation)
    except TypeError:
        return allowed
    return ""


def type_of(annotation: str) -> Any:
    """Return the type that an annotation of a plug-in's argument means."""
    return eval(annotation, {"__builtins__": {}, **BUILTINS, **WORDS})
