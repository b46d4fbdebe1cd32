"""Prints a step or two and then dies the way its argument says."""

import os
import sys

print("step 1 | loss: nan | lr: 1e-3", flush=True)
match sys.argv[1]:
    case "raise":
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    case "abort":
        os.abort()
    case "nan":
        print("val_bpb: nan")
    case "silent":
        print("done")
