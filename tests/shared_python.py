"""A process of Python that runs commands one after the other, and so loads TensorFlow and the other libraries once.

Its figures are saved as one pixel: only commands in processes of their own draw them.
"""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path


class SharedPython:
    """Runs commands in a process of its own, which begins with the first of them; ``close`` ends it.

    Args:
        folder: where all commands run; what they print passes through files in it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None

    def run(self, words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
        """Run ``python`` with these words: a file, or -m and a module."""
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.process = subprocess.Popen([sys.executable, __file__], cwd=self.folder, **pipes)
        self.process.stdin.write(json.dumps({"words": words, "environment": environment}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        out, err = ((self.folder / name).read_text(encoding="utf8") for name in ("stdout.log", "stderr.log"))
        if not answer:  # an exception has ended it, as it would have ended a process of the command's own
            self.close()
        return subprocess.CompletedProcess(words, int(answer or 1), out, err)

    def close(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.wait(timeout=30)
            self.process.stdout.close()
            self.process = None


def serve() -> None:
    """Run every command that comes on standard input; answer each with its exit status."""
    from matplotlib.figure import Figure
    from toy_figures import save_pixel  # this file's own folder is searched first

    Figure.savefig = save_pixel
    with os.fdopen(os.dup(1), "w") as answers:
        for line in sys.stdin:
            answers.write(f"{executed(**json.loads(line))}\n")
            answers.flush()


def executed(words: list[str], environment: dict[str, str]) -> int:
    """Run a file or a module as the main one; return the exit status."""
    for number, name in ((1, "stdout.log"), (2, "stderr.log")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = os.getcwd()  # a script's own folder, or that in which -m looks: the same here
    status = 0
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    serve()
