"""Multi-layer perceptron of scikit-learn, one hidden layer of 100 with strong weight decay.

Rumelhart, Hinton & Williams 1986, doi 10.1038/323533a0; size, alpha and iterations as is usual on functionals.
"""

from sklearn.neural_network import MLPClassifier

INPUT = "vector"


def build(
    *,
    units: int = 100,
    depth: int = 1,
    alpha: float = 1.9,
    learning_rate: float = 0.001,
    batch_size: int = 32,
    iterations: int = 700,
) -> MLPClassifier:
    """Return the unfitted estimator; it gets standardised features.

    Args:
        units: width of each hidden layer, 1 or more.
        depth: number of hidden layers, 1 or more.
        alpha: weight of the squared penalty, 0 or more.
        learning_rate: step size of the optimiser, above 0.
        batch_size: clips per update, 1 or more.
        iterations: passes over the training clips, at most.
    """
    return MLPClassifier(
        hidden_layer_sizes=(units,) * depth,
        alpha=alpha,
        learning_rate_init=learning_rate,
        batch_size=batch_size,
        max_iter=iterations,
    )
