"""The web page: what the models in checkpoints/ say of your recordings; the same as `streamlit run app.py`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from utils import cli
from utils.plugins import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Start Streamlit's server on this file."""
    options = _options(argv)

    from streamlit.web import cli as server

    os.environ["SER_CHECKPOINTS"] = str(options.checkpoints.resolve())
    os.chdir(ROOT)  # where .streamlit/config.toml is looked for
    return server.main(["run", str(ROOT / "app.py")], standalone_mode=False) or 0


def page() -> None:
    """Draw the page; Streamlit calls it again after every click."""
    import streamlit as st

    from utils.errors import UserError
    from web import inputs, results, text
    from web.state import VisitorCache

    st.set_page_config(page_title="Speech emotion recognition", layout="centered")
    st.title("Speech emotion recognition", anchor=False)
    st.markdown(text.PURPOSE)
    cache = VisitorCache()
    try:
        models, asked = inputs.choice(_checkpoints())
        sounds = inputs.recordings(cache)
        speakers = inputs.speakers(models, cache)
        if len(sounds) == 1:
            results.one(sounds[0], models, speakers, asked, cache)
        elif sounds:
            results.many(sounds, models, speakers, asked, cache)
    except UserError as error:
        st.error(text.code(str(error)))
    cache.forget_others()


def _checkpoints() -> Path:
    return Path(os.environ.get("SER_CHECKPOINTS") or ROOT / "checkpoints")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.parser(__doc__, "python app.py --checkpoints checkpoints")
    cli.add_checkpoints_option(parser)
    parser.set_defaults(checkpoints=_checkpoints())
    return parser.parse_args(argv)


if __name__ == "__main__":
    if "streamlit.runtime" in sys.modules:  # Streamlit runs this file
        page()
    else:
        cli.run(main)
