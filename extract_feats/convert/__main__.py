"""Make the ONNX graph that a feature reads out of published weights: of Whisper, YAMNet, VGGish or VGG16; once."""

import sys
from pathlib import Path

from extract_feats.convert.graphs import convert
from utils import cli
from utils.errors import UserError

EXAMPLES = (
    "python -m extract_feats.convert \\\n"
    "    pretrained/whisper-base/model.safetensors \\\n"
    "    pretrained/whisper-base/encoder.onnx --blocks 4",
    "python -m extract_feats.convert yamnet.tflite pretrained/yamnet.onnx",
    "python -m extract_feats.convert vggish_model.ckpt pretrained/vggish.onnx",
    "python -m extract_feats.convert \\\n"
    "    vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 pretrained/vgg16.onnx",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser(__doc__, *EXAMPLES)
    parser.add_argument("source", type=Path, help="model.safetensors, yamnet.tflite, vggish_model.ckpt, vgg16_....h5")
    parser.add_argument("target", type=Path, help="where to write the graph, e.g. pretrained/yamnet.onnx")
    parser.add_argument("--blocks", type=cli.positive, metavar="N", help="of Whisper: only the first N blocks (all)")
    parser.add_argument(
        "--precision", choices=("full", "half", "int8"), default="full", help="of Whisper's matrices (full: float32)"
    )
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.target, blocks=options.blocks, precision=options.precision)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{options.target}: {options.target.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
