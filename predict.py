"""Name the emotion of audio files with a trained model; no TensorFlow and no scikit-learn needed."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from prediction.answers import Answer, Wanted, distinct, write_csv
from utils import bars, cli

TIME_OPTIONS = {  # of --timeline and --live, with their defaults
    "window": 3.0, "hop": 1.0, "dwell": 10.0, "least": 2.0, "adapt": False, "channels": [], "out": None, "rate": None,
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.timeline or options.live:
        return _over_time(options)
    from prediction import batch
    from prediction.answering import answers as answered
    from prediction.answering import least, provenance
    from prediction.extractor import Extractor
    from prediction.predictor import Predictor

    predictor = Predictor(options.checkpoint)
    wanted = Wanted(least(predictor.card, options.coverage), options.abstain_below)
    extractor = Extractor(predictor.card)
    files = list(_files(options.inputs))
    alone = len(files) == 1 and files[0] != "-" and not Path(options.inputs[0]).is_dir()
    charts = _charts(files, options.radar) if options.radar or alone else {}
    speaker = _enrolment(predictor, extractor, options.enroll) if options.enroll else None
    if not options.json:
        print(provenance(predictor.card, options.coverage))
    answers = []
    with bars.progress("predicting", "files") if len(files) > 1 else nullcontext(lambda done, total: None) as report:
        for found in batch.read(extractor, files, jobs=options.jobs, dask=options.dask):
            for answer in answered(predictor, found, speaker, wanted):
                answers.append(answer)
                _say(answer, as_json=options.json)
                report(len(answers), len(files))
    if options.csv:
        write_csv(options.csv, answers, predictor.labels, wanted)
    _draw(answers, charts, say=alone and not options.json)
    return 1 if any(answer.error for answer in answers) else 0


def _over_time(options: argparse.Namespace) -> int:
    """Do --timeline or --live."""
    from prediction.answering import provenance, window_note
    from prediction.extractor import Extractor
    from prediction.predictor import Predictor
    from prediction.recording import live
    from prediction.timeline import Grid
    from prediction.timeline_files import line
    from utils.audio import stream

    grid = Grid(options.window, options.hop, centred=options.timeline)
    settings = {"grid": grid, "dwell": options.dwell, "names": options.channels}
    microphone = options.live and not options.inputs
    audio = stream.open_microphone(options.rate or 16000) if microphone else None
    predictor = Predictor(options.checkpoint)
    extract = Extractor(predictor.card).window
    if not options.json:
        print(provenance(predictor.card, None), flush=True)
        if note := window_note(predictor.card):
            print(f"note: {note}")
    if options.timeline:
        return _timeline(options, predictor, extract, least=options.least, adapt=options.adapt, **settings)
    audio = audio or stream.open_pipe(sys.stdin.buffer, rate=options.rate, channels=len(options.channels) or 1)
    for said in live(audio, predictor, extract, **settings):
        print(json.dumps(said, ensure_ascii=False) if options.json else line(said), flush=True)
    return 0


def _timeline(options: argparse.Namespace, predictor, extract, **settings) -> int:
    from prediction import timeline_files
    from prediction.recording import listen
    from utils import plots
    from utils.errors import DataError
    from utils.plots import timeline as timeline_plots

    status = 0
    for file, prefix in timeline_files.prefixes(list(_files(options.inputs)), options.out).items():
        try:
            with bars.progress("listening", "s") as report:
                document = listen(Path(file), predictor, extract, report=report, **settings)
        except DataError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
            status = 1
            continue
        timeline_files.write_all(prefix, document)
        plots.save(timeline_plots.timeline(document), Path(f"{prefix}.png"))
        said = timeline_files.summary(document) + f"\ntimeline: {prefix}.csv, .json, .TextGrid, .png"
        print(json.dumps(document, ensure_ascii=False) if options.json else said, flush=True)
    return status


def _say(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer.as_json(), ensure_ascii=False), flush=True)
    elif answer.error:
        print(f"error: {answer.error}", file=sys.stderr, flush=True)
    else:
        print(answer.line(), flush=True)


def _files(inputs: Sequence[str]) -> Iterator[str]:
    """Every file named, and every audio file below every folder named."""
    from utils.audio.files import audio_files
    from utils.errors import DataError

    for name in inputs:
        if name != "-" and Path(name).is_dir():
            found = [str(path) for path in audio_files(Path(name))]
            if not found:
                raise DataError(f"{name}: holds no audio files.")
            yield from found
        else:
            yield name


def _enrolment(predictor, extractor, folder: Path):
    from utils.errors import DataError

    predictor.need_speaker()  # before any file is read
    if not folder.is_dir():
        raise DataError(f"--enroll {folder}: no such folder. Give one with a few clips of the speaker.")
    return predictor.enrolled([extractor(file) for file in _files([str(folder)])])


def _charts(files: list[str], radar: Path | None) -> dict[str, Path]:
    """Return where each file's chart goes: ``radar``, or <stem>_radar.png in the folder it names (or the working one).

    Files of one stem get their path in the name, so that none overwrites another.

    Raises:
        ConfigError: many charts for one picture file, or a kind of picture that is not drawn.
    """
    from utils import plots
    from utils.errors import ConfigError

    if radar and radar.suffix and not radar.is_dir():
        if radar.suffix.lower() not in plots.SUFFIXES:
            raise ConfigError(f"--radar {radar}: must end in {', '.join(plots.SUFFIXES)}, or be a folder.")
        if len(files) > 1:
            raise ConfigError(f"--radar {radar}: one picture for {len(files)} files. Name a folder.")
        return {files[0]: radar}
    return {file: Path(radar or "", f"{name}_radar.png") for file, name in distinct(files).items()}


def _draw(answers: list[Answer], charts: dict[str, Path], *, say: bool) -> None:
    if not charts:
        return  # not worth the import of matplotlib
    from utils import plots

    for answer in answers:
        if answer.file in charts and not answer.error:
            figure = plots.radar(list(answer.probabilities.values()), list(answer.probabilities), title=answer.said)
            plots.save(figure, charts[answer.file])
            if say:
                print(f"radar chart: {charts[answer.file]}")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(
        __doc__,
        "python predict.py --checkpoint checkpoints/demo_svm data/demo/m08 --json",
        "python predict.py --checkpoint checkpoints/demo_svm \\\n"
        "    data/demo/m08/m08_sad_1.wav --radar demo_radar.png",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="DIR", help="a trained model, checkpoints/NAME"
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="FILE|DIR|-", help="audio files, folders, or - for one file on stdin"
    )
    parser.add_argument("--radar", type=Path, metavar="PATH", help="chart as PNG, SVG or PDF; a folder for many files")
    parser.add_argument("--json", action="store_true", help="one JSON line a file")
    parser.add_argument("--csv", type=Path, metavar="PATH", help="also write a table")
    parser.add_argument("--jobs", type=cli.jobs, default=-1, metavar="N", help="processes, for many files (-1: a core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="read the files on the workers of this Dask scheduler")
    parser.add_argument("--enroll", type=Path, metavar="DIR", help="a few clips of the speaker, to adapt to the voice")
    parser.add_argument(
        "--coverage", type=_share, metavar="C", help="also a set of labels that holds the truth so often: .8, .9 or .95"
    )
    parser.add_argument(
        "--abstain-below", type=_share, default=0.0, metavar="P", help="name no emotion less probable than P, 0 to 1"
    )
    _add_time_options(parser.add_argument_group("long recordings and streams"))
    options = parser.parse_args(argv)
    _check(parser, options)
    return options


def _add_time_options(to) -> None:
    mode = to.add_mutually_exclusive_group()
    mode.add_argument("--timeline", action="store_true", help="each channel of a recording over time")
    mode.add_argument(
        "--live", action="store_true", help="answer as it comes: the microphone, or a stream on stdin (-)"
    )
    to.add_argument("--out", metavar="PREFIX|DIR", help="where a timeline goes (STEM_timeline.csv, .json, ...)")
    to.add_argument("--window", type=_seconds, metavar="S", help="seconds that are judged at once (3)")
    to.add_argument("--hop", type=_seconds, metavar="S", help="seconds from one window to the next (1)")
    to.add_argument("--dwell", type=_seconds, metavar="S", help="smoothing: seconds an emotion lasts; 0: none (10)")
    to.add_argument("--least", type=_seconds, metavar="S", help="seconds a new emotion must last to be a change (2)")
    to.add_argument("--adapt", action="store_true", default=None, help="scale by each channel's own voice, once heard")
    to.add_argument("--channels", type=_names, metavar="A,B", help="names of the channels, e.g. agent,customer")
    to.add_argument("--rate", type=int, metavar="HZ", help="of the microphone, or of s16le without a header on stdin")


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what does not go together, rather than leave it out without a word; fill in the defaults over time."""
    if not options.inputs and not options.live:
        parser.error("the following arguments are required: FILE|DIR|-")
    if options.live and options.inputs not in ([], ["-"]):
        parser.error("--live takes the microphone, or - for stdin; a file is for --timeline")
    whole = {"radar", "csv", "enroll", "coverage", "abstain_below"}
    if options.live:
        unfit, why = {"adapt", "least", "out"} | whole, "--live"
    else:
        unfit, why = ({"rate"} | whole, "--timeline") if options.timeline else (set(TIME_OPTIONS), "whole files")
    for name in sorted(unfit):
        if getattr(options, name) != parser.get_default(name):
            parser.error(f"--{name.replace('_', '-')} does not go with {why}")
    for name, default in TIME_OPTIONS.items():
        setattr(options, name, default if getattr(options, name) is None else getattr(options, name))
    if options.rate is not None and not 4000 <= options.rate <= 384000:
        parser.error(f"--rate {options.rate}: give it in Hz, e.g. 16000")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, got {text!r}")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as preprocess.py extracts: equal to the last bit
    cli.run(main)
