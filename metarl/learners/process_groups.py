"""How the processes of one run meet, and how they learn that one of them is gone.

They meet in a process group of `torch.distributed`, either because `torchrun` (or whoever sets
RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) started them all, or because rank 0 starts the
others on its own machine. A rank that fails leaves a note for rank 0, which says what happened.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cloudpickle
import torch

import metarl
from metarl.core.errors import PlugInError
from metarl.envs.processes import WorkerProcesses
from metarl.envs.registered_envs import registered_by_script

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup, Store

__all__ = [
    "LOST",
    "Launched",
    "LaunchedRanks",
    "Meeting",
    "StartedRanks",
    "gloo_group",
    "identity_of",
    "launched",
]

PATIENCE = 60.0  # seconds that ranks have to find one another
NOTICE = 1.5  # seconds in which a rank that fails says why; less than a signal leaves
LOST = 3  # the exit status of a rank that ends because another one was lost
# Ranks on one machine notice an end at once, however long nothing is asked of them
FOREVER = timedelta(days=1000)
ADVICE = "start again from the last checkpoint"


class Launched(NamedTuple):
    """What a launcher, such as torchrun, told this process."""

    rank: int
    size: int


def launched() -> Launched | None:
    """Return this process's rank and the number of ranks, where a launcher started several.

    Raises:
        ValueError: RANK or WORLD_SIZE is no number that makes sense.
    """
    told = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if None in told:
        return None
    try:
        rank, size = (int(str(value)) for value in told)
    except ValueError:
        rank = -1
        size = 0
    if not 0 <= rank < size:
        raise ValueError(
            f"RANK={told[0]} and WORLD_SIZE={told[1]} don't say which of how many processes this"
            " is; torchrun sets them."
        )
    return Launched(rank, size) if size > 1 else None


class Meeting(Protocol):
    """A process group, and what else ties its ranks together.

    Attributes:
        group: of all ranks.
    """

    group: Any

    def leave_note(self, sentence: str) -> None:
        """Tell rank 0 why this rank ends; an empty sentence says that another one was lost."""

    def cause_of_loss(self) -> str:
        """Return, in rank 0, a sentence that names the rank that is gone."""

    def close(self) -> None:
        """Leave the group, and end the processes that this one has started."""


def gloo_group(store: Store, rank: int, size: int) -> Any:
    """Return a process group of this machine's processes that meet by `store`."""
    from torch.distributed import ProcessGroupGloo

    options = ProcessGroupGloo._Options()  # type: ignore[attr-defined]
    options._timeout = timedelta(seconds=PATIENCE)
    options._devices = [ProcessGroupGloo.create_device(hostname="127.0.0.1")]
    group = ProcessGroupGloo(store, rank, size, options)
    group._set_default_timeout(FOREVER)
    return group


class StartedRanks:
    """Ranks on this machine, which rank 0 starts as fresh interpreters.

    Args:
        make: called as make(group=...) in each of them; gives its learner.
        size: processes, this one included.

    Raises:
        ValueError: `make` can't be pickled. PlugInError: a process ended before all had met.
    """

    def __init__(self, make: Callable[..., Any], size: int):
        self.size = size
        try:
            pickled = cloudpickle.dumps((registered_by_script(), cloudpickle.dumps(make)))
        except Exception as error:
            raise ValueError(
                f"The learner can't be sent to other processes ({error}); make its parts picklable,"
                " or use processes=1."
            ) from error
        self._workers = WorkerProcesses()
        folder = Path(tempfile.mkdtemp(prefix="metarl-ranks-"))
        try:
            self.group = self._meet(pickled, str(folder / "store"))
        except BaseException:
            self._workers.close()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _meet(self, pickled: bytes, file: str) -> Any:
        """Start the others, hand each of them its learner, and wait until all have joined."""
        from torch.distributed import FileStore

        for rank in range(1, self.size):
            self._workers.start(
                "metarl.learners.data_parallel", {"rank": rank, "size": self.size, "file": file}
            )
        try:
            for pipe in self._workers.connections:
                pipe.send_bytes(pickled)
            self._all_answer()
            group = gloo_group(FileStore(file, self.size), 0, self.size)
            # they have read the store's file, which may go now
            self._all_answer()
        except (EOFError, OSError, RuntimeError) as error:
            raise PlugInError(self.cause_of_loss()) from error
        return group

    def _all_answer(self) -> None:
        """Wait until every other rank has said that it is that far."""
        for rank, pipe in enumerate(self._workers.connections, 1):
            if sentence := pipe.recv_bytes().decode():
                raise PlugInError(f"Rank {rank} of {self.size} failed: {sentence}")

    @property
    def processes(self) -> list[Any]:
        """The processes of ranks 1, 2 and so on."""
        return self._workers.processes

    def leave_note(self, sentence: str) -> None:
        """Do nothing: rank 0 raises its own error."""

    def cause_of_loss(self) -> str:
        """Return a sentence that names the rank that is gone, by its own note or by how its process
        ended.
        """
        deadline = time.monotonic() + NOTICE
        while time.monotonic() < deadline:
            for rank in range(1, self.size):
                if sentence := self._note_of(rank):
                    return f"Rank {rank} of {self.size} failed: {sentence}"
            for rank in range(1, self.size):
                if self.processes[rank - 1].poll() not in (None, LOST):
                    return (
                        f"Rank {rank} of {self.size} {self._workers.cause_of_death(rank - 1)};"
                        f" {ADVICE}."
                    )
            time.sleep(0.02)
        return f"One of the {self.size} ranks left the others; {ADVICE}."

    def _note_of(self, rank: int) -> str:
        pipe = self._workers.connections[rank - 1]
        with suppress(EOFError, OSError):
            if pipe.poll():
                return pipe.recv_bytes().decode()
        return ""

    def close(self) -> None:
        """End the other ranks, and then leave the group: nothing in it can be waiting any more."""
        self._workers.close()
        self.group = None


class LaunchedRanks:
    """Ranks that a launcher started, on one machine or several.

    Args:
        rank, size: this process, and how many there are.
        identity: what all ranks must agree about, by name.
        patience: seconds that the others have to come.

    Raises:
        ValueError: there is no master, not all came, or rank 0 finds that another one disagrees.
        SystemExit: a rank above 0 disagrees; rank 0 says so.
    """

    def __init__(
        self, rank: int, size: int, identity: dict[str, str], patience: float | None = None
    ):
        import torch.distributed as dist

        self.rank = rank
        self.size = size
        self.store = store_of_master(rank, size, PATIENCE if patience is None else patience)
        self._agree(identity)
        self._ours = not dist.is_initialized()
        if self._ours:
            dist.init_process_group(
                "gloo",
                store=dist.PrefixStore("metarl/group", self.store),
                rank=rank,
                world_size=size,
            )
        self.group: ProcessGroup | None = dist.group.WORLD

    def _agree(self, identity: dict[str, str]) -> None:
        """Compare what each rank says about the run with what rank 0 says."""
        if self.rank > 0:
            self.store.set(f"identity/{self.rank}", json.dumps(identity))
            agreed = self.store.get("verdict") == b"agreed"
            self.store.set(f"heard/{self.rank}", "")
            if not agreed:
                raise SystemExit(1)
            return
        for rank in range(1, self.size):
            other = json.loads(self.store.get(f"identity/{rank}"))
            for name in {**identity, **other}:
                ours = identity.get(name, "nothing")
                theirs = other.get(name, "nothing")
                if ours != theirs:
                    self.store.set("verdict", "refused")
                    # the store may end with this process, so others are given time to read it
                    with suppress(RuntimeError):
                        self.store.wait(
                            [f"heard/{each}" for each in range(1, self.size)],
                            timedelta(seconds=NOTICE),
                        )
                    raise ValueError(
                        f"Rank {rank} of {self.size} has another {name} than rank 0: {theirs}"
                        f" rather than {ours}. Give all ranks the same command and the same"
                        " version."
                    )
        self.store.set("verdict", "agreed")

    def leave_note(self, sentence: str) -> None:
        """Tell rank 0, if it is still there."""
        with suppress(RuntimeError):
            self.store.set(f"note/{self.rank}", sentence or " ")

    def cause_of_loss(self) -> str:
        """Return a sentence that names the rank that failed, or the one that left no note."""
        self._leave()
        silent = set(range(1, self.size)) if self.rank == 0 else set()
        deadline = time.monotonic() + NOTICE
        while silent:
            for rank in sorted(silent):
                if self.store.check([f"note/{rank}"]):
                    silent.remove(rank)
                    if sentence := self.store.get(f"note/{rank}").decode().strip():
                        return f"Rank {rank} of {self.size} failed: {sentence}"
            # whoever failed left a note before it went; whoever is well says soon that it lost
            # others
            if len(silent) == 1 or time.monotonic() > deadline:
                return f"Rank {min(silent)} of {self.size} died; {ADVICE}."
            time.sleep(0.02)
        return f"One of the {self.size} ranks left the others; {ADVICE}."

    def close(self) -> None:
        """Leave the group."""
        self._leave()

    def _leave(self) -> None:
        import torch.distributed as dist

        self.group = None
        if self._ours and dist.is_initialized():
            dist.destroy_process_group()


def store_of_master(rank: int, size: int, patience: float) -> Store:
    """Return the store that all ranks share, which whoever launched them or rank 0 keeps.

    Raises:
        ValueError: MASTER_ADDR and MASTER_PORT don't lead to it in time.
    """
    import torch.distributed as dist

    place = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if None in place:
        raise ValueError(
            f"Rank {rank} of {size} has no master: MASTER_ADDR and MASTER_PORT aren't set. torchrun"
            " sets them."
        )
    try:
        store, _, _ = next(
            dist.rendezvous("env://", rank, size, timeout=timedelta(seconds=patience))
        )
        mine = dist.PrefixStore("metarl", store)
        mine.set_timeout(timedelta(seconds=patience))
        # rank 0 hosts the store where the launcher doesn't, so that others may wait for nobody
        mine.set(f"there/{rank}", "")
        mine.wait([f"there/{other}" for other in range(size)])
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(
            f"Rank {rank} of {size} didn't meet all others at {place[0]}:{place[1]} within"
            f" {patience:g} seconds ({reason}). Start as many processes as WORLD_SIZE says, rank 0"
            " among them, all with the same MASTER_ADDR and MASTER_PORT."
        ) from error
    return mine


def identity_of(learner: Any) -> dict[str, str]:
    """Return what ranks of one run must have in common, by name."""
    distribution = re.sub(r" at 0x[0-9a-f]+", "", repr(learner.distribution))
    settings = flat("config", asdict(learner.config))
    versions = {"version of metarl": metarl.__version__, "version of torch": torch.__version__}
    return {
        **versions,
        "learner": type(learner).__name__,
        "distribution": distribution,
        "seed": str(learner.seeds),
        **settings,
    }


def flat(name: str, value: Any) -> dict[str, str]:
    """Return the fields of nested dicts as text, by their dotted names."""
    if not isinstance(value, dict):
        return {name: str(value)}
    found: dict[str, str] = {}
    for key, part in value.items():
        found |= flat(f"{name}.{key}", part)
    return found
