"""What `looptop init` finds in other people's projects."""

from pathlib import Path

import pytest

from loop.config.discovery import NothingToEdit, Said, discover
from loop.config.metric_names import goal_of, likeliest, printed_by, said_in
from loop.config.program import load
from loop.lineage import matching

PRINTS = "print(f'val_loss: {value:.4f}')\n"


def project(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(files)


@pytest.mark.parametrize(
    ("files", "edit", "run", "where"),
    [
        ({"train.py": PRINTS}, "train.py", "python train.py", "the usual way"),
        ({"train.py": PRINTS, "uv.lock": ""}, "train.py", "uv run train.py", "uv.lock is there"),
        ({"main.py": "", "poetry.lock": ""}, "main.py", "poetry run python main.py", "poetry.lock is there"),
        (
            {"train.py": "", "README.md": "Use:\n\n```sh\n$ torchrun --nproc_per_node=8 train.py a  # fast\n```\n"},
            "train.py",
            "torchrun --nproc_per_node=8 train.py a",
            "README.md:4",
        ),
        ({"train.py": "", "README.md": "Say `uv run train.py`.\n"}, "train.py", "uv run train.py", "README.md:1"),
        ({"train.py": "", "Makefile": "CC = gcc\n\ntrain: data\n\tgo\n"}, "train.py", "make train", "Makefile:3"),
        ({"src/net/train.py": ""}, "src/net/train.py", "python src/net/train.py", "the usual way"),
        ({"net/03_train.py": "", "x.py": ""}, "net/03_train.py", "python net/03_train.py", "the usual way"),
        ({"app.py": "", "bench.sh": "python3 app.py\n"}, "app.py", "bash bench.sh", "bench.sh"),
        (
            {"src/net/model.py": "", "src/net/go.py": "", "run.sh": "python -m net.go\n"},
            "src/net/go.py",
            "bash run.sh",
            "run.sh",
        ),
        (
            {"src/net/train.py": "from .model import Net\n"},
            "src/net/train.py",
            "PYTHONPATH=src python -m net.train",
            "as a module, since it imports from its own package",
        ),
        ({"a/train.py": "from . import x\n", "uv.lock": ""}, "a/train.py", "uv run -m a.train", "uv.lock is there"),
        ({"solver.py": ""}, "solver.py", "python solver.py", "the usual way"),
        ({"main.c": "", "Makefile": "bench: main\n\t./main\n"}, "main.c", "make bench", "Makefile:1"),
        # One that only measures is started, and what it measures is improved: no benchmark that is made easier.
        ({"bench.py": "import kernel\n", "kernel.py": ""}, "kernel.py", "python bench.py", "the usual way"),
        (
            {"q/report.sql": "", "bench_sql.py": "open('q/report.sql')\n", "README.md": "`python bench_sql.py`"},
            "q/report.sql",
            "python bench_sql.py",
            "README.md:1",
        ),
        ({"src/sum.c": "", "bench/bench.c": "", "Makefile": "bench:\n"}, "src/sum.c", "make bench", "Makefile:1"),
        # Of what a command names: what trains, not what launches or prepares.
        (
            {"go.py": "", "launch.py": "", "README.md": "`python launch.py -n 2 go.py`"},
            "go.py",
            "python launch.py -n 2 go.py",
            "README.md:1",
        ),
        (
            {"get_it.py": "", "fit.py": "", "Makefile": "all:\n\tget_it.py; fit.py\n", "README.md": "Run `make`."},
            "fit.py",
            "make",
            "README.md:1",
        ),
        (
            {"scripts/fit.py": "", "a.yaml": "", "README.rst": "Use::\n\n    python scripts/fit.py -c a.yaml\n"},
            "scripts/fit.py",
            "python scripts/fit.py -c a.yaml",
            "README.rst:3",
        ),
        (
            {"a/x.py": "", "b/fit.py": "", "README.md": "```\ncd b\npython fit.py\n```\n"},
            "b/fit.py",
            "cd b && python fit.py",
            "README.md:3",
        ),
        (
            {"src/net/train.py": "", "README.md": "`python -m net.train -e 4`"},
            "src/net/train.py",
            "PYTHONPATH=src python -m net.train -e 4",
            "README.md:1",
        ),
        (
            {"t/x.py": "", "go.py": "", "README": "```\ngit clone u/r\ncd r\npython go.py \\\n --lr 3 \\\n -e 4\n```"},
            "go.py",
            "python go.py --lr 3 -e 4",
            "README:4",
        ),
        (
            {
                "pyproject.toml": "[tool.poetry.scripts]\nfit = 'p.cli:main'\n",
                "p/cli.py": "",
                "p/b.py": "",
                "README": "`poetry run fit -q`",
            },
            "p/cli.py",
            "poetry run fit -q",
            "README:1",
        ),
        (
            {"run_eval.py": "open('prompts/a.md')\n", "prompts/a.md": ""},
            "prompts/a.md",
            "python run_eval.py",
            "the usual way",
        ),
        ({"bin/go.sh": "", "gold.txt": "", "README": "    bin/go.sh\n"}, "bin/go.sh", "bin/go.sh", "README:1"),
        # Other languages.
        ({"Cargo.toml": "", "src/main.rs": "", "src/x.rs": ""}, "src/main.rs", "cargo run --release", "by its kind"),
        ({"go.mod": "", "main.go": "", "README.md": "`go run . -n 3`"}, "main.go", "go run . -n 3", "README.md:1"),
        (
            {"package.json": '{"scripts": {"bench": "node b.js"}}', "index.js": ""},
            "index.js",
            "npm run bench",
            "package.json",
        ),
        ({"model.R": ""}, "model.R", "Rscript model.R", "by its kind"),
    ],
)  # fmt: skip
def test_the_program_and_how_it_is_started(
    tmp_path: Path, files: dict[str, str], edit: str, run: str, where: str
) -> None:
    found = discover(tmp_path, project(tmp_path, files))
    assert (found.edit.value, found.run.value, found.run.where) == (edit, run, where)


def test_the_packages_of_a_workspace_share_one_lock(tmp_path: Path) -> None:
    names = project(tmp_path / "packages" / "model", {"train.py": PRINTS, "program.md": ""})
    project(tmp_path, {".git/HEAD": "", "uv.lock": ""})
    assert discover(tmp_path / "packages" / "model", names).run.value == "uv run train.py"
    assert load(tmp_path / "packages" / "model", matching).contract.run == "uv run train.py"


def test_an_environment_is_named(tmp_path: Path) -> None:
    names = project(tmp_path, {"train.py": PRINTS})
    project(tmp_path, {".venv/pyvenv.cfg": ""})
    assert discover(tmp_path, names).run.where == "with the Python of .venv/"


@pytest.mark.parametrize(
    ("source", "metric"),
    [
        ("print(f'step {i}: train loss {a:.4f}, val loss {b:.4f}')", "val loss"),
        ("logging.info('epoch %d loss=%.3f val_acc=%.3f', e, loss, acc)", "val_acc"),
        ("print('Test Accuracy: {:.2f}%'.format(acc))", "Test Accuracy"),
        ("print('accuracy:', accuracy_score(a, b))", "accuracy"),
        ("print(json.dumps({'seed': seed, 'eval_loss': value}))", "eval_loss"),
        ("print('loss: %.3f' % loss)\nprint(f'val_bpb:   {bpb:.6f}')\nprint(f'training_seconds: {t}')", "val_bpb"),
        ('int main() { printf("METRIC wall_us=%d\\n", us); }', "wall_us"),
        ("print(f'reward {r}')", "reward"),
        ("print(f'val loss {v}')\nsave({'best_val_loss': best, 'model': m})", "val loss"),
        ("print(f'\\x1b[1mval_acc \\x1b[32m{a}%\\x1b[0m')", "val_acc"),
        ("for k in f:\n    print(f'fold {k} accuracy: {a}')\nprint(f'Mean accuracy: {b}')", "Mean accuracy"),
        ("print(f'eval {name} accuracy: {a}')\nprint(f'Evaluation {n}: {w}')", "accuracy"),
        ("print(f'|  ep_rew_mean  | {r:<8} |')\nprint(f'|  fps  | {f:<8} |')", "ep_rew_mean"),
        ("print('| split | AUC |')\nprint(f'| train | {a} |')", "AUC"),
        ("print(f'{a} in {b}: Güte = {g}')", "Güte"),
        ("log.info('Config: %s', cfg)\nprint('score:', s)", "score"),
        ("self.log('val/acc', self.acc, prog_bar=True)\nself.log('step')", "val/acc"),
        ('int main() { cout << "step " << i << " loss: " << loss; }', "loss"),
        ('f <- function(x) x\ncat("RMSE:", (a - b)^2)', "RMSE"),
    ],
)
def test_the_metric_is_what_the_program_prints(tmp_path: Path, source: str, metric: str) -> None:
    names = project(tmp_path, {"train.py": source, "data.py": "x = 1\n"})
    assert discover(tmp_path, names).metric.value == metric


def test_results_of_before_say_more_than_the_program(tmp_path: Path) -> None:
    names = project(tmp_path, {"train.py": "print(f'val_loss: {x}')\n"})
    project(tmp_path, {"results.tsv": "commit\tval_bpb\tmemory_gb\tstatus\tdescription\na1\t0.9\t44\tkeep\tx\n"})
    found = discover(tmp_path, names)
    assert (found.metric.value, found.metric.where, found.metric.others) == ("val_bpb", "results.tsv:1", ("val_loss",))
    silent = project(tmp_path / "b", {"train.py": "import trainer\n"})
    project(tmp_path / "b", {"run.log": "step 1 loss: 3.1\neval/f1: 0.81\n"})
    found = discover(tmp_path / "b", silent)
    assert (found.metric.value, found.metric.where, found.goal.value) == ("eval/f1", "run.log:2", "max")


def test_what_is_only_guessed_is_said(tmp_path: Path) -> None:
    names = project(tmp_path, {"train.py": "print(f'quality {x}')\n"})
    found = discover(tmp_path, names)
    assert not found.metric.sure and not found.budget.sure
    found = discover(tmp_path, names, Said(metric="quality"))
    assert found.metric.sure and not found.goal.sure and found.goal.value == "min"
    found = discover(tmp_path, names, Said(edit="new.py", run="go", metric="m", goal="max"))
    assert (found.edit.value, found.run.value, found.goal.value, found.goal.where) == (
        "new.py",
        "go",
        "max",
        "as you said",
    )


def test_the_budget_is_a_constant_of_the_program(tmp_path: Path) -> None:
    names = project(tmp_path, {"train.py": PRINTS, "prepare.py": "\nTIME_BUDGET = 300  # seconds\n"})
    assert discover(tmp_path, names).budget.value == "300s"
    assert discover(tmp_path, names).budget.where == "TIME_BUDGET in prepare.py:2"


def test_a_notebook_and_an_empty_folder_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToEdit, match=r"no training script was found in .*: `looptop init --edit FILE`"):
        discover(tmp_path, [])
    with pytest.raises(NothingToEdit, match=r"name the file to improve \(a\.py and kernel\.cu\?\)"):
        discover(tmp_path, project(tmp_path, {"a.py": "", "kernel.cu": "", "make_data.py": "", "tests/test_a.py": ""}))
    with pytest.raises(
        NothingToEdit, match=r"jupyter nbconvert --to script 'my model\.ipynb'` makes my model\.py of it"
    ):
        discover(tmp_path, ["my model.ipynb"])


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("val_loss", "min"), ("val_bpb", "min"), ("perplexity", "min"), ("rmse", "min"), ("p99_ms", "min"),
        ("wall_us", "min"), ("test/wer", "min"), ("total_seconds", "min"), ("accuracy", "max"), ("roc_auc", "max"),
        ("macro F1", "max"), ("episode_reward", "max"), ("speedup", "max"), ("mAP@0.5", "max"), ("answer", None),
        ("tok/sec", "max"), ("tokens_per_second", "max"), ("it/s", "max"), ("fps", "max"), ("ns/iter", "min"),
        ("mape", "min"), ("valid_ndcg", "max"), ("auroc", "max"), ("pass@1", "max"), ("ep_rew_mean", "max"),
        ("neg_mean_squared_error", "max"), ("dice_loss", "min"), ("accumulated", None), ("success_rate", "max"),
    ],
)  # fmt: skip
def test_a_name_tells_which_way_is_better(name: str, goal: str | None) -> None:
    assert goal_of(name) == goal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "def (",
        "print(" * 3000,
        "f(" + "a." * 5000 + "b)",
        "x".join(["("] * 90) + ")" * 90,
        "f'{",
        "x" * 100_000,
        "a: 1" * 5000,
        "%s" * 999,
    ],
)
def test_any_text_is_read(text: str) -> None:
    likeliest([*printed_by(text), *said_in(text)])
