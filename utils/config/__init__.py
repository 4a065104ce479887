"""One YAML file is one complete experiment: typed keys, defaults filled in, each mistake named in one line."""

from utils.config.checking import check
from utils.config.compare import changed_keys
from utils.config.reading import dump_yaml, parse_yaml, read, read_mapping
from utils.config.schema import Clip, Config, Split, Train

__all__ = [
    "Clip", "Config", "Split", "Train", "changed_keys", "check", "dump_yaml", "parse_yaml", "read", "read_mapping",
]  # fmt: skip
