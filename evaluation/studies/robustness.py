"""How a model fares on the same clips through other channels: a telephone, a codec, noise, a room, a wrong level."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.scores import metrics
from evaluation.scores import significance as statistics
from prediction import out_of_domain
from utils import plugins
from utils.dataset import Features

CLEAN = "as recorded"


def _even(name: str, argument: str, value: float) -> dict[str, Any]:
    """A section whose argument is drawn from a range of one value."""
    return {"name": name, argument: [float(value), float(value)]}


CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "telephone, mu-law": {"name": "telephone"},
    "MP3 64 kbit/s": _even("mp3", "kbit", 64),
    "MP3 32 kbit/s": _even("mp3", "kbit", 32),
    **{f"noise at {snr} dB": _even("gaussian_noise", "snr_db", snr) for snr in (20, 15, 10, 5, 0)},
    "room, .3 s": _even("reverberation", "rt60", 0.3) | {"direct_db": [5.0, 5.0]},
    "room, .8 s": _even("reverberation", "rt60", 0.8) | {"direct_db": [0.0, 0.0]},
    "1 % clipped": _even("clipping", "share", 0.01),
    "10 % clipped": _even("clipping", "share", 0.1),
    "12 dB softer": _even("volume", "gain_db", -12),
    "12 dB louder": _even("volume", "gain_db", 12),
}


def sections() -> dict[str, dict[str, Any]]:
    """Return the conditions, name -> ``{name, argument: value}`` of an augmentation on audio, complete."""
    return {
        condition: {"name": step["name"], **plugins.arguments("augment", step)}
        for condition, step in CONDITIONS.items()
    }


def scores(
    truth: np.ndarray, speakers: np.ndarray, predicted: Mapping[str, np.ndarray], n_classes: int, *, seed: int
) -> list[dict[str, Any]]:
    """Return a row a condition: UAR, its interval, and the paired difference to the clips as recorded.

    Args:
        truth: (n,) class index of the clips that were tested.
        speakers: (n,).
        predicted: condition -> (n,) class index; ``CLEAN`` is one of them.
        n_classes: C.
        seed: of the bootstraps.
    """
    rows = []
    for condition, said in predicted.items():
        uar = metrics.uar_score(truth, said, n_classes)
        interval = statistics.uar_interval(truth, said, speakers, n_classes, seed=seed)
        lost = statistics.uar_difference(truth, said, predicted[CLEAN], speakers, n_classes, seed=seed)
        rows.append(
            {
                "condition": condition,
                "n_clips": len(truth),
                "uar": uar,
                "lo": interval.lo,
                "hi": interval.hi,
                "informative": interval.informative,
                "difference": lost.difference,
                "difference_lo": lost.lo,
                "difference_hi": lost.hi,
            }
        )
    return rows


def compared(
    rows: Sequence[Mapping[str, Any]],
    truth: np.ndarray,
    speakers: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    against: Mapping[str, np.ndarray],
    n_classes: int,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Return the rows with the UAR of another model on the same clips, and its paired difference to the first.

    ``against_p`` is adjusted for the number of conditions (Holm 1979).

    Args:
        rows: of ``scores``.
        predicted, against: condition -> (n,) class index by the first and by the other model.
    """
    more = []
    for row in rows:
        said = against[row["condition"]]
        gain = statistics.uar_difference(truth, said, predicted[row["condition"]], speakers, n_classes, seed=seed)
        more.append(
            {"against_uar": metrics.uar_score(truth, said, n_classes)}
            | {f"against_{key}": value for key, value in gain._asdict().items()}
        )
    for row, p in zip(more, statistics.holm([row["against_p"] for row in more]), strict=True):
        row["against_p"] = float(p)
    return [dict(row) | found for row, found in zip(rows, more, strict=True)]


def hinted(known: Mapping[str, Any] | None, features: Features, channel: Mapping[str, np.ndarray]) -> list[set[str]]:
    """Return the hints given for each of n clips."""
    return [{hint["hint"] for hint in found} for found in out_of_domain.hints(known, features, channel)]


def rates(found: Sequence[set[str]]) -> dict[str, float]:
    """Return ``hint_<name>``, the share of the clips with that hint, 0 to 1, and ``hint_any``."""
    names = [name for name, _ in out_of_domain.HINTS.values()]
    share = {f"hint_{name.replace(' ', '_')}": float(np.mean([name in hints for hints in found])) for name in names}
    return share | {"hint_any": float(np.mean([bool(hints) for hints in found]))}


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table for people, 80 columns: UAR and difference, then the share of clips with each hint."""
    other = "against_uar" in rows[0]
    out = [f"{'':<18}{'UAR':>5}  95 %          to clean" + ("  against   gain" if other else "")]
    for row in rows:
        line = f"{row['condition']:<18}{row['uar']:5.3f}  [{row['lo']:.3f}, {row['hi']:.3f}]"
        line += f"{'':8}" if row["condition"] == CLEAN else f"  {row['difference']:+.3f}"
        if other:
            line += f"    {row['against_uar']:.3f}   {row['against_difference']:+.3f}"
            line += f"  p {row['against_p']:.2f}" if row["informative"] else ""
        out.append(line.rstrip())
    if not rows[0]["informative"]:
        out.append("intervals over fewer than 6 speakers mean little")
    given = [key for key in rows[0] if key.startswith("hint_") and any(row[key] for row in rows)]
    names = [key.removeprefix("hint_").replace("_", " ") for key in given]
    out += [
        "",
        "share of the clips that predict.py calls",
        f"{'':<18}" + "".join(f"{n.split()[0]:>{_wide(n)}}" for n in names),
    ]
    for row in rows:
        figures = "".join(f"{row[key]:{_wide(name)}.0%}" for key, name in zip(given, names, strict=True))
        out.append(f"{row['condition']:<18}{figures}")
    return out


def _wide(name: str) -> int:
    return max(5, len(name.split()[0])) + 1
