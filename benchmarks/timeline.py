"""Long recordings: accuracy per window on joined clips of unseen speakers; memory on two hours.

python benchmarks/timeline.py accuracy checkpoints/NAME --corpus $SER_DATA/RAVDESS --speakers 21 22 --out calls
python benchmarks/timeline.py memory checkpoints/NAME --minutes 120

The first joins RAVDESS clips to a stereo file: two speakers in turn, one per channel; a turn is four clips of one
emotion.
"""

import argparse
import itertools
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from corpora import ravdess
from corpora.base import synthesis
from prediction import Recogniser, timeline_files
from prediction.timeline_files import Timeline
from prediction.timeline_settings import DEFAULT_SETTINGS
from utils import plots
from utils.plots import timeline as timeline_plots

TURN = 4  # clips


def joined(clips: list, folder: Path, rng: np.random.Generator) -> tuple[Path, list[tuple[float, float, int, str]]]:
    """Write the call of two speakers; return it and start, end, channel and emotion of every clip in it."""
    speakers = sorted({clip.speaker for clip in clips})
    turns: list[list[list]] = []
    for speaker in speakers:
        own = [clip for clip in clips if clip.speaker == speaker]
        by_emotion = {emotion: [c for c in own if c.emotion == emotion] for emotion in sorted({c.emotion for c in own})}
        mine = [group[i : i + TURN] for group in by_emotion.values() for i in range(0, len(group), TURN)]
        turns.append([mine[i] for i in rng.permutation(len(mine))])
    samples, truth, at = [], [], 0
    rate = soundfile.info(clips[0].path).samplerate
    for pair in zip(*turns, strict=True):
        for channel, turn in enumerate(pair):
            for clip in turn:
                wave = soundfile.read(clip.path, dtype="float32", always_2d=True)[0].mean(axis=1)
                stereo = np.zeros((len(wave), len(speakers)), np.float32)
                stereo[:, channel] = wave
                samples.append(stereo)
                truth.append((at / rate, (at + len(wave)) / rate, channel, clip.emotion))
                at += len(wave)
    path = folder / f"call_{'_'.join(speakers)}.wav".replace("ravdess/", "")
    soundfile.write(path, np.concatenate(samples), rate)
    return path, truth


def judged(document: Timeline, truth: list, inside: float = 0.0) -> list[tuple[int, str, str]]:
    """Return channel, truth and answer of the hops within a turn, ``inside`` seconds or more from its ends."""
    turns: list[list] = []
    for start, end, channel, emotion in truth:
        if turns and turns[-1][2:] == [channel, emotion]:
            turns[-1][1] = end
        else:
            turns.append([start, end, channel, emotion])
    answers = []
    for start, end, channel, emotion in turns:
        for hop in document["channels"][channel]["hops"]:
            middle = (hop["start"] + hop["end"]) / 2
            if start + inside <= middle < end - inside:
                answers.append((channel, emotion, hop["emotion"]))
    return answers


def accuracy(options: argparse.Namespace) -> None:
    """Print the share of hops with the right emotion and their UAR, with and without smoothing."""
    recogniser = Recogniser.open(options.checkpoint)
    adaptable = recogniser.predictor.adapts
    clips = [clip for clip in ravdess.utterances(options.corpus) if getattr(clip, "speaker", "") in options.speakers]
    options.out.mkdir(parents=True, exist_ok=True)
    path, truth = joined(clips, options.out, np.random.default_rng(options.seed))
    for adapt, dwell in itertools.product([False, True][: 1 + adaptable], [0.0, DEFAULT_SETTINGS.dwell]):
        document = recogniser.timeline(path, replace(DEFAULT_SETTINGS, dwell=dwell, adapt=adapt))
        for inside in (0.0, document["window"] / 2):
            answers = judged(document, truth, inside)
            where = "with their whole window in a turn" if inside else "in a turn"
            print(f"{path.name}{', adapted' * adapt}, dwell {dwell:g} s, hops {where}: {scores(answers)}")
            for channel in sorted({row[0] for row in answers}):
                print(f"  {options.speakers[channel]}: {scores([row for row in answers if row[0] == channel])}")
    timeline_files.write_json(path.with_suffix(".json"), document)
    plots.save(timeline_plots.timeline(document), path.with_suffix(".png"))


def scores(answers: list[tuple[int, str, str]]) -> str:
    right: dict[str, list[bool]] = {}
    for _, emotion, answer in answers:
        right.setdefault(emotion, []).append(emotion == answer)
    uar = np.mean([np.mean(rows) for rows in right.values()])
    return f"{sum(map(sum, right.values())) / len(answers):.3f} right, UAR {uar:.3f}, {len(answers)} hops"


def memory(options: argparse.Namespace) -> None:
    """Print by how much the process grew over its imports while it read a long stereo file of turns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        write_long(path, options.minutes)
        recogniser = Recogniser.open(options.checkpoint)
        recogniser.extractor.window(
            0.1 * np.random.default_rng(0).normal(size=(32000, 1)).astype(np.float32), 16000
        )  # imports
        timeline_files.write_all(f"{folder}/short", recogniser.timeline(path.with_name("short.wav")))
        before, started = peak_mb(), time.perf_counter()
        document = recogniser.timeline(path)
        timeline_files.write_all(f"{folder}/long", document)
        if options.picture:
            plots.save(timeline_plots.timeline(document), options.picture)
        hops = sum(len(channel["hops"]) for channel in document["channels"])
        took = time.perf_counter() - started
        print(
            f"{document['seconds'] / 60:.0f} minutes, {len(document['channels'])} channels, {hops} hops with speech: "
            f"{before:.0f} MB at the start, {peak_mb() - before:.0f} MB more at the peak, {took:.0f} s"
        )


def write_long(path: Path, minutes: float) -> None:
    """Write turns of synthetic voices with pauses between them, 16 kHz stereo, a turn at a time; and a short one."""
    rng = np.random.default_rng(0)
    voices = [
        [synthesis.say(synthesis.voice(n, seed=1), emotion, 1, seed=1)[0] for emotion in synthesis.STYLES]
        for n in (1, 2)
    ]
    for name, seconds in (("short.wav", 20.0), (path.name, 60 * minutes)):
        with soundfile.SoundFile(path.with_name(name), "w", synthesis.RATE, 2, "PCM_16") as file:
            turn = 0
            while file.tell() < seconds * synthesis.RATE:
                wave = np.tile(voices[turn % 2][rng.integers(len(synthesis.STYLES))], 4)
                stereo = np.zeros((len(wave) + synthesis.RATE // 2, 2), np.float32)
                stereo[: len(wave), turn % 2] = wave
                file.write(stereo)
                turn += 1


def peak_mb() -> float:
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    joins, long = kinds.add_parser("accuracy"), kinds.add_parser("memory")
    for kind, function in ((joins, accuracy), (long, memory)):
        kind.add_argument("checkpoint", type=Path)
        kind.set_defaults(function=function)
    joins.add_argument("--corpus", type=Path, required=True)
    joins.add_argument(
        "--speakers", nargs=2, required=True, help="two speakers that are not in the training data, e.g. 21 22"
    )
    joins.add_argument("--out", type=Path, default=Path("calls"), help="gets the call, its JSON and its picture")
    joins.add_argument("--seed", type=int, default=0, help="of the order of the turns")
    long.add_argument("--minutes", type=float, default=120.0)
    long.add_argument("--picture", type=Path, help="keep the picture here")
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
