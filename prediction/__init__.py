"""Prediction with a trained model: ``Recogniser.open(checkpoint)`` reads audio and answers.

It needs only what ``requirements-serve.txt`` installs. Importing this package loads nothing: ``Recogniser`` is imported
when it is asked for, and ONNX Runtime when a checkpoint is opened.

    from prediction import Recogniser

    answer = Recogniser.open("checkpoints/NAME")("clip.wav")
    print(answer.emotion, answer.probabilities)
"""

from typing import Any

__all__ = ["Recogniser"]


def __getattr__(name: str) -> Any:
    if name != "Recogniser":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from prediction.recogniser import Recogniser  # numpy, which predict.py --help does not need

    return Recogniser
