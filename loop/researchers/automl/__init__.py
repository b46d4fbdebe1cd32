"""The researcher that needs no key: Optuna over the constants of the edited files. `automl` is the entry point."""
