"""Weights of a Gaussian kernel, and the mean of values under them. This is the file to edit."""

import numpy as np

TILE = 4  # queries at once


def distances(rows, keys):
    """Squared distances of rows (r, d) to keys (m, d): (r, m)."""
    apart = rows[:, None, :] - keys[None, :, :]
    return (apart**2).sum(axis=2)


def attend(queries, keys, values):
    """queries (n, d), keys (m, d), values (m, e), float64 -> for each query the weighted mean of the values, (n, e)."""
    out = np.empty((len(queries), values.shape[1]))
    # Everything is in place.
    for at in range(0, len(queries), TILE):
        far = distances(queries[at : at + TILE], keys)
        weights = np.exp(-far / 2)
        weights = weights / weights.sum(axis=1, keepdims=True)
        out[at : at + TILE] = weights @ values
    return out
