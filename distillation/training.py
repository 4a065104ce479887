"""Training of a student on pairs: its frames become the teacher's, and so does their mean over a piece."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from distillation.degradation import degrade
from distillation.network import STRIDE
from distillation.pairs import Pair
from distillation.projection import Projection
from models.keras_model import keras

LONGEST = 600  # frames of features of a piece in a batch
BATCH = 4500  # frames of features in a batch, about
STEP = 40  # batches are padded to a multiple of it, so that few shapes are traced
POOLED_WEIGHT = 2.0  # of the error of the mean over time beside that of the frames
AS_IS, DOUBLY = 0.45, 0.4  # share of pieces heard as recorded; of the degraded ones that are degraded once more
WARM_UP = 500  # batches

Piece = Sequence[Pair]


def distil(
    network: keras.Model,
    pieces: Sequence[Piece],
    onto: Projection,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    report: Callable[[int, dict[str, float]], None],
) -> None:
    """Train a network in place.

    Args:
        network: what ``distillation.network.build`` returns.
        pieces: the pairs of each piece, one per speed; each epoch draws one of them.
        onto: the teacher's components, whose variance scales the errors.
        epochs: how often every piece is seen.
        learning_rate: the highest one; warm-up, then a cosine.
        weight_decay: decoupled.
        seed: of the order and of what degrades the features.
        report: called after each epoch with its number from 1 and {"frames": error, "pooled": error}, as shares of the
            teacher's variance that are not explained.
    """
    size = network.outputs[1].shape[-1]
    plans = [_batches(pieces, np.random.default_rng([seed, epoch])) for epoch in range(epochs)]
    steps = sum(map(len, plans))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - WARM_UP), alpha=0.01, warmup_target=learning_rate, warmup_steps=WARM_UP
    )
    network.compile(
        keras.optimizers.AdamW(schedule, weight_decay=weight_decay, clipnorm=1.0),
        loss=[_frame_error(onto.frame_variance), _pooled_error(onto.pooled_variance)],
        loss_weights=[1.0, POOLED_WEIGHT],
    )
    with ThreadPoolExecutor(1) as ahead:
        for epoch, plan in enumerate(plans):
            errors = []
            coming = ahead.submit(_batch, pieces, plan[0], size, (seed, epoch, 0))
            for number in range(len(plan)):
                inputs, targets = coming.result()
                if number + 1 < len(plan):
                    coming = ahead.submit(_batch, pieces, plan[number + 1], size, (seed, epoch, number + 1))
                network.reset_metrics()
                errors.append(network.train_on_batch(inputs, targets)[1:3])
            frames, pooled = np.mean(errors, axis=0)
            report(epoch + 1, {"frames": float(frames), "pooled": float(pooled)})


def _frame_error(variance: float):
    def error(target, frames):
        """target (B, T, E + 1), the last value 1 where the frame is real."""
        real = target[..., -1]
        squares = keras.ops.sum(keras.ops.square(frames - target[..., :-1]), axis=-1) * real
        return keras.ops.sum(squares) / keras.ops.sum(real) / variance

    return error


def _pooled_error(variance: float):
    return lambda target, pooled: keras.ops.sum(keras.ops.square(pooled - target), axis=-1) / variance


def _length(piece: Piece) -> int:
    return min(len(piece[0].clean), LONGEST)


def _batches(pieces: Sequence[Piece], rng: np.random.Generator) -> list[list[int]]:
    """Return numbers of pieces in batches of about equal length, in a random order."""
    order = sorted(range(len(pieces)), key=lambda n: _length(pieces[n]) + rng.uniform(-30, 30))
    batches, batch = [], []
    for number in order:
        batch.append(number)
        if len(batch) * _length(pieces[number]) >= BATCH:
            batches.append(batch)
            batch = []
    if batch:
        batches.append(batch)
    return [batches[n] for n in rng.permutation(len(batches))]


def _batch(pieces: Sequence[Piece], numbers: Sequence[int], size: int, seed: tuple[int, ...]):
    rng = np.random.default_rng(seed)
    drawn = [_drawn(pieces[number], rng) for number in numbers]
    frames = -(-max(len(mel) for mel, _ in drawn) // STEP) * STEP
    mels = np.zeros((len(drawn), frames, drawn[0][0].shape[1]), np.float32)
    answers = np.zeros((len(drawn), frames // STRIDE, size + 1), np.float32)
    for row, (mel, teacher) in enumerate(drawn):
        mels[row, : len(mel)] = mel
        answers[row, : len(teacher), :-1] = teacher
        answers[row, : len(teacher), -1] = 1
    means = np.stack([teacher.mean(axis=0) for _, teacher in drawn])
    return [mels, np.array([len(mel) for mel, _ in drawn], np.int64)], [answers, means]


def _drawn(piece: Piece, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return features (4 T, bands), teacher (T, E) of a piece at one of its speeds, in a condition."""
    pair = piece[rng.integers(len(piece))]
    as_is = rng.random() < AS_IS
    mel, teacher = pair.clean if as_is else pair.degraded, pair.teacher
    n = min(len(mel) // STRIDE, len(teacher))
    start = int(rng.integers(max(1, n - LONGEST // STRIDE + 1)))
    n = min(n, LONGEST // STRIDE)
    mel = mel[start * STRIDE : (start + n) * STRIDE].astype(np.float32)
    if as_is or rng.random() < DOUBLY:
        mel = degrade(mel, rng)
    return mel, teacher[start : start + n].astype(np.float32)
