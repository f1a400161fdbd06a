"""Nothing in the package draws from a global generator, or loads what could run code.

Read off the syntax tree.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "metarl").rglob("*.py"))

# Workers get their environments and learners pickled by the process that starts them; nothing
# pickled is ever read from a file.
PASSES_OBJECTS_TO_WORKERS = {
    "metarl/envs/registered_envs.py",
    "metarl/envs/workers.py",
    "metarl/learners/data_parallel.py",
}
PASSES_OBJECTS_TO_WORKERS |= {"metarl/learners/process_groups.py"}
PICKLES_TO_COMPARE = {"metarl/envs/content.py"}  # reads none
# Looks at the global generators' states, to tell whether anything touched them.
WATCHES_GLOBAL_GENERATORS = {"metarl/core/seeding.py"}
# Moves them aside while others' code runs, and puts them back.
MOVES_GLOBAL_GENERATORS = {"metarl/checks/global_generators.py"}

PICKLES = {"pickle", "cPickle", "dill", "shelve", "marshal", "joblib"}
LOADS = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "eval",
    "exec",
}
NUMPY_RANDOM = {"Generator", "default_rng", "SeedSequence", "PCG64", "BitGenerator"}
TORCH_SEEDS = {"manual_seed", "manual_seed_all", "seed", "set_rng_state", "default_generator"}
TORCH_DRAWS = {
    "rand",
    "randn",
    "randint",
    "randperm",
    "multinomial",
    "bernoulli",
    "normal",
    "poisson",
}
# These take no generator
DRAWS_LIKE = {"rand_like", "randn_like", "randint_like", "dropout", "rrelu"}
METHOD_DRAWS = {
    "uniform_",
    "normal_",
    "exponential_",
    "random_",
    "bernoulli_",
    "cauchy_",
    "log_normal_",
    "geometric_",
    "multinomial",
    "bernoulli",
}
INIT_DRAWS = {
    "orthogonal_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "trunc_normal_",
    "sparse_",
}
LAYERS = {
    "Linear",
    "Bilinear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Embedding",
}
LAYERS |= {"MultiheadAttention", "Transformer", "TransformerEncoderLayer", "Dropout"}


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain, with "?" where it starts from something else than a name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def violations(source: str, path: str = "metarl/some_module.py") -> list[str]:
    """Sentences on what `source` does that the package doesn't."""
    tree = ast.parse(source)
    forked = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and _forks(node)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        problem = (
            _import(node, path)
            or (_call(node) if isinstance(node, ast.Call) else None)
            or _name(node, path, node in forked)
        )
        if problem:
            found.append(f"line {node.lineno}: {problem}")  # type: ignore[attr-defined]
    return found


def _forks(node: ast.With) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call)
        and dotted(item.context_expr.func) == "torch.random.fork_rng"
        for item in node.items
    )


def _import(node: ast.AST, path: str) -> str | None:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return None
    names = (
        [alias.name for alias in node.names]
        if isinstance(node, ast.Import)
        else [node.module or ""]
    )
    for name in names:
        if name.split(".")[0] in PICKLES or (
            name == "cloudpickle" and path not in PASSES_OBJECTS_TO_WORKERS | PICKLES_TO_COMPARE
        ):
            return f"{name} can run code when it reads; use safetensors and JSON"
        if name in ("numpy.random", "torch.random") or (
            name == "random" and path not in WATCHES_GLOBAL_GENERATORS | MOVES_GLOBAL_GENERATORS
        ):
            return f"{name} is a global generator's; take a generator as an argument"
    return None


def _call(node: ast.Call) -> str | None:
    name = dotted(node.func)
    last = name.split(".")[-1]
    seeded = any(keyword.arg == "generator" for keyword in node.keywords)
    if name in LOADS or any(keyword.arg == "allow_pickle" for keyword in node.keywords):
        return f"{name} can run code; use safetensors and JSON"
    if (
        name in ("np.random.default_rng", "numpy.random.default_rng")
        and not node.args
        and not node.keywords
    ):
        return "default_rng() without a seed differs from run to run"
    if name.startswith("torch.") and last in TORCH_DRAWS and not seeded:
        return f"{name} without generator= draws from PyTorch's global one"
    if name.startswith(("torch.", "nn.")) and last in DRAWS_LIKE:
        return f"{name} draws from PyTorch's global generator"
    if ".init." in name and last in INIT_DRAWS | {"uniform_", "normal_"} and not seeded:
        return f"{name} without generator= draws from PyTorch's global one"
    # NumPy's, whose methods are draws of its own
    of_a_generator = name.split(".")[-2:-1] == ["rng"]
    if (
        isinstance(node.func, ast.Attribute)
        and last in METHOD_DRAWS
        and not of_a_generator
        and not seeded
    ):
        return f".{last}() without generator= draws from PyTorch's global one"
    if name.startswith(("nn.", "torch.nn.")) and last in LAYERS:
        return (
            f"{name} draws its weights from PyTorch's global generator; see metarl.networks.layers"
        )
    return None


def _name(node: ast.AST, path: str, forked: bool) -> str | None:
    if not isinstance(node, ast.Attribute):
        return None
    name = dotted(node)
    parts = name.split(".")
    if (
        parts[:2] in (["np", "random"], ["numpy", "random"])
        and len(parts) == 3
        and parts[2] not in NUMPY_RANDOM
    ):
        looked_at = path in WATCHES_GLOBAL_GENERATORS and parts[2] == "get_state"
        moved = path in MOVES_GLOBAL_GENERATORS and parts[2] in ("get_state", "seed", "set_state")
        return None if looked_at or moved else f"{name} is a global generator's"
    if (
        parts[0] == "torch"
        and parts[-1] in TORCH_SEEDS
        and parts[1:-1] in ([], ["cuda"], ["random"])
        and not forked
    ):
        return f"{name} is PyTorch's global generator; make a torch.Generator (metarl.core.seeding)"
    return None


def test_the_package_does_none_of_it():
    found = []
    for file in FILES:
        path = file.relative_to(ROOT).as_posix()
        found += [
            f"{path}, {sentence}" for sentence in violations(file.read_text(encoding="utf-8"), path)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import cloudpickle",
        "torch.load(file)",
        "np.load(file, allow_pickle=True)",
        "eval(text)",
        "import random",
        "from numpy.random import rand",
        "np.random.seed(0)",
        "np.random.rand(3)",
        "np.random.default_rng()",
        "torch.manual_seed(0)",
        "torch.cuda.manual_seed_all(0)",
        "torch.default_generator.manual_seed(0)",
        "torch.rand(3)",
        "torch.randn_like(x)",
        "torch.bernoulli(p)",
        "x.exponential_()",
        "p.multinomial(1)",
        "nn.init.orthogonal_(weight)",
        "nn.Linear(2, 3)",
        "nn.functional.dropout(x)",
    ],
)
def test_each_of_them_would_be_noticed(source):
    assert violations(source)


@pytest.mark.parametrize(
    "source",
    [
        "np.random.default_rng(derive_seed(0))",
        "def f(rng: np.random.Generator): rng.normal()",
        "rng.multinomial(5, shares)",
        "torch.rand(3, generator=rng)",
        "torch.Generator().manual_seed(3)",
        "torch.Generator(device).manual_seed(derive_seed(seed))",
        "x.exponential_(generator=rng)",
        "nn.init.orthogonal_(weight, generator=rng)",
        "nn.init.zeros_(bias)",
        "nn.utils.skip_init(nn.Linear, 2, 3)",
        "with torch.random.fork_rng(devices=[]):\n    torch.default_generator.manual_seed(3)",
    ],
)
def test_what_is_allowed_passes(source):
    assert not violations(source)
