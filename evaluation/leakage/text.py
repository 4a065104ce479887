"""The verdict of the leakage audit in words, and those on the members of an ensemble."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.leakage.record import SHIPPED


def verdict_line(audit: Mapping[str, Any]) -> str:
    """Return the verdict in one line; ``audit`` is what ``rules.judge`` gives."""
    return f"audit              {audit['verdict']}: {audit['meaning']}"


def verdict_lines(audit: Mapping[str, Any]) -> list[str]:
    """Return the verdict, its findings and what was checked, wrapped at 80 columns; ``audit`` as ``rules.judge``."""
    out = textwrap.wrap(f"{audit['verdict']}: {audit['meaning']}", 80)
    for finding in audit["findings"]:
        where = f", {_folds(finding['folds'])}" if finding["folds"] else ""
        clips = f": {finding['clips']} clips" if finding["clips"] else ""
        clips += f", e.g. {', '.join(finding['examples'])}" if finding["severity"] == "leak" and clips else ""
        text = f"{finding['severity']}, {finding['kind']}: {finding['text']}{where}{clips}"
        out += textwrap.wrap(text, 80, initial_indent="- ", subsequent_indent="  ")
    return out + textwrap.wrap(f"read: {'; '.join(audit['checked'])}", 80, subsequent_indent="  ")


def _folds(numbers: Sequence[int]) -> str:
    named = [number for number in numbers if number != SHIPPED]
    run = len(named) > 2 and named == list(range(named[0], named[-1] + 1))
    listed = f"{named[0]} to {named[-1]}" if run else ", ".join(map(str, named))
    shipped = ["the shipped model"] if SHIPPED in numbers else []
    return " and ".join([f"fold {listed}"] * bool(named) + shipped)
