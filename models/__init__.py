"""Models: networks in dnn/, estimators in ml/, one class over both."""
