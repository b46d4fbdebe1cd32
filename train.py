"""Train a small GPT on bytes for a fixed time, save it, and say how it went. This is the file that researchers edit.

`python train.py` trains for LOOPTOP_BUDGET_S seconds (unless told, 20 on a CPU and 300 on a GPU) from LOOPTOP_SEED, and
leaves a checkpoint in LOOPTOP_RUN_DIR. `python -m loop.harness verify` then imports this file, calls `load_model` and
measures the number that counts, `val_bpb`, by itself: what is printed here is for the eye. program.md has the rules.

It reads from top to bottom: constants, model, optimiser, training. The seed decides the first weights and the order of
the data, nothing else; two runs from one seed still differ a little, as the clock decides how many steps fit.
"""

import math
import os
import resource
import sys
import time
from pathlib import Path

# CPU threads wait for each other for microseconds, then sleep. By default they spin for milliseconds, and with a busy
# neighbour on two cores every step then takes two to four times as long. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from loop.harness import CHECKPOINT, corpus, run_folder

# Size: for two CPU cores and 20 seconds. SCALES multiplies it for faster machines.
DEPTH = 4  # layers
WIDTH = 64  # numbers per position between the layers; with four layers, 0.23 million parameters
HEAD_SIZE = 32  # numbers per attention head, so two heads a layer
EXPANSION = 4  # inner width of the feed-forward part, in WIDTHs: the usual four
CONTEXT = 512  # bytes per training row: as many as verification reads at once
BATCH_ROWS = 4  # rows per step, 2,048 bytes: about 300 steps in 20 seconds
SCALES = {  # device: times DEPTH, WIDTH, HEAD_SIZE and BATCH_ROWS, and the share of each layer's output dropped
    "cpu": (1, 1, 1, 1, 0.0),  # reads a fiftieth of the text, once: nothing to overfit
    "mps": (1, 4, 2, 8, 0.0),  # 4 layers of 256: 3.3 million parameters
    "cuda": (2, 12, 4, 64, 0.1),  # 8 layers of 768: 57 million; 131,072 bytes a step read the text several times
}

# Learning: the rates are per step at full strength.
MATRIX_RATE = 0.02  # Muon: the length of a step, where 1 is a whole orthogonal matrix
MATRIX_MOMENTUM = 0.95  # Muon: remembers about 20 gradients
MATRIX_DECAY = 0.1  # Muon: shrinks a matrix by this share of each step's rate
EMBEDDING_RATE = 0.02  # AdamW: a byte's row moves only when the byte occurs, so it may move fast
HEAD_RATE = 0.004  # AdamW: every position moves the output layer
BETA1 = 0.9  # AdamW: remembers 10 gradients
BETA2 = 0.95  # AdamW: and 20 squares of them; a run of a few hundred steps has no time for the usual 1,000
CLIP = 1.0  # a gradient longer than this is cut to it, against the odd bad batch
WARMDOWN = 0.4  # the last share of the budget, in which all rates fall in a straight line to zero


class Block(nn.Module):
    """One layer: attention, then a feed-forward part with squared ReLU (So et al. 2021), each added to what came in."""

    def __init__(self, width: int, head_size: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.heads = max(1, width // head_size)
        inner = self.heads * head_size
        self.query = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.mix = nn.Linear(inner, width, bias=False)
        self.up = nn.Linear(width, expansion * width, bias=False)
        self.down = nn.Linear(expansion * width, width, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        normed = norm(x)
        q, k, v = (
            layer(normed).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        # Normed queries and keys bound the attention scores, whatever the rates do to the weights.
        q, k = rotate(norm(q), cos, sin), rotate(norm(k), cos, sin)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.drop(self.mix(seen.transpose(1, 2).flatten(2)))
        return x + self.drop(self.down(F.relu(self.up(norm(x))).square()))


class GPT(nn.Module):
    """Bytes in, logits of the next byte out. The arguments are its whole shape, and are saved with its weights."""

    def __init__(self, depth: int, width: int, head_size: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(256, width)
        self.blocks = nn.ModuleList(Block(width, head_size, expansion, dropout) for _ in range(depth))
        self.head = nn.Linear(width, 256, bias=False)
        # Rotary positions (Su et al. 2021): each pair of numbers turns at its own speed, once in 6 to 6,000 bytes.
        self.speeds = nn.Buffer(1000.0 ** (-torch.arange(0, head_size, 2) / head_size), persistent=False)
        for name, weight in self.named_parameters():
            if name.endswith(("mix.weight", "down.weight", "head.weight")):
                nn.init.zeros_(weight)  # a layer starts out doing nothing, and the model knowing nothing: 8 bits a byte
            elif name != "embedding.weight":
                nn.init.normal_(weight, std=width**-0.5)  # what comes out is as large as what went in

    def forward(self, idx: Tensor) -> Tensor:
        """idx (rows, length), int64 -> logits of the byte after each, (rows, length, 256), float32."""
        angles = torch.outer(torch.arange(idx.shape[1], device=idx.device), self.speeds)
        cos, sin = angles.cos(), angles.sin()
        x = norm(self.embedding(idx))
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(norm(x)).float()


def norm(x: Tensor) -> Tensor:
    """Scale the last dimension to a root mean square of 1."""
    return F.rms_norm(x, (x.shape[-1],))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (first half, second half) of x (rows, heads, length, size) by the angle of their position."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)


class Muon:
    """Momentum whose every step is made orthogonal (Jordan et al. 2024): all directions of a matrix learn alike."""

    def __init__(self, matrices: list[nn.Parameter]) -> None:
        alike: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            alike.setdefault(matrix.shape, []).append(matrix)
        # Matrices of one shape go through together: three large products in place of many small ones.
        self.groups = [(group, torch.zeros_like(torch.stack(group))) for group in alike.values()]

    @torch.no_grad()
    def step(self, strength: float) -> None:
        for matrices, momentum in self.groups:
            gradient = torch.stack([matrix.grad for matrix in matrices])
            momentum.lerp_(gradient, 1 - MATRIX_MOMENTUM)
            change = orthogonal(gradient.lerp(momentum, MATRIX_MOMENTUM))  # Nesterov: from where momentum will lead
            rate = strength * MATRIX_RATE
            for matrix, one in zip(matrices, change, strict=True):
                matrix.mul_(1 - rate * MATRIX_DECAY)
                matrix.sub_(one, alpha=rate * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5)


def orthogonal(stack: Tensor) -> Tensor:
    """Near enough the nearest orthogonal matrices to a stack (n, rows, columns): singular values of 0.7 to 1.2.

    Five rounds of a Newton-Schulz iteration; its coefficients (Jordan et al. 2024) trade exactness for speed.
    """
    x = stack.bfloat16() if stack.is_cuda else stack
    if tall := x.shape[1] > x.shape[2]:
        x = x.mT  # the square below is then the small one
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if tall else x).to(stack.dtype)


def load_model(path: str | Path) -> nn.Module:
    """The model of a checkpoint, ready to score, for verification: `model(idx) -> logits` as in `GPT.forward`."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = GPT(**saved["shape"])
    model.load_state_dict(saved["weights"])
    return model.to(pick_device()).eval()


def pick_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def draw(text: Tensor, rows: int, order: torch.Generator) -> Tensor:
    """A batch: pieces from anywhere in the text, (rows, CONTEXT + 1), int64."""
    starts = torch.randint(len(text) - CONTEXT, (rows, 1), generator=order).to(text.device)
    return text[starts + torch.arange(CONTEXT + 1, device=text.device)].long()


def backward(model: nn.Module, batch: Tensor, passes: int) -> Tensor:
    """Add up the gradients of a batch (rows, CONTEXT + 1) in so many passes; returns its loss, in nats per byte."""
    total = torch.zeros((), device=batch.device)
    for part in batch.chunk(passes):
        with torch.autocast(batch.device.type, torch.bfloat16, enabled=batch.is_cuda):
            logits = model(part[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten()) * (len(part) / len(batch))
        loss.backward()
        total += loss.detach()
    return total


def prepare(model: nn.Module, batch: Tensor) -> tuple[nn.Module, int]:
    """Compile the model where that pays, and find in how few passes a batch fits the memory.

    This is the warm-up that the budget does not count: gradients are thrown away and no weight moves, so nothing is
    learnt for free.
    """
    running, passes = torch.compile(model, dynamic=False) if batch.is_cuda else model, 1
    while True:
        try:
            for _ in range(2):
                backward(running, batch, passes)
            return running, passes
        except torch.OutOfMemoryError:
            if passes >= len(batch):
                raise
            passes *= 2
            print(f"a batch does not fit the memory: {passes} passes a step", flush=True)
        except Exception as error:
            if running is model:
                raise
            running = model
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            print(f"the compiler failed, training without it: {reason}", flush=True)
        finally:
            model.zero_grad()


def peak_flops(device: torch.device) -> float | None:
    """What the device's makers promise for dense bfloat16, in operations a second; None where that is not known."""
    promised = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "B200": 2250e12, "A100": 312e12, "L40S": 362e12}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((flops for kind, flops in promised.items() if kind in name), None)


def peak_memory() -> str:
    """A summary line: the most memory that this process has held."""
    if torch.cuda.is_available():
        return f"peak_vram_mb: {torch.cuda.max_memory_allocated() / 2**20:.1f}"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return f"peak_memory_mb: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.1f}"


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def budget_clock(device: torch.device) -> float:
    """Seconds of what the budget counts: processor time per core where LOOPTOP_BUDGET_CLOCK says so, of which other
    programs take nothing; on a GPU the clock."""
    if device.type == "cpu" and os.environ.get("LOOPTOP_BUDGET_CLOCK") == "cpu":
        return time.process_time() / usable_cores()
    return time.perf_counter()


def main() -> None:
    began = time.perf_counter()
    device = pick_device()
    budget = float(os.environ.get("LOOPTOP_BUDGET_S") or (20 if device.type == "cpu" else 300))
    seed = int(os.environ.get("LOOPTOP_SEED") or 0)
    torch.manual_seed(seed)
    torch.set_float32_matmul_precision("high")
    # Only the cores that this process may use: more threads than cores made steps three times slower.
    torch.set_num_threads(usable_cores())

    text = torch.tensor(corpus.load("train"), device=device)  # 30 MB: all of it fits, on any device
    times_depth, times_width, times_head, times_rows, dropout = SCALES[device.type]
    shape = {
        "depth": DEPTH * times_depth,
        "width": WIDTH * times_width,
        "head_size": HEAD_SIZE * times_head,
        "expansion": EXPANSION,
        "dropout": dropout,
    }
    model = GPT(**shape).to(device)
    rows = BATCH_ROWS * times_rows
    order = torch.Generator().manual_seed(seed)

    muon = Muon(list(model.blocks.parameters()))
    adam = torch.optim.AdamW(
        [{"params": model.embedding.weight, "lr": EMBEDDING_RATE}, {"params": model.head.weight, "lr": HEAD_RATE}],
        betas=(BETA1, BETA2), eps=1e-10, weight_decay=0.0,
    )  # fmt: skip
    full_rates = [group["lr"] for group in adam.param_groups]
    num_params = sum(weight.numel() for weight in model.parameters())
    # Per byte: 6 operations for each weight that multiplies, and attention's two products (Chowdhery et al. 2022).
    multiplied = num_params - model.embedding.weight.numel()
    flops = 6 * multiplied + 12 * shape["depth"] * shape["width"] * CONTEXT
    peak = peak_flops(device)
    print(f"{device.type}, seed {seed}, {budget:g} s, {num_params:,} parameters, into {run_folder()}", flush=True)

    running, passes = prepare(model, draw(text, rows, order))
    step, smooth, printed, printed_step = 0, 0.0, 0.0, 0
    start, start_wall, start_cpu = budget_clock(device), time.perf_counter(), time.process_time()
    while (seconds := budget_clock(device) - start) < budget:
        progress = seconds / budget
        strength = min(1.0, (1 - progress) / WARMDOWN) if WARMDOWN > 0 else 1.0
        loss = backward(running, draw(text, rows, order), passes).item()
        if not math.isfinite(loss):
            sys.exit(f"train.py: the loss became {loss} at step {step}; a lower rate may help")
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        muon.step(strength)
        for group, rate in zip(adam.param_groups, full_rates, strict=True):
            group["lr"] = rate * strength
        adam.step()
        model.zero_grad()

        step += 1
        smooth += (loss - smooth) / min(step, 20)  # the mean of the first 20 steps, then of about the last 20
        if seconds - printed >= 0.5:
            speed = (step - printed_step) * rows * CONTEXT / (seconds - printed)
            mfu = f" | mfu: {speed * flops / peak:.1%}" if peak else ""
            print(
                f"step {step:05d} ({progress:.1%}) | loss: {smooth:.4f} | lrm: {strength:.2f}"
                f" | tok/sec: {speed:,.0f}{mfu} | seconds: {seconds:.2f}",
                flush=True,
            )
            printed, printed_step = seconds, step
    if device.type == "cuda":
        torch.cuda.synchronize()
    trained = budget_clock(device) - start
    cpu_share = (time.process_time() - start_cpu) / (time.perf_counter() - start_wall) / usable_cores()

    partial = run_folder() / f"{CHECKPOINT}.partial"
    torch.save({"shape": shape, "weights": model.state_dict()}, partial)
    partial.replace(run_folder() / CHECKPOINT)  # a checkpoint is whole or not there

    print("---")
    print(f"train_bpb: {smooth / math.log(2):.6f}")
    print(f"training_seconds: {trained:.1f}")
    print(f"total_seconds: {time.perf_counter() - began:.1f}")
    if device.type == "cpu":
        print(f"cpu_share: {cpu_share:.3f}")
    print(peak_memory())
    if peak:
        print(f"mfu_percent: {100 * flops * step * rows * CONTEXT / trained / peak:.2f}")
    print(f"total_tokens_M: {step * rows * CONTEXT / 1e6:.3f}")
    print(f"num_steps: {step}")
    print(f"num_params_M: {num_params / 1e6:.3f}")
    print(f"depth: {shape['depth']}")


if __name__ == "__main__":
    main()
