"""Three classic walk-throughs of hyperparameter tuning on 784-pixel images; each is run by `python -m`."""
