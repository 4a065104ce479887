"""The keys of a config: type, default, limits and meaning of each."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from utils import plugins
from utils.config import steps
from utils.seeds import LARGEST_SEED


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Clip(_Section):
    """Which part of each file is used, and at which level."""

    offset: float = Field(0.0, ge=0, description="seconds skipped at the start")
    seconds: float | None = Field(None, gt=0, description="longest part used, in seconds; null uses all")
    trim_db: float | None = Field(None, gt=0, description="cut silence this many dB below the loudest frame")
    trim: Literal["adaptive"] | None = Field(
        None, description="adaptive: cut what is not speech at both ends, by a level that follows the noise"
    )
    level: Literal["peak", "rms", "active"] | None = Field(
        None,
        description="peak: scale the highest peak to 1; rms: scale the level to -25 dB; active: scale the level where "
        "somebody speaks to -26 dB, so that gain does not matter",
    )


class Split(_Section):
    """Which clips test which model."""

    by: Literal["speaker", "listed", "session", "corpus", "official", "random"] = Field(
        "speaker", description="what is never divided between training and test; random is speaker-dependent"
    )
    folds: int | str | list[list[int | str]] = Field(
        5, description="a number, all (leave one out), emobox, luna_jimenez, or lists of test speakers"
    )
    holdout: list[int | str] = Field(
        [], description="speakers that no model is trained on, the shipped one included; tested last"
    )
    train_only: str | None = Field(
        None,
        description="a regular expression; clips whose id (corpus/id) it matches from its beginning train but test "
        "nothing, e.g. ravdess/03-02 for RAVDESS's song; those of a test speaker do not train either",
    )


class Train(_Section):
    """How a network is trained; estimators do not read it."""

    epochs: int = Field(60, ge=1, description="at most; early stopping may end the training before")
    batch_size: int = Field(32, ge=1, description="clips per update")
    learning_rate: float = Field(0.001, gt=0, description="the highest one of the schedule")
    loss: Literal["crossentropy", "focal"] = Field("crossentropy", description="categorical")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    class_weight: Literal["none", "balanced"] = Field("none", description="balanced gives rare classes more weight")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="sgd has Nesterov momentum .9")
    weight_decay: float = Field(0.0, ge=0, description="decoupled, as in AdamW")
    clip_norm: float | None = Field(None, gt=0, description="largest global norm of the gradient")
    schedule: Literal["constant", "step", "cosine", "plateau"] = Field(
        "constant", description="step: times .1 at 1/2 and 3/4; plateau: times .5 after 5 epochs without progress"
    )
    unfreeze_epoch: int | None = Field(
        None, ge=1, description="epoch, counted from 1, from which frozen layers are trained too, also those of vgg16"
    )
    unfreeze_rate: float = Field(0.1, gt=0, description="factor of learning_rate from unfreeze_epoch on")
    warmup_epochs: int = Field(0, ge=0, description="epochs of linear increase up to learning_rate")
    patience: int = Field(10, ge=1, description="epochs without a better validation UAR before training stops")
    runs: int = Field(1, ge=1, description="networks per fold; their probabilities are averaged")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the weights' moving average, 0 for none; .99 is usual")
    mixed_precision: bool = Field(False, description="compute in float16 on a GPU, store weights in float32")
    jit_compile: bool | None = Field(None, description="compile with XLA; null lets Keras decide")


PluginSection = Annotated[dict[str, Any], Field(min_length=1)]
COMPARED_KEYS = ("corpora", "merge", "drop", "labels", "split", "seed")  # equal in all runs that are compared
MEMBER_KEYS = ("rate", "clip", "features", "normalise", "augment", "balance", "train", "init", "freeze")


class Config(_Section):
    """A whole experiment."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128, description="folder below checkpoints/")
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of folds, initial weights, order and noise")
    rate: int = Field(16000, ge=4000, le=192000, description="Hz; every clip is resampled to it, mono")
    clip: Clip = Clip()
    corpora: list[PluginSection] = Field(min_length=1, description="{name, root, ...}; roots are below $SER_DATA")
    merge: dict[str, str] = Field({}, description="{boredom: neutral}: the left label becomes the right one")
    drop: list[str] = Field([], description="labels left out")
    labels: list[str] | None = Field(
        None, description="must equal the labels that are left after merge and drop; sets their order"
    )
    features: PluginSection | None = Field(None, description="{name, ...}: one file of extract_feats/")
    normalise: Literal["global", "speaker"] = Field(
        "global", description="mean and deviation that scale a clip: of the training set, or of the clip's speaker"
    )
    split: Split = Split()
    model: PluginSection = Field(description="{name, ...}: one file of models/dnn/ or models/ml/")
    augment: list[PluginSection] = Field([], description="{name, ...}: files of augmentation/, in this order")
    balance: Literal["none", "oversample", "augment"] = Field(
        "none", description="fill the smaller classes with repeated clips, or with the copies of augment on audio"
    )
    train: Train = Train()
    init: str | None = Field(None, description="checkpoints/NAME of a network to start from")
    tuned: bool | list[int | str] = Field(
        False,
        description="written by tune.py. true: the settings were chosen on the speakers of the folds, whose score is "
        "then too high; a list: the speakers that the search did not use",
    )
    freeze: list[str] = Field([], description="layers of the network, by name, whose weights are not trained")

    def augmentation(self, *, audio: bool) -> list[dict]:
        """Return the steps whose copies preprocess.py stores (audio), or those that run while a network trains."""
        return [step for step in self.augment if steps.on_audio(step) == audio]

    @property
    def members(self) -> list[str]:
        """Return the names of the runs that an ensemble combines; empty for a model that reads features itself."""
        combines = plugins.get("models", self.model["name"]).constants["INPUT"] == "members"
        return self.model["members"] if combines else []

    def differing(self, other: "Config") -> list[str]:
        """Return the keys that keep two runs from being compared on the same clips and folds."""
        return [key for key in COMPARED_KEYS if getattr(self, key) != getattr(other, key)]

    @staticmethod
    def data_folder() -> Path:
        """Return the folder below which relative corpus roots lie: $SER_DATA, or data/ beside the scripts."""
        return Path(os.environ.get("SER_DATA") or plugins.ROOT / "data")
