"""What an experiment's clips are: how many of what, by whom, how recorded, which of them are the same."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.exploration import analysis as exploration
from utils.audio.prepare import Sound
from utils.dataset import Dataset

RECORDED = {  # fact of a recording -> what it is, with its unit
    "seconds": "duration, s",
    "rms_db": "level of the file, dB of full scale",
    "snr_db": "loud over quiet parts, dB (90 at most)",
    "bandwidth_hz": "highest frequency of the speech, Hz",
    "crest_db": "peak over loudest parts, dB",
    "clipped": "share of samples at full scale",
    "rate": "sampling rate of the file, Hz",
    "channels": "channels of the file",
}
QUANTILES = {"least": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}
TOLD = 0.5  # share of a fact's variance, beyond chance, from which it is said to go with the emotion or the speaker


def facts(data: Dataset, sounds: Mapping[str, Sound]) -> dict[str, np.ndarray]:
    """Return RECORDED's facts of n clips, each (n,) float64; NaN where not known.

    Args:
        data: with what ``extract_feats.channel`` heard of a sample of the clips, at the experiment's rate.
        sounds: of the files as stored, by clip id.
    """
    files = [sounds.get(identity) for identity in data.ids.tolist()]
    stored = {
        name: np.array([getattr(sound, name) if sound else np.nan for sound in files], np.float64)
        for name in ("rms_db", "clipped", "rate", "channels")
    }
    heard = {name: data.facts.get(f"heard_{name}") for name in ("snr_db", "bandwidth_hz", "crest_db")}
    found = {"seconds": data.facts["seconds"]} | stored | heard
    unknown = np.full(len(data), np.nan)
    return {name: np.asarray(unknown if found[name] is None else found[name], np.float64) for name in RECORDED}


def corpora(data: Dataset) -> list[str]:
    """Return the names of the corpora, sorted."""
    return sorted(set(data.facts["corpus"].tolist()))


def classes(data: Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Return corpus -> sex (female, male, unknown; those that occur) -> clips of each label, (C,)."""
    found: dict[str, dict[str, np.ndarray]] = {}
    sexes = np.where(data.facts["sex"] == "", "unknown", data.facts["sex"])
    for corpus in corpora(data):
        mine = data.facts["corpus"] == corpus
        found[corpus] = {
            str(sex): np.bincount(data.truth[mine & (sexes == sex)], minlength=len(data.labels))
            for sex in sorted(set(sexes[mine].tolist()))
        }
    return found


def speakers(data: Dataset) -> list[dict[str, Any]]:
    """Return a row a speaker: ``corpus``, ``speaker``, ``sex``, ``clips``, ``minutes``, and ``counts`` (C,) by label.

    Clips of unknown speakers are one row a corpus, whose ``speaker`` is "".
    """
    rows = []
    keys = np.array([f"{c}\n{s}" for c, s in zip(data.facts["corpus"], data.speakers, strict=True)])
    for key in sorted(set(keys.tolist())):
        mine = keys == key
        corpus, _, speaker = key.partition("\n")
        counts = np.bincount(data.truth[mine], minlength=len(data.labels))
        sexes = set(data.facts["sex"][mine].tolist())
        row = {"corpus": corpus, "speaker": speaker, "sex": sexes.pop() if len(sexes) == 1 else ""}
        minutes = float(data.facts["seconds"][mine].sum()) / 60
        rows.append(row | {"clips": int(mine.sum()), "minutes": minutes, "counts": counts})
    return rows


def recordings(data: Dataset, found: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return a row a corpus and fact: ``clips`` where it is known, mean, QUANTILES, and the share of its variance
    that lies between emotions and between speakers, None where nothing differs, and what it were by chance.
    """
    rows = []
    for corpus in corpora(data):
        for fact, values in found.items():
            mine = (data.facts["corpus"] == corpus) & ~np.isnan(values)
            if not mine.any():
                continue
            known = values[mine]
            shares = {"emotion": data.truth[mine], "speaker": exploration.codes(data.speakers[mine])[0]}
            rows.append(
                {"corpus": corpus, "fact": fact, "clips": int(mine.sum()), "mean": float(known.mean())}
                | {name: float(np.quantile(known, q)) for name, q in QUANTILES.items()}
                | {f"eta2_{by}": _share(known, groups) for by, groups in shares.items()}
                | {f"chance_{by}": exploration.chance(groups) for by, groups in shares.items()}
            )
    return rows


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return in words which facts of the recordings go with the emotion or the speaker, for rows of ``recordings``."""
    return [
        f"{row['corpus']}: {RECORDED[row['fact']].partition(',')[0]} goes with the {by} (η² {row[f'eta2_{by}']:.2f})"
        for by in ("emotion", "speaker")
        for row in rows
        if row[f"eta2_{by}"] is not None and row[f"eta2_{by}"] - row[f"chance_{by}"] >= TOLD
    ]


def _share(values: np.ndarray, groups: np.ndarray) -> float | None:
    known = groups != exploration.NOBODY
    told = len(np.unique(groups[known])) > 1 and np.ptp(values[known]) > 0
    return float(exploration.eta_squared(values[:, None], groups)[0]) if told else None


def duplicates(data: Dataset) -> list[dict[str, Any]]:
    """Return a row a group of clips whose samples are equal: ``ids``, and whether ``labels`` and speakers differ."""
    same = defaultdict(list)
    for row, digest in enumerate(data.digests.tolist()):
        same[digest].append(row)
    return [
        {
            "ids": data.ids[rows].tolist(),
            "emotions": [data.labels[label] for label in data.truth[rows]],
            "contradiction": len(set(data.truth[rows].tolist())) > 1,
        }
        for rows in same.values()
        if len(rows) > 1
    ]


def rates(data: Dataset, found: Mapping[str, np.ndarray], corpus: str) -> str:
    """Return the sampling rates of a corpus's files in words, the most frequent first.

    >>> from types import SimpleNamespace
    >>> data = SimpleNamespace(facts={"corpus": np.array(["a"] * 3)})
    >>> rates(data, {"rate": np.array([48000, 48000, 16000.0])}, "a")
    '48000 Hz, 1 at 16000 Hz'
    """
    known = found["rate"][data.facts["corpus"] == corpus]
    (usual, _), *odd = Counter(known[~np.isnan(known)].astype(int).tolist()).most_common() or [(0, 0)]
    return ", ".join([f"{usual} Hz" if usual else "unknown", *(f"{clips} at {rate} Hz" for rate, clips in odd)])


def few(words: Sequence[str], n: int = 3) -> str:
    """Return the first of many words, and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(words[:n]) + (f" and {len(words) - n} more" if len(words) > n else "")
