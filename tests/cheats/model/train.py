"""A model that has learnt nothing: every byte is as likely as any other, 8 bits each."""

import torch


def load_model(path):
    return lambda idx: torch.zeros(*idx.shape, 256)
