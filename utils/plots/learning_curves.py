"""Learning curves: loss and scores by epoch, a line per fold."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from utils.errors import DataError
from utils.plots.style import BLUE, GREY, INK, ORANGE, SIDE, label_ends, new_figure, tidy

History = Mapping[str, Sequence[float]]


def curves(
    history: History | Sequence[History],
    *,
    best_epoch: int | Sequence[int] | None = None,
    title: str | None = None,
) -> Figure:
    """Return the learning curves: a panel for the loss and for each score, one line per fold.

    Args:
        history: name -> one value per epoch, "val_" before the validation's; or several, one per fold.
            Learning rates are not drawn.
        best_epoch: the epoch kept, counted from 1; one per fold where there are several.
        title: above the panels.

    Raises:
        DataError: nothing to draw, or not one best epoch a fold.
    """
    runs = [history] if isinstance(history, Mapping) else list(history)
    bests = list(best_epoch) if isinstance(best_epoch, Sequence) else [best_epoch] * len(runs)
    names = dict.fromkeys(key.removeprefix("val_") for run in runs for key, values in run.items() if len(values))
    names = [name for name in names if name not in ("lr", "learning_rate")]
    if not names or len(bests) != len(runs):
        raise DataError(
            f"curves: {len(runs)} histories with {len(names)} things to draw and {len(bests)} best epochs. "
            "A history is {'loss': [...], 'val_loss': [...]}, with one best epoch each."
        )
    figure = new_figure(max(SIDE, 3.9 * len(names)), 3.8)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _panel(axes, name, runs, bests)
    if title:
        figure.suptitle(title, x=0.012, ha="left", size=14, color=INK)
    return figure


def _panel(axes: Axes, name: str, runs: Sequence[History], bests: Sequence[int | None]) -> None:
    tidy(axes)
    ends, longest = {}, 1
    for key, word, colour in ((name, "training", BLUE), (f"val_{name}", "validation", ORANGE)):
        lines = [np.asarray(run.get(key, ()), dtype=np.float64) for run in runs]
        for values, best in zip(lines, bests, strict=True):
            longest = max(longest, len(values))
            style = {"color": colour, "lw": 1.6, "alpha": 0.55 if len(runs) > 1 else 1.0}
            axes.plot(np.arange(1, len(values) + 1), values, marker="." if len(values) == 1 else "", **style)
            if best and best <= len(values) and word == "validation":
                axes.plot(best, values[best - 1], "o", color=colour, ms=6.5, mec="white", zorder=3)
        if last := [values[-1] for values in lines if len(values)]:
            ends[word] = (colour, float(np.mean(last)))
    axes.set_title(name.replace("_", " "), loc="left", size=12, color=INK)
    axes.set_xlabel("epoch (dot: the one kept)" if any(bests) else "epoch", color=GREY, size=10)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_xlim(1 - 0.02 * longest, longest + 0.02 * longest)
    label_ends(axes, ends)
