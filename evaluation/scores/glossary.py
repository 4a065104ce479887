"""What every number means, for the report, metrics.txt, the workbook and the model card."""

import textwrap
from typing import NamedTuple


class Term(NamedTuple):
    """A number: its name, what it is in a few words, and what to make of it."""

    name: str
    brief: str
    more: str = ""

    @property
    def meaning(self) -> str:
        """Return the whole in sentences."""
        return f"{self.brief[0].upper()}{self.brief[1:]}.{f' {self.more}' if self.more else ''}"


TERMS = {
    "uar": Term(
        "UAR",
        "mean over emotions of the share of their clips named right",
        "Unweighted average recall: every emotion counts the same, however many clips it has.",
    ),
    "uar_ci95": Term(
        "95 % interval",
        "range of the UAR if other speakers of this kind were tested",
        "Bootstrapped over speakers. Models with overlapping intervals may still differ: compare in pairs.",
    ),
    "uar_ci95_lo": Term("95 % interval, low", "the low end of the interval of the UAR"),
    "uar_ci95_hi": Term("95 % interval, high", "the high end of the interval of the UAR"),
    "uar_fold_mean": Term(
        "UAR, mean of the folds",
        "mean over folds of the UAR of each",
        "Many papers report this one. Where a fold lacks an emotion, its UAR is the mean over the others.",
    ),
    "score_temperature": Term(
        "score temperature",
        "what the estimators of the folds divided their scores by",
        "The geometric mean over the folds; 1 for networks and ensembles.",
    ),
    "chance": Term("guessing", "UAR of an emotion drawn at random", "One over the number of emotions tested."),
    "accuracy": Term(
        "accuracy",
        "share of clips named right",
        "Frequent emotions weigh more, so always naming the most frequent one can look good.",
    ),
    "macro_f1": Term("macro F1", "mean F1 of the emotions, each with the same weight"),
    "weighted_f1": Term("weighted F1", "mean F1 of the emotions, weighted by their clips"),
    "macro_precision": Term("macro precision", "mean precision of the emotions, each with the same weight"),
    "weighted_precision": Term("weighted precision", "mean precision of the emotions, weighted by their clips"),
    "macro_recall": Term("macro recall", "mean recall of the emotions", "The UAR, if every emotion has clips."),
    "weighted_recall": Term("weighted recall", "mean recall weighted by clips", "The same as accuracy."),
    "precision": Term("precision", "share of the clips named as this emotion that have it"),
    "recall": Term("recall", "share of the clips with this emotion that are named right"),
    "f1": Term("F1", "harmonic mean of precision and recall"),
    "support": Term("clips", "number of clips with this emotion"),
    "log_loss": Term(
        "log loss",
        "mean of -ln(probability of the truth); 0 is best",
        "Confident errors cost most; guessing costs ln(number of emotions).",
    ),
    "brier": Term(
        "Brier score",
        "squared distance of probabilities to the truth; 0 is best",
        "Summed over the emotions, so 2 is worst.",
    ),
    "ece": Term(
        "calibration error",
        "how far confidence lies from accuracy; 0 is best",
        "Of clips named with a probability of .7, seven in ten should be right. Expected calibration error, 15 bins.",
    ),
    "before": Term("before calibration", "the score of the probabilities as the network or ensemble gave them"),
    "after": Term("after calibration", "the score of the probabilities as shipped"),
    "temperature": Term(
        "temperature",
        "what the scores are divided by before the softmax",
        "Above 1 the model was overconfident. The answers stay the same, only the probabilities change.",
    ),
    "none": Term(
        "nothing", "nothing known of the test speaker", "What predict.py gives for one clip of a new speaker."
    ),
    "enrolment_5": Term("5 clips", "five unlabelled clips of the speaker given first", "predict.py --enroll."),
    "enrolment_20": Term("20 clips", "twenty unlabelled clips of the speaker given first", "predict.py --enroll."),
    "transductive": Term(
        "all test clips",
        "all test clips of the speaker known, without labels",
        "Many papers test like this; hardly any user has so many clips.",
    ),
    "coverage": Term("coverage", "share of the clips", "Of label sets: those that hold the true emotion."),
    "mean_size": Term("labels in a set", "mean number of labels in a set", "Fewer is better, at the same coverage."),
    "threshold": Term("threshold", "least probability of a label in a set"),
    "lowest": Term(
        "lowest coverage", "share of clips whose set holds the true emotion, for the speaker with the lowest share"
    ),
    "below": Term("--abstain-below", "top probability below which no emotion is named"),
    "n_clips": Term("clips", "number of clips tested"),
    "n_speakers": Term("speakers", "number of speakers tested"),
    "n_training_speakers": Term("training speakers", "number of known speakers that the model was trained on"),
    "n_classes": Term(
        "emotions", "number of emotions that the clips of the group have", "With fewer emotions it is another task."
    ),
    "seconds": Term("seconds", "wall time of training and scoring"),
}


def name(metric: str) -> str:
    """Return what a number is called, of one without an entry its key in words."""
    return TERMS[metric].name if metric in TERMS else metric.replace("_", " ")


def meaning(metric: str) -> str:
    """Return what a number means in a sentence or two, "" of one without an entry."""
    return TERMS[metric].meaning if metric in TERMS else ""


def lines() -> list[str]:
    """Return the glossary, 80 columns."""
    out = []
    for key, term in TERMS.items():
        out.append(f"{term.name}  ({key})" if term.name != key else term.name)
        out += textwrap.wrap(term.meaning, 80, initial_indent="  ", subsequent_indent="  ")
    return out
