"""The clips of an experiment: how many of each kind, by which speakers, how recorded, which are duplicates."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.exploration.separation import chance, eta_squared
from evaluation.exploration.standardise import UNKNOWN, group_codes
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
RELATED = 0.5  # share of a fact's variance, beyond chance, from which the text names it as related


def facts(data: Dataset, sounds: Mapping[str, Sound]) -> dict[str, np.ndarray]:
    """Return the facts of RECORDED for n clips, each (n,) float64; NaN where not known.

    Args:
        data: with what ``extract_feats.channel`` measured on a sample of the clips, at the experiment's rate.
        sounds: of the files as stored, by clip id.
    """
    files = [sounds.get(identity) for identity in data.ids.tolist()]
    stored = {
        name: np.array([getattr(sound, name) if sound else np.nan for sound in files], np.float64)
        for name in ("rms_db", "clipped", "rate", "channels")
    }
    measured = {name: data.facts.get(f"heard_{name}") for name in ("snr_db", "bandwidth_hz", "crest_db")}
    known = {"seconds": data.facts["seconds"]} | stored | measured
    unknown = np.full(len(data), np.nan)
    return {name: np.asarray(unknown if known[name] is None else known[name], np.float64) for name in RECORDED}


def corpora(data: Dataset) -> list[str]:
    """Return the names of the corpora, sorted."""
    return sorted(set(data.facts["corpus"].tolist()))


def classes(data: Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Return corpus -> sex (female, male, unknown; those that occur) -> clips of each label, (C,)."""
    counts: dict[str, dict[str, np.ndarray]] = {}
    sexes = np.where(data.facts["sex"] == "", "unknown", data.facts["sex"])
    for corpus in corpora(data):
        of_corpus = data.facts["corpus"] == corpus
        counts[corpus] = {
            str(sex): np.bincount(data.truth[of_corpus & (sexes == sex)], minlength=len(data.labels))
            for sex in sorted(set(sexes[of_corpus].tolist()))
        }
    return counts


def speakers(data: Dataset) -> list[dict[str, Any]]:
    """Return one row per speaker: ``corpus``, ``speaker``, ``sex``, ``clips``, ``minutes``, ``counts`` (C,) by label.

    Clips of unknown speakers are one row per corpus, whose ``speaker`` is "".
    """
    rows = []
    keys = np.array([f"{c}\n{s}" for c, s in zip(data.facts["corpus"], data.speakers, strict=True)])
    for key in sorted(set(keys.tolist())):
        chosen = keys == key
        corpus, _, speaker = key.partition("\n")
        counts = np.bincount(data.truth[chosen], minlength=len(data.labels))
        sexes = set(data.facts["sex"][chosen].tolist())
        row = {"corpus": corpus, "speaker": speaker, "sex": sexes.pop() if len(sexes) == 1 else ""}
        minutes = float(data.facts["seconds"][chosen].sum()) / 60
        rows.append(row | {"clips": int(chosen.sum()), "minutes": minutes, "counts": counts})
    return rows


def recordings(data: Dataset, facts: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return one row per corpus and fact that is known of any of its clips.

    Args:
        data: the clips.
        facts: of them, as of ``facts``.

    Returns:
        ``corpus``, ``fact``; ``clips`` of which it is known, their ``mean`` and QUANTILES; ``eta2_emotion`` and
        ``eta2_speaker``, the share of its variance between emotions and between speakers, None where all values or
        all groups are equal; ``chance_emotion`` and ``chance_speaker``, the same by chance.
    """
    rows = []
    for corpus in corpora(data):
        for fact, values in facts.items():
            chosen = (data.facts["corpus"] == corpus) & ~np.isnan(values)
            if not chosen.any():
                continue
            known = values[chosen]
            shares = {"emotion": data.truth[chosen], "speaker": group_codes(data.speakers[chosen])[0]}
            rows.append(
                {"corpus": corpus, "fact": fact, "clips": int(chosen.sum()), "mean": float(known.mean())}
                | {name: float(np.quantile(known, q)) for name, q in QUANTILES.items()}
                | {f"eta2_{by}": _share(known, groups) for by, groups in shares.items()}
                | {f"chance_{by}": chance(groups) for by, groups in shares.items()}
            )
    return rows


def related_facts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return in words which facts differ by emotion or by speaker, for rows of ``recordings``."""
    return [
        f"{row['corpus']}: {RECORDED[row['fact']].partition(',')[0]} differs by {by} (η² {row[f'eta2_{by}']:.2f})"
        for by in ("emotion", "speaker")
        for row in rows
        if row[f"eta2_{by}"] is not None and row[f"eta2_{by}"] - row[f"chance_{by}"] >= RELATED
    ]


def _share(values: np.ndarray, groups: np.ndarray) -> float | None:
    known = groups != UNKNOWN
    comparable = len(np.unique(groups[known])) > 1 and np.ptp(values[known]) > 0
    return float(eta_squared(values[:, None], groups)[0]) if comparable else None


def duplicates(data: Dataset) -> list[dict[str, Any]]:
    """Return one row per group of equal clips: ``ids``, ``emotions``, ``contradiction`` (their labels differ)."""
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


def rates(data: Dataset, facts: Mapping[str, np.ndarray], corpus: str) -> str:
    """Return the sampling rates of a corpus's files in words, the most frequent first.

    >>> from types import SimpleNamespace
    >>> data = SimpleNamespace(facts={"corpus": np.array(["a"] * 3)})
    >>> rates(data, {"rate": np.array([48000, 48000, 16000.0])}, "a")
    '48000 Hz, 1 at 16000 Hz'
    """
    known = facts["rate"][data.facts["corpus"] == corpus]
    (usual, _), *odd = Counter(known[~np.isnan(known)].astype(int).tolist()).most_common() or [(0, 0)]
    return ", ".join([f"{usual} Hz" if usual else "unknown", *(f"{clips} at {rate} Hz" for rate, clips in odd)])


def few(words: Sequence[str], n: int = 3) -> str:
    """Return the first of many words, and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(words[:n]) + (f" and {len(words) - n} more" if len(words) > n else "")
