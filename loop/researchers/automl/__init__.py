"""The researcher without a key: Optuna over the constants of the edited file. `automl` is its front door."""
