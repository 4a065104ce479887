"""Audio: ``files`` lists them, ``decode`` reads samples, ``prepare`` makes a clip's wave, ``stream`` reads blocks."""
