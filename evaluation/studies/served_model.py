"""A checkpoint's graphs on features from the cache, with the methods of a fitted model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.training.ensemble import MemberFeatures
from models.moments import moments, safe_std
from prediction.predictor import Graph, Predictor, SpeakerStatistics
from utils.dataset import Dataset, Features, Frames


@dataclass(frozen=True)
class StatisticsByClip:
    """Statistics of the speakers of n clips.

    Attributes:
        speakers: one entry per speaker, as ``Predictor.probabilities`` takes it.
        of: (n,) for each clip the index of its speaker in ``speakers``.
    """

    speakers: list[SpeakerStatistics]
    of: np.ndarray


class ServedModel:
    """A checkpoint as it is shipped, with the methods that ``Adaptable`` in ``evaluation.training`` names.

    Args:
        predictor: the checkpoint, opened.
        labels: those of its labels that are a possible answer. If they are fewer than all, their probabilities
            are scaled to sum to 1.
    """

    def __init__(self, predictor: Predictor, labels: Sequence[str]):
        self.predictor = predictor
        self._columns = [predictor.labels.index(label) for label in labels]

    def probabilities(
        self, features: Features | MemberFeatures, statistics: StatisticsByClip | None = None
    ) -> np.ndarray:
        """Return (n, labels) float32; without statistics nothing is known of the speakers."""
        clips = clip_list(features)
        if statistics is None:
            every = self.predictor.probabilities(clips)
        else:
            every = np.empty((len(clips), len(self.predictor.labels)), np.float32)
            for number, speaker in enumerate(statistics.speakers):
                rows = np.flatnonzero(statistics.of == number)
                every[rows] = self.predictor.probabilities([clips[row] for row in rows], speaker)
        if len(self._columns) == every.shape[1]:
            return every
        possible = np.maximum(every[:, self._columns], np.finfo(np.float32).tiny)  # all of them can be 0
        return possible / possible.sum(axis=1, keepdims=True)

    def speaker_statistics(self, data: Dataset) -> StatisticsByClip:
        """Return the statistics of each speaker, from all clips of that speaker in ``data``; no labels are used."""
        names, of = np.unique(data.speakers, return_inverse=True)
        clips = clip_list(data.features)
        by_speaker = [[clips[row] for row in np.flatnonzero(of == number)] for number in range(len(names))]
        if not self.predictor.takes_speaker:
            return StatisticsByClip([self.predictor.enrolled(own) for own in by_speaker], of)
        graphs = self.predictor.graphs
        if "members" not in self.predictor.card:
            return StatisticsByClip([_statistics(graphs[0], own) for own in by_speaker], of)
        by_member = [zip(graphs, zip(*own, strict=True), strict=True) for own in by_speaker]
        return StatisticsByClip([[_statistics(graph, own) for graph, own in pairs] for pairs in by_member], of)

    def enrolled_statistics(self, features: Features | MemberFeatures, clips: int) -> StatisticsByClip:
        """Return the statistics for ``clips`` clips of one speaker, who gave ``features`` as unlabelled examples."""
        return StatisticsByClip([self.predictor.enrolled(clip_list(features))], np.zeros(clips, np.int64))


def _statistics(graph: Graph, clips: Sequence[np.ndarray]) -> Any:
    """Return mean and deviation (dims,) of a speaker's clips, None where the graph takes no speaker.

    A feature that does not vary in the clips has the deviation of the training set.
    """
    if not graph.takes_speaker:
        return None
    mean, std = moments(list(clips) if graph.card["frames"] else [np.stack(clips)])
    _, usual = graph.global_statistics()
    return mean, safe_std(std, usual, usual)


def clip_list(features: Features | MemberFeatures) -> list:
    """Return one entry per clip, as ``Predictor`` takes them: an array, for an ensemble one array per member."""
    if isinstance(features, MemberFeatures):
        return [list(clip) for clip in zip(*map(clip_list, features.parts), strict=True)]
    return features.clips if isinstance(features, Frames) else list(features)
