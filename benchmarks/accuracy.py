"""The scores that the README quotes, from audio to table: preprocess.py and train.py on real speech.

    SER_DATA=... python benchmarks/accuracy.py [--emodb EMO-DB-2s]

needs RAVDESS (speech) and EMO-DB below $SER_DATA and takes about 20 minutes on two cores. There is a version of
EMO-DB whose clips are cut or padded to 2.0 s; here it is called EMO-DB-2s, and so are its scores.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLES = (  # configs of one table, on RAVDESS by EmoBox's folds
    ("ravdess_svm_is10", "ravdess_cnn1d_is10"),
    ("ravdess_svm_is10_speaker",),
    ("ravdess_svm_compare",),
    ("ravdess_svm_stack187", "ravdess_bilstm_stack187"),
)


def run(script: str, configs: tuple[str, ...], *more: str) -> None:
    """Run one of the scripts as a user would, its output on the screen."""
    paths = [f"config/{name}.yaml" for name in configs]
    subprocess.run([sys.executable, script, "--config", *paths, *more], check=True, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emodb", default="EMO-DB", metavar="FOLDER", help="below $SER_DATA")
    options = parser.parse_args()
    for configs in TABLES:
        run("preprocess.py", configs)
        run("train.py", configs)
    name = options.emodb.lower().replace("-", "")
    more = ("--set", f"corpora.0.root={options.emodb}", "--set", f"name={name}_svm_compare_speaker")
    run("preprocess.py", ("emodb_svm_compare_speaker",), *more)
    run("train.py", ("emodb_svm_compare_speaker",), *more)


if __name__ == "__main__":
    main()
