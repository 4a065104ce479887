"""CPU time of feature extraction on real speech: ours against librosa call by call and bare openSMILE.

    SER_DATA=... python benchmarks/extraction.py [--clips 20] [--repeats 7] [--rates]

Times are of one thread (OMP_NUM_THREADS=1 is set), measured by time.process_time, medians of interleaved
repeats over the same clips, so that a busy machine slows both sides. Decoding is not included.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np

from extract_feats import librosa_frames, opensmile
from utils import plugins
from utils.audio.prepare import read_wave

OPENSMILE = ("IS09", "IS10", "ComParE_2016", "eGeMAPSv02")
FRAMES = [{"preset": "stack187"}, {"preset": "stack201"}, {"preset": "mfcc"}]


def waves(root: Path, rate: int, count: int) -> list[np.ndarray]:
    """Return count waves spread over the corpus."""
    files = sorted(path for path in root.rglob("*") if path.suffix in (".flac", ".wav"))
    if len(files) < count:
        sys.exit(f"{root}: {len(files)} audio files, {count} are needed. Set SER_DATA to the corpora's folder.")
    return [read_wave(file, rate) for file in files[:: len(files) // count][:count]]


def compare(clips: list[np.ndarray], rivals: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Return the median CPU seconds that each rival takes for all clips, its first pass not counted."""
    seconds = {name: [] for name in rivals}
    for repeat in range(repeats + 1):
        for name, rival in rivals.items():
            start = time.process_time()
            for clip in clips:
                rival(clip)
            if repeat:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def one_call_a_descriptor(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the 187 features as the published scripts make them: each librosa call starts from the wave."""
    import librosa

    feature = librosa.feature
    return np.vstack(
        [
            feature.mfcc(y=wave, sr=rate, n_mfcc=13),
            feature.delta(feature.mfcc(y=wave, sr=rate, n_mfcc=13)),
            feature.delta(feature.mfcc(y=wave, sr=rate, n_mfcc=13), order=2),
            feature.chroma_stft(y=wave, sr=rate),
            feature.melspectrogram(y=wave, sr=rate),
            feature.zero_crossing_rate(wave),
            feature.spectral_contrast(y=wave, sr=rate),
        ]
    ).T


def one_mfcc(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return the same, with the MFCC computed once for its deltas too: the fairest of the plain versions."""
    import librosa

    feature = librosa.feature
    mfcc = feature.mfcc(y=wave, sr=rate, n_mfcc=13)
    rest = [feature.chroma_stft(y=wave, sr=rate), feature.melspectrogram(y=wave, sr=rate)]
    rest += [feature.zero_crossing_rate(wave), feature.spectral_contrast(y=wave, sr=rate)]
    return np.vstack([mfcc, feature.delta(mfcc), feature.delta(mfcc, order=2), *rest]).T


def report(title: str, clips: list[np.ndarray], rivals: dict[str, Callable], repeats: int) -> None:
    """Print the time per clip of each rival and its ratio to the first."""
    taken = compare(clips, rivals, repeats)
    first = next(iter(taken.values()))
    print(title)
    for name, seconds in taken.items():
        print(f"  {name:34s} {seconds / len(clips) * 1000:8.2f} ms per clip   {seconds / first:6.3f} of the first")


def stacks(clips: list[np.ndarray], rate: int, repeats: int) -> None:
    """Print stack187 against librosa's calls."""
    rivals = {
        "ours, one spectrogram": lambda wave: librosa_frames.extract(wave, rate, preset="stack187"),
        "librosa, MFCC once for its deltas": lambda wave: one_mfcc(wave, rate),
        "librosa, one call a descriptor": lambda wave: one_call_a_descriptor(wave, rate),
    }
    report(f"stack187 at {rate} Hz, {len(clips)} clips", clips, rivals, repeats)


def smiles(clips: list[np.ndarray], rate: int, repeats: int) -> None:
    """Print the plug-in against bare loops over the library."""
    from opensmile import FeatureLevel, FeatureSet, Smile

    for name in OPENSMILE:
        smile = Smile(FeatureSet[name], FeatureLevel.Functionals, num_workers=1)
        rivals = {
            "bare smile.process_signal": lambda wave, smile=smile: smile.process_signal(wave, rate),
            "bare smile(wave, rate)": lambda wave, smile=smile: smile(wave, rate),
            "plug-in": lambda wave, name=name: opensmile.extract(wave, rate, set=name),
        }
        report(f"openSMILE {name} at {rate} Hz, {len(clips)} clips", clips, rivals, repeats)


def rates(clips: list[np.ndarray], rate: int, repeats: int) -> None:
    """Print how much faster than real time every plug-in is."""
    settings = {"opensmile": [{"set": name} for name in opensmile.SETS], "librosa_frames": FRAMES}
    seconds = sum(map(len, clips)) / rate
    print(f"times real time at {rate} Hz on one core, {len(clips)} clips, {seconds:.0f} s")
    for name, plugin in plugins.every("features").items():
        module = plugin.load()
        for arguments in settings.get(name, [{}]):
            run = {name: lambda wave, m=module, a=arguments: m.extract(wave, rate, **a)}
            speed = seconds / compare(clips, run, repeats)[name]
            print(f"  {name:16s} {' '.join(map(str, arguments.values())):16s} {speed:8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rates", action="store_true", help="also print times real time of every plug-in")
    options = parser.parse_args()
    root = Path(os.environ.get("SER_DATA", ROOT / "data")) / "RAVDESS"
    stacks(waves(root, 22050, options.clips), 22050, options.repeats)
    clips = waves(root, 16000, options.clips)
    stacks(clips, 16000, options.repeats)
    smiles(clips, 16000, options.repeats)
    if options.rates:
        rates(clips, 16000, options.repeats)


if __name__ == "__main__":
    main()
