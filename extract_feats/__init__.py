"""Features: each plug-in file turns a mono wave into a vector or into frames; the store keeps the results."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """What a feature plug-in says about its output before it has computed any.

    Attributes:
        label: short name for people and folder names, e.g. "IS10", "stack187"; may be "".
        frames: True for (frames, dims) output, False for (dims,).
        recipe: the arguments in one canonical spelling; equal output means equal recipe.
        version: of our code and of the libraries that make the numbers; a change means other numbers.
    """

    label: str
    frames: bool
    recipe: dict
    version: str
