"""Features: each plug-in file turns a mono wave into a vector or into frames; the store keeps the results.

A plug-in has ``extract(wave, rate, *, ...)``, and with the same keyword-only arguments
``layout(*, ...) -> Layout`` and ``names(rate, *, ...) -> list[str]``. What a plug-in computes on every
clip imports neither librosa nor scipy.signal: their first call costs seconds, a cold prediction should not.
"""

from extract_feats.base.layout import Grid, Layout, mono

__all__ = ["Grid", "Layout", "mono"]
