"""Which numbers are hyperparameters, by the words of their names.

Pure. A name tells what a number is about in every style: `WEIGHT_DECAY`, `weight-decay`, `weightDecay`,
`optimizer.weight_decay`, `ADAM_BETAS[0]`.
"""

import re

# fmt: off
NOT_SEARCHED = frozenset({
    # chance, time, length
    "SEED", "SEEDS", "RANDOM", "RNG", "BUDGET", "TIME", "SECONDS", "SECS", "MINUTES", "HOURS", "TIMEOUT", "DEADLINE",
    # what is measured, and how
    "EVAL", "EVALUATION", "VAL", "VALID", "VALIDATION", "TEST", "BENCH", "BENCHMARK", "REPEAT", "REPEATS", "REPS",
    "TRIALS", "RUNS", "FOLDS", "SPLIT", "SPLITS", "TARGET",
    # what the data are like
    "VOCAB", "VOCABULARY", "CLASSES", "LABELS", "SAMPLES", "EXAMPLES", "DATASET", "DATA", "IGNORE", "PAD", "BOS", "EOS",
    # what is said and kept
    "LOG", "LOGGING", "PRINT", "VERBOSE", "DEBUG", "INTERVAL", "EVERY", "SAVE", "CHECKPOINT", "CHECKPOINTS", "CKPT",
    "REPORT", "PLOT", "DPI", "WANDB", "TENSORBOARD", "MLFLOW", "PROFILE", "PROFILER", "RESUME",
    # the machine
    "VERSION", "PORT", "HOST", "WORKERS", "THREADS", "JOBS", "NPROC", "RANK", "WORLD", "DEVICE", "DEVICES", "GPU",
    "GPUS", "CPU", "CPUS", "CUDA", "CORES", "PREFETCH", "PATH", "DIR", "YEAR",
    "PEAK", "FLOPS", "EPS", "EPSILON",
})
# fmt: on
"""Words that keep a name out of the search."""

_LENGTHS = frozenset({"EPOCH", "EPOCHS", "ITER", "ITERS", "ITERATION", "ITERATIONS", "NITER"})
_COUNTED = frozenset({"MAX", "NUM", "N", "TOTAL", "TRAIN", "TRAINING", "STOP", "END"})
_SCHEDULES = frozenset({"WARMUP", "WARM", "WARMDOWN", "COOLDOWN", "DECAY", "ACCUM", "ACCUMULATION", "RAMP", "LR", "NS"})
"""Words of a schedule or of a step's insides: `warmup_iters` is tuned, `max_iters` is how much is computed."""

# fmt: off
_SWITCHES = frozenset({
    "USE", "BIAS", "BIASES", "NORM", "NORMALIZE", "LAYERNORM", "BATCHNORM", "TIE", "TIED", "NESTEROV", "AMSGRAD",
    "DECAY", "RESIDUAL", "AUGMENT", "AUGMENTATION", "FLIP", "MIXUP", "CUTMIX", "EMA", "ROTARY", "ROPE", "GATED", "QK",
    "SWIGLU", "COSINE", "ANNEAL", "DROPOUT", "BIDIRECTIONAL", "SHUFFLE", "CENTERED", "CENTER",
})
_MACHINERY = frozenset({
    "COMPILE", "AMP", "FP16", "BF16", "TF32", "FUSED", "FLASH", "CACHE", "DDP", "FSDP", "DISTRIBUTED", "PRETRAINED",
})
_HOLDERS = frozenset({
    "CONFIG", "CONFIGS", "CFG", "CONF", "PARAM", "PARAMS", "PARAMETERS", "HPARAMS", "HYPERPARAMS", "HYPERPARAMETERS",
    "HP", "HPS", "HYPER", "ARGS", "ARGUMENTS", "KWARGS", "OPTIONS", "OPTS", "SETTINGS", "DEFAULTS", "OPTIM",
    "OPTIMIZER", "MODEL",
})
HYPERPARAMETERS = frozenset({
    "lr", "learning_rate", "learning_rate_init", "eta", "eta0", "weight_decay", "l2_regularization", "momentum",
    "dropout", "label_smoothing", "warmup_ratio", "warmup_steps", "max_grad_norm", "max_depth", "n_estimators",
    "num_boost_round", "num_leaves", "min_samples_leaf", "min_samples_split", "min_child_weight", "min_child_samples",
    "subsample", "colsample_bytree", "feature_fraction", "bagging_fraction", "reg_lambda", "reg_alpha", "lambda_l1",
    "lambda_l2", "l1_ratio", "max_leaf_nodes", "max_bins", "n_neighbors", "hidden_size",
    "hidden_dim", "num_layers", "n_layers", "n_layer", "n_head", "num_heads", "d_model", "per_device_train_batch_size",
    "gradient_accumulation_steps",
})
# fmt: on
"""Names of arguments that are hyperparameters in whatever call they stand."""

OF_MODELS = HYPERPARAMETERS | {"alpha", "gamma", "C"}
"""Those that are in a call of a class; `plot(alpha=0.3)` is about something else."""

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|\d+")


def words(name: str) -> frozenset[str]:
    """The words of a name, in capitals: `optimizer.weightDecay` has OPTIMIZER, WEIGHT and DECAY."""
    return frozenset(word.upper() for word in _WORD.findall(name))


def own_words(name: str) -> frozenset[str]:
    """Those of its last part: `DecayConfig.depth` is about a depth only."""
    return words(name.rpartition(".")[2])


def is_searched(name: str) -> bool:
    """Whether a number of this name is about the model or its training."""
    if name.rpartition(".")[2] in HYPERPARAMETERS:
        return not words(name.rpartition(".")[0]) & NOT_SEARCHED
    said = words(name)
    if said & NOT_SEARCHED or re.fullmatch(r"[a-z]", name):
        return False
    own = own_words(name)
    if own & _LENGTHS or own == {"STEPS"} or ("STEPS" in own and own & _COUNTED):
        return bool(own & _SCHEDULES)
    return True


def is_switch(name: str) -> bool:
    """Whether a boolean of this name changes the model or its training, and not how or whether something is run."""
    own = own_words(name)
    return is_searched(name) and bool(own & _SWITCHES) and not own & _MACHINERY


def holds_settings(name: str) -> bool:
    """Whether a dictionary or class of this name holds hyperparameters, and not a table of something else."""
    return bool(words(name) & _HOLDERS)
