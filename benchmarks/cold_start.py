"""Cold `predict.py --radar` on one clip against `python -c "import tensorflow"`, in turn; target: a third.

python benchmarks/cold_start.py CLIP checkpoints/NAME [checkpoints/NAME ...]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def seconds(command: list[str]) -> float:
    """Return the wall time of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tensorflow = [sys.executable, "-c", "import tensorflow"]
    for checkpoint in options.checkpoints:
        with tempfile.TemporaryDirectory() as folder:
            predict = [sys.executable, "predict.py", "--checkpoint", str(checkpoint.resolve())]
            predict += [str(options.clip.resolve()), "--radar", f"{folder}/radar.png"]
            seconds(predict), seconds(tensorflow)  # both once, so that neither pays for the disk
            pairs = [(seconds(predict), seconds(tensorflow)) for _ in range(options.repeats)]
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{checkpoint.name}: predict {mine:.2f} s, import tensorflow {theirs:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
