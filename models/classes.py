"""The class that runs a config's model; its framework is imported only when it is needed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from utils import plugins

if TYPE_CHECKING:
    from models.common import EmotionModel


def is_network(section: Mapping[str, Any]) -> bool:
    """Return whether a config's ``model`` section names a Keras network; imports no framework.

    Raises:
        ConfigError: no model of that name.
    """
    return plugins.get("models", section["name"]).package == "models.dnn"


def model_class(section: Mapping[str, Any]) -> "type[EmotionModel]":
    """Return the class that runs a config's ``model`` section; imports only the framework it needs.

    Raises:
        ConfigError: no model of that name.
    """
    if is_network(section):
        from models.keras_model import KerasModel

        return KerasModel
    from models.sklearn_model import SklearnModel

    return SklearnModel
