"""The recipe of a small GPT: its constants, and the parts that it is made of. This is the file that researchers edit.

It stands for our `train.py` at 80 steps of one core: `measure.py` knows from recorded runs what each constant and part
is worth, and answers at once. program.md names the parts there are.
"""

# Size.
DEPTH = 4  # layers
WIDTH = 64
HEAD_SIZE = 32
EXPANSION = 4  # inner width of the feed-forward part, in WIDTHs
CONTEXT = 512  # bytes in a row
BATCH_ROWS = 1

# Learning.
MATRIX_RATE = 0.02  # Muon
MATRIX_MOMENTUM = 0.95
MATRIX_DECAY = 0.1
EMBEDDING_RATE = 0.02  # AdamW
HEAD_RATE = 0.004
BETA1 = 0.9
BETA2 = 0.95
ADAM_DECAY = 0.0
CLIP = 1.0
WARMDOWN = 0.4  # the last share of the budget, in which all rates fall to zero

# A part with a number is written ("logit cap", LOGIT_CAP), with LOGIT_CAP = 15.0 above.
PARTS = (
    "squared relu",
    "norm of queries and keys",
    "norm before attention",
    "norm before feed-forward",
    "norm of embeddings",
    "last norm",
    "five rounds of newton-schulz",
    "nesterov",
    "memory in muon",
    "decay of matrices",
    "clipping",
    "straight decay",
    "no warm-up",
)
