"""Name the emotion of audio files with a trained model; no TensorFlow and no scikit-learn needed."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from utils import cli


@dataclass
class Answer:
    """What is said of one file: probabilities by label, or the error."""

    file: str
    probabilities: dict[str, float] | None = None
    error: str = ""

    @property
    def emotion(self) -> str:
        return max(self.probabilities, key=self.probabilities.get)

    def as_json(self) -> dict:
        if self.error:
            return {"file": self.file, "error": self.error}
        return {"file": self.file, "emotion": self.emotion, "probabilities": self.probabilities, "hints": []}


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    from models.runtime import Predictor

    predictor = Predictor(options.checkpoint)
    extractor = Extractor(predictor.card)
    files = list(_files(options.inputs))
    single = len(files) == 1 and files[0] != "-" and not Path(options.inputs[0]).is_dir()
    speaker = _enrolment(predictor, extractor, options.enroll) if options.enroll else None
    if not options.json:
        print(_provenance(predictor.card))
    answers, failed = [], 0
    with ExitStack() as stack:
        report = (
            stack.enter_context(cli.progress("predicting", "files")) if len(files) > 1 else lambda done, total: None
        )
        for done, file in enumerate(files, 1):
            answer = _answer(predictor, extractor, file, speaker)
            failed += bool(answer.error)
            if options.json:
                print(json.dumps(answer.as_json(), ensure_ascii=False), flush=True)
            elif answer.error:
                print(f"error: {answer.error}", file=sys.stderr)
            else:
                print(_line(answer), flush=True)
            answers.append(answer)
            report(done, len(files))
    if options.csv:
        _write_csv(options.csv, answers, predictor.labels)
    if options.radar or single:
        _draw(answers, options.radar, single, quiet=options.json)
    return 1 if failed else 0


class Extractor:
    """The features of a file exactly as in training: same rate, same part of the clip, same plug-in."""

    def __init__(self, card: dict):
        from utils import plugins
        from utils.errors import ConfigError

        self.rate, self.clip = card["rate"], card["clip"]
        self.arguments = {key: value for key, value in card["features"].items() if key != "name"}
        self.module = plugins.get("features", card["features"]["name"]).load()
        version = self.module.layout(**self.arguments).version
        if version != card["feature_version"]:
            raise ConfigError(
                f"{card['name']} was trained on features of version {card['feature_version']}; here it is {version}. "
                "Install the requirements it was trained with, or preprocess and train again."
            )

    def __call__(self, file) -> "np.ndarray":  # noqa: F821
        from utils import audio

        return self.module.extract(audio.read(file, self.rate, **self.clip), self.rate, **self.arguments)


def _answer(predictor, extractor: Extractor, file: str, speaker) -> Answer:
    from utils.errors import DataError

    try:
        features = extractor(sys.stdin.buffer if file == "-" else file)
    except DataError as error:
        return Answer(file, error=str(error) if file in str(error) or file == "-" else f"{file}: {error}")
    probabilities = predictor.probabilities([features], speaker)[0]
    return Answer(file, {label: round(float(p), 6) for label, p in zip(predictor.labels, probabilities, strict=True)})


def _files(inputs: Sequence[str]) -> Iterator[str]:
    """Every file named, and every audio file below every folder named."""
    from corpora import audio_files
    from utils.errors import DataError

    for name in inputs:
        if name != "-" and Path(name).is_dir():
            found = [str(path) for path in audio_files(Path(name))]
            if not found:
                raise DataError(f"{name}: holds no audio files.")
            yield from found
        else:
            yield name


def _enrolment(predictor, extractor: Extractor, folder: Path):
    from utils.errors import DataError

    if not folder.is_dir():
        raise DataError(f"--enroll {folder}: no such folder. Give one with a few clips of the speaker.")
    return predictor.enrolled([extractor(file) for file in _files([str(folder)])])


def _provenance(card: dict) -> str:
    kind = "speaker-independent" if card["protocol"]["speaker_disjoint"] else "SPEAKER-DEPENDENT"
    lo, hi = card["uar_ci95"]
    lines = [f"{card['name']}: UAR {card['uar']:.3f} [{lo:.3f}, {hi:.3f}], {kind}, {card['protocol']['n_folds']} folds"]
    return "\n".join(lines + [f"note: {note}" for note in card["notes"]])


def _line(answer: Answer) -> str:
    ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])
    return f"{answer.file}: {answer.emotion}  " + "  ".join(f"{label} {p:.2f}" for label, p in ranked)


def _write_csv(path: Path, answers: list[Answer], labels: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "emotion", *(f"p_{label}" for label in labels), "error"])
        for answer in answers:
            if answer.error:
                writer.writerow([answer.file, "", *("" for _ in labels), answer.error])
            else:
                writer.writerow([answer.file, answer.emotion, *(answer.probabilities[label] for label in labels), ""])


def _draw(answers: list[Answer], radar: Path | None, single: bool, *, quiet: bool) -> None:
    """One chart a file: in the folder ``radar`` for many, else ``radar`` or <stem>_radar.png in the working folder."""
    from utils import plots

    named = [answer for answer in answers if not answer.error]
    for answer in named:
        stem = "stdin" if answer.file == "-" else Path(answer.file).stem
        path = radar or Path(f"{stem}_radar.png")
        if radar and (len(answers) > 1 or not radar.suffix):
            path = radar / f"{stem}_radar.png"
        figure = plots.radar(list(answer.probabilities.values()), list(answer.probabilities), title=answer.emotion)
        path.parent.mkdir(parents=True, exist_ok=True)
        plots.save(figure, path)
        if not quiet and single:
            print(f"radar chart: {path}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(
        __doc__, "python predict.py --checkpoint checkpoints/ravdess_svm_is10 call.wav --radar call.png"
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="a trained model, checkpoints/NAME"
    )
    parser.add_argument(
        "inputs", nargs="+", metavar="FILE|DIR|-", help="audio files, folders, or - for one file on stdin"
    )
    parser.add_argument("--radar", type=Path, metavar="PATH", help="chart as PNG, SVG or PDF; a folder for many files")
    parser.add_argument("--json", action="store_true", help="one JSON line a file")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="also write a table")
    parser.add_argument("--enroll", type=Path, metavar="DIR", help="a few clips of the speaker, to adapt to the voice")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
