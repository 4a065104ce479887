"""The entry point for Streamlit Community Cloud: app.py, with the requirements that lie beside this file."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path[:] = [str(ROOT), *(path for path in sys.path if path != str(ROOT))]
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
