"""The error for a model that has no attention weights; imports no framework."""

from utils import plugins
from utils.errors import ConfigError


def attention_error(name: str) -> ConfigError:
    """Return the error that a model has no attention weights; it names the networks that have."""
    with_attention = []
    for other, plugin in plugins.every("models").items():
        source = plugins.ROOT.joinpath(*plugin.package.split("."), f"{other}.py").read_text(encoding="utf8")
        if "_attention(" in source or "MaskedSoftmax(" in source:
            with_attention.append(f"{other} with attention: true" if "attention" in plugin.arguments else other)
    return ConfigError(
        f"model {name} pools time without attention, so there are no weights. {', '.join(with_attention)} have."
    )
