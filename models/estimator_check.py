"""Whether scikit-learn takes the arguments of an estimator, asked before any data are read."""

from collections.abc import Mapping
from typing import Any

from utils import plugins
from utils.errors import ConfigError


def check_estimator(section: Mapping[str, Any]) -> None:
    """Refuse arguments that scikit-learn would refuse when it fits.

    Args:
        section: a config's ``model`` section of a model of models/ml/, complete.

    Raises:
        ConfigError: a value out of range.
    """
    from sklearn.base import BaseEstimator  # only where one is to be fitted

    try:
        estimator = plugins.call("models", section, "build")
        parts = [part for part in estimator.get_params(deep=True).values() if isinstance(part, BaseEstimator)]
        for part in (estimator, *parts):
            if hasattr(part, "_parameter_constraints"):  # an estimator of the user's own need not state them
                part._validate_params()
    except ValueError as error:
        raise ConfigError(f"model {section['name']}: {' '.join(str(error).split())}") from error
