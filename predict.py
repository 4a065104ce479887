"""Name the emotion of audio files with a trained model; no TensorFlow and no scikit-learn needed."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import prediction
from prediction import command_line, radar_charts, timeline_files
from prediction.answers import Answer
from prediction.csv_table import open_table
from utils import bars, cli
from utils.audio import files


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    if options.live:
        return _live(options)
    return _timelines(options) if options.timeline else _clips(options)


def _clips(options: argparse.Namespace) -> int:
    """Answer for each file as a whole; return 1 if one could not be read."""
    recogniser = prediction.Recogniser.open(options.checkpoint)
    names, rule = files.expand(options.inputs), command_line.rule_of(options, recogniser.card)
    alone = len(names) == 1 and names[0] != "-" and not os.path.isdir(options.inputs[0])
    charts = radar_charts.chart_paths(names, options.radar) if options.radar or alone else {}
    speaker = recogniser.enrol_folder(options.enroll, mixed=options.mixed) if options.enroll else None
    if not options.json:
        cli.say(recogniser.provenance(options.coverage, speaker))
    answers = []
    table = open_table(options.csv, recogniser.labels, rule)
    progress = bars.progress("predicting", "files") if len(names) > 1 else nullcontext(lambda done, total: None)
    with table as add, progress as report:
        for answer in recogniser.answer(names, rule=rule, speaker=speaker, jobs=options.jobs, dask=options.dask):
            answers.append(answer)
            add(answer)
            _print_answer(answer, as_json=options.json)
            report(len(answers), len(names))
    for chart in radar_charts.draw_all(answers, charts):
        if alone and not options.json:
            cli.say(f"radar chart: {chart}")
    return 1 if any(answer.error for answer in answers) else 0


def _timelines(options: argparse.Namespace) -> int:
    """Write each recording's emotions over time; return 1 if one could not be read."""
    settings = command_line.settings_of(options)
    prefixes, status = timeline_files.prefixes(files.expand(options.inputs), options.out), 0
    recogniser = prediction.Recogniser.open(options.checkpoint)
    _print_provenance(recogniser, options)
    from prediction.timeline_batch import timelines  # numpy

    with bars.progress("predicting", "s" if len(prefixes) == 1 else "files") as report:
        for file, timeline in timelines(options.checkpoint, recogniser, list(prefixes), settings, report):
            if isinstance(timeline, str):
                status = 1
                _print_error(timeline)
                continue
            timeline_files.write_all(prefixes[file], timeline)
            if options.json:
                print(json.dumps(timeline, ensure_ascii=False), flush=True)
            else:
                cli.say(f"{timeline_files.summary(timeline)}\ntimeline: {prefixes[file]}.csv, .json, .TextGrid, .png")
    return status


def _live(options: argparse.Namespace) -> int:
    """Answer for the microphone or a pipe as its audio comes."""
    settings = command_line.settings_of(options)
    from utils.audio import stream  # numpy

    microphone = stream.open_microphone(options.rate or 16000) if not options.inputs else None
    recogniser = prediction.Recogniser.open(options.checkpoint)
    _print_provenance(recogniser, options)
    channels = len(settings.channels) or 1
    audio = microphone or stream.open_pipe(sys.stdin.buffer, rate=options.rate, channels=channels)
    for hop in recogniser.live(audio, settings):
        print(json.dumps(hop, ensure_ascii=False) if options.json else timeline_files.line(hop), flush=True)
    return 0


def _print_provenance(recogniser: "prediction.Recogniser", options: argparse.Namespace) -> None:
    if not options.json:
        note = recogniser.window_note()
        cli.say(recogniser.provenance() + (f"\nnote: {note}" if note else ""))


def _print_answer(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer.as_json(), ensure_ascii=False), flush=True)
    elif answer.error:
        _print_error(answer.error)
    else:
        cli.say(answer.line())


def _print_error(text: str) -> None:
    cli.fail(text)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(
        __doc__,
        "python predict.py --checkpoint checkpoints/demo_svm data/demo/m08 --json",
        "python predict.py --checkpoint checkpoints/demo_svm \\\n"
        "    data/demo/m08/m08_sad_1.wav --radar demo_radar.png",
    )  # fmt: skip
    command_line.add_options(parser)
    options = parser.parse_args(argv)
    command_line.check_options(parser, options)
    return options


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: as preprocess.py extracts, to the last bit
    cli.run(main)
