"""Models: networks in dnn/, estimators in ml/, one class over both."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from utils import plugins

if TYPE_CHECKING:
    from models.common import EmotionModel


def model_class(section: Mapping[str, Any]) -> "type[EmotionModel]":
    """Return the class that runs a config's ``model`` section; imports only the framework it needs."""
    if plugins.get("models", section["name"]).package == "models.dnn":
        from models.keras_model import KerasModel

        return KerasModel
    from models.sklearn_model import SklearnModel

    return SklearnModel
