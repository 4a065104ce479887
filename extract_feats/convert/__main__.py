"""YAMNet's LiteRT file, VGGish's checkpoint or VGG16's weights to the ONNX graph that is read here: once."""

import sys
from pathlib import Path

from extract_feats.convert.graphs import convert
from utils import cli
from utils.errors import UserError

EXAMPLES = (
    "python -m extract_feats.convert yamnet.tflite pretrained/yamnet.onnx",
    "python -m extract_feats.convert vggish_model.ckpt pretrained/vggish.onnx",
    "python -m extract_feats.convert \\\n"
    "    vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 pretrained/vgg16.onnx",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = cli.parser(__doc__, *EXAMPLES)
    parser.add_argument("source", type=Path, help="yamnet.tflite, vggish_model.ckpt, vgg16_....h5")
    parser.add_argument("target", type=Path, help="where to write the graph, e.g. pretrained/yamnet.onnx")
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.target)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{options.target}: {options.target.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
