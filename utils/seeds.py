"""Which seeds there are."""

LARGEST_SEED = 2**31 - 1  # scikit-learn takes 32 bits, and each fold adds its number to the seed
