"""What there is: plug-ins with their arguments and defaults, and the configs that come along."""

import textwrap

from utils import plugins


def listing(what: str) -> str:
    """Return the listing of "models", "features", "corpora", "augment" or "configs", at most 80 columns wide."""
    if what == "configs":
        return "\n".join(_configs())
    lines = []
    for name, plugin in plugins.every(what).items():
        lines += textwrap.wrap(f"{name}: {plugin.summary}", 80, subsequent_indent="  ")
        stored = {"copies": "int = 1"} if plugin.constants.get("ON") == "audio" else {}
        for argument, stated in (plugin.arguments | stored).items():
            lines += textwrap.wrap(f"{argument}: {stated}", 76, initial_indent="    ", subsequent_indent="      ")
    for name, defect in plugins.broken(what).items():
        lines += textwrap.wrap(f"{name}: BROKEN, {defect}", 80, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def _configs() -> list[str]:
    lines = []
    for path in sorted((plugins.ROOT / "config").glob("*.yaml")):
        first = path.read_text(encoding="utf8").partition("\n")[0]
        about = first.removeprefix("#").strip() if first.startswith("#") else ""
        lines += textwrap.wrap(f"config/{path.name}: {about}", 80, subsequent_indent="  ")
    return lines
