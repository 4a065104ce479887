"""CPU seconds per epoch of two networks, trained by this zoo and by plain PyTorch, in turn.

    python -m pip install -r requirements-bench.txt    # PyTorch, for this benchmark alone
    python benchmarks/torch_parity.py [--epochs 3] [--backend tensorflow|jax] [--only conv_bilstm|dilated]

512 clips of 216 frames of 187 dimensions, batches of 32, Adam: (conv_bilstm) two convolutions, two bidirectional LSTMs
of 128 and attention (cnn_lstm_attention); (dilated) TIM-Net with 39 filters and 8 levels (dilated_cnn). Ours goes
through the whole Trainer: batching, scaling, padding, masks; PyTorch's copy gets one ready array, no mask and no
padding. Each side computes in a process of its own with one thread; the two train an epoch in turn, after one to warm
up. CPU time of all threads is compared, the lowest of the epochs, so that a busy machine disturbs less.
"""

import argparse
import os
import sys
import time
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CLIPS, FRAMES, DIMS, CLASSES, BATCH, THREADS = 512, 216, 187, 8, 32, 1
ZOO = {"conv_bilstm": "cnn_lstm_attention", "dilated": "dilated_cnn"}


def data():
    """Return noise (clips, frames, dims) and classes (clips,)."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.standard_normal((CLIPS, FRAMES, DIMS), np.float32), rng.integers(0, CLASSES, CLIPS)


def zoo_epoch(network: str):
    """Return a function that trains our network for one epoch."""
    import numpy as np

    from models import keras_model, training
    from models.common import Statistics
    from utils import plugins
    from utils.config import Train
    from utils.dataset import Frames

    clips, truth = data()
    section = {"name": ZOO[network]}
    section |= plugins.arguments("models", section)
    built = keras_model.build_network(
        section, plugins.get("models", ZOO[network]), frames=True, dims=DIMS, n_classes=CLASSES
    )
    trainer = training.Trainer(built, Train(batch_size=BATCH), seed=1)
    statistics = Statistics(np.zeros((1, DIMS), np.float32), np.ones((1, DIMS), np.float32), np.zeros(CLIPS, np.int64))
    ready = (Frames(list(clips)), statistics, truth)
    return lambda: trainer._epoch(ready, 0)


def torch_epoch(network: str):
    """Return a function that trains PyTorch's network for one epoch."""
    import torch

    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    clips, truth = (torch.from_numpy(part) for part in data())
    built = {"conv_bilstm": torch_conv_bilstm, "dilated": torch_dilated}[network]()
    optimizer = torch.optim.Adam(built.parameters(), lr=0.001)
    loss = torch.nn.CrossEntropyLoss()

    def epoch() -> None:
        built.train()
        for batch in torch.randperm(CLIPS).split(BATCH):
            optimizer.zero_grad()
            loss(built(clips[batch]), truth[batch]).backward()
            optimizer.step()

    return epoch


def torch_conv_bilstm():
    """Return the layers of cnn_lstm_attention in PyTorch, (B, T, D) -> logits."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(
                nn.Conv1d(DIMS, 64, 3, padding=1), nn.BatchNorm1d(64), nn.ReLU(),
                nn.Conv1d(64, 128, 3, padding=1), nn.BatchNorm1d(128), nn.ReLU(), nn.MaxPool1d(2),
            )  # fmt: skip
            self.lstm = nn.LSTM(128, 128, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5)
            self.dropout, self.out = nn.Dropout(0.5), nn.Linear(512, CLASSES)

        def forward(self, x):
            x, _ = self.lstm(self.conv(x.transpose(1, 2)).transpose(1, 2))
            x = self.dropout(x)  # (B, T / 2, 256)
            query = torch.cat([x[:, -1, :128], x[:, 0, 128:]], dim=1)
            weights = torch.softmax(torch.einsum("btd,bd->bt", x, query), dim=1)
            return self.out(self.dropout(torch.cat([torch.einsum("bt,btd->bd", weights, x), query], dim=1)))

    return Network()


def torch_dilated(filters: int = 39, levels: int = 8):
    """Return the layers of dilated_cnn in PyTorch, (B, T, D) -> logits."""
    import torch
    from torch import nn

    class Causal(nn.Module):
        def __init__(self, dilation: int):
            super().__init__()
            self.pad, self.conv = (
                nn.ConstantPad1d((dilation, 0), 0.0),
                nn.Conv1d(filters, filters, 2, dilation=dilation),
            )
            self.rest = nn.Sequential(nn.BatchNorm1d(filters), nn.ReLU(), nn.Dropout1d(0.1))

        def forward(self, x):
            return self.rest(self.conv(self.pad(x)))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.ModuleList(nn.Conv1d(DIMS, filters, 1) for _ in range(2))
            self.gates = nn.ModuleList(
                nn.ModuleList(nn.Sequential(Causal(2**level), Causal(2**level)) for _ in range(2))
                for level in range(levels)
            )
            self.levels, self.out = nn.Parameter(torch.full((levels,), 1 / levels)), nn.Linear(filters, CLASSES)

        def forward(self, x):
            x = x.transpose(1, 2)
            sides = [self.first[0](x), self.first[1](x.flip(2))]
            pooled = []
            for gates in self.gates:
                sides = [side * torch.sigmoid(gate(side)) for side, gate in zip(sides, gates, strict=True)]
                pooled.append((sides[0] + sides[1]).mean(dim=2))
            return self.out(torch.stack(pooled, dim=-1) @ self.levels)

    return Network()


def work(side: str, network: str, pipe) -> None:
    """Train an epoch whenever asked; answer with its CPU and wall seconds."""
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ.update(dict.fromkeys(threads, str(THREADS)), TF_CPP_MIN_LOG_LEVEL="3")
    epoch = zoo_epoch(network) if side == "zoo" else torch_epoch(network)
    epoch()  # tracing, compiling, allocating
    pipe.send("ready")
    while pipe.recv():
        cpu, wall = time.process_time(), time.perf_counter()
        epoch()
        pipe.send((time.process_time() - cpu, time.perf_counter() - wall))


def compare(network: str, epochs: int) -> dict[str, tuple[float, float]]:
    """Return the least CPU seconds per epoch, and their wall seconds, of "zoo" and "torch"."""
    context, ends, workers = get_context("spawn"), {}, []
    for side in ("zoo", "torch"):
        ends[side], theirs = context.Pipe()
        workers.append(context.Process(target=work, args=(side, network, theirs), daemon=True))
        workers[-1].start()
        theirs.close()  # a worker that fails ends the pipe, and with it this program
        ends[side].recv()
    taken = {side: [] for side in ends}
    for _ in range(epochs):
        for side, end in ends.items():
            end.send(True)
            taken[side].append(end.recv())
    for end, worker in zip(ends.values(), workers, strict=True):
        end.send(False)
        worker.join()
    return {side: min(each) for side, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3, help="timed ones, after one to warm up")
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax"), help="of Keras")
    parser.add_argument("--only", choices=tuple(ZOO), help="one of the networks")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    print(f"{'network':<14}{options.backend + ' CPU s':>17}{'wall s':>8}{'PyTorch CPU s':>15}{'wall s':>8}{'ratio':>7}")
    for network in [options.only] if options.only else ZOO:
        times = compare(network, options.epochs)
        (ours, wall), (theirs, their_wall) = times["zoo"], times["torch"]
        print(
            f"{network:<14}{ours:>17.2f}{wall:>8.2f}{theirs:>15.2f}{their_wall:>8.2f}{ours / theirs:>7.2f}", flush=True
        )


if __name__ == "__main__":
    main()
