"""One learner in several processes: every rank plays its part of the rows and takes its part of the
updates.

All ranks hold the same weights. They join what they played (`all_gather`) and add up their
gradients (`all_reduce`) through a process group of `torch.distributed`, and so take the very same
steps. PyTorch's own threads divide each operation instead, which pays only for large networks.

A learner has its `Ranks`. It may be handed a process group: then every rank calls the learner's
methods in the same order, as programs started by `torchrun` do. Or rank 0 leads, and the others
`follow` it: so it is where a learner starts the other processes itself, and in `metarl.train`.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import cloudpickle
import torch
from torch import Tensor

from metarl.core.errors import PlugInError
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed
from metarl.envs.processes import enter_worker
from metarl.envs.registered_envs import register_in_worker, unknown_to_workers
from metarl.learners.process_groups import (
    LOST,
    LaunchedRanks,
    Meeting,
    StartedRanks,
    gloo_group,
    identity_of,
    launched,
)

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = [
    "DataParallel",
    "Ranks",
    "all_gather",
    "all_reduce",
    "follow",
    "leading",
    "rank_of",
    "serve",
    "size_of",
]

SLICE = timedelta(seconds=0.5)  # a wait is cut into such slices, so that signals are heard
LAST_GRACE = 10.0  # seconds that a rank goes on after a signal that rank 0 got too
UPDATE, TAKE_OVER, TELL, STOP = range(4)  # what rank 0 orders


def size_of(group: ProcessGroup | None) -> int:
    """Return the number of ranks; no group is one rank alone."""
    return 1 if group is None else int(group.size())


def rank_of(group: ProcessGroup | None) -> int:
    """Return this process's place in the group."""
    return 0 if group is None else int(group.rank())


def all_reduce(group: ProcessGroup | None, tensor: Tensor) -> Tensor:
    """Return the sum of all ranks' `tensor`, the same bits everywhere.

    Raises:
        ConnectionError: a rank is gone.
    """
    if group is None or group.size() == 1:
        return tensor
    total = tensor.clone()
    wait(group.allreduce([total]))
    return total


def all_gather(group: ProcessGroup | None, tensors: Sequence[Tensor], dim: int = 0) -> list[Tensor]:
    """Return all ranks' `tensors`, each joined along `dim` by rank.

    Unless `dim` is the first dimension, shorter ones are filled up with zeros along the first.

    Args:
        group: the ranks. tensors: of one dimension at least; as many in all ranks, of the same
            types.
        dim: along which their sizes may differ.

    Raises:
        ConnectionError: a rank is gone.
    """
    if group is None or group.size() == 1:
        return list(tensors)
    sizes = [size for tensor in tensors for size in tensor.shape]
    own = torch.tensor(sizes)
    shapes = [torch.empty_like(own) for _ in range(group.size())]
    wait(group.allgather([shapes], [own]))
    joined = []
    works = []
    for tensor, each in zip(
        tensors, torch.stack(shapes).split([tensor.dim() for tensor in tensors], 1), strict=True
    ):
        most = each.amax(0).tolist()
        sent = as_bytes(filled(tensor, most))
        received = [torch.empty_like(sent) for _ in range(group.size())]
        if sent.numel() > 0:
            works.append(group.allgather([received], [sent]))
        joined.append((received, tensor.dtype, most, each[:, dim].tolist()))
    for work in works:
        wait(work)
    return [
        torch.cat(
            [
                part.view(dtype).view(most).narrow(dim, 0, length)
                for part, length in zip(received, lengths, strict=True)
            ],
            dim,
        )
        for received, dtype, most, lengths in joined
    ]


def as_bytes(tensor: Tensor) -> Tensor:
    """Return the content of `tensor`: Gloo doesn't know all types of numbers."""
    return tensor.contiguous().view(-1).view(torch.uint8)


def filled(tensor: Tensor, shape: list[int]) -> Tensor:
    """Return `tensor` with zeros behind it in every dimension that `shape` has more of."""
    if list(tensor.shape) == shape:
        return tensor
    whole = tensor.new_zeros(shape)
    whole[tuple(slice(size) for size in tensor.shape)] = tensor
    return whole


def wait(work: Any) -> None:
    """Wait for a collective operation; signals are handled meanwhile.

    Raises:
        ConnectionError: a rank is gone.
    """
    try:
        while not work.is_completed():
            try:
                work.wait(SLICE)
            except RuntimeError:
                # the slice is over, or the operation has failed
                if work.is_completed():
                    raise
        work.wait()
    except RuntimeError as error:
        raise ConnectionError(f"A rank is gone: {str(error).splitlines()[0]}") from error


def all_gather_objects(group: ProcessGroup, value: Any) -> list[Any]:
    """Return all ranks' values, by rank."""
    data = torch.frombuffer(bytearray(cloudpickle.dumps(value)), dtype=torch.uint8)
    lengths, everything = all_gather(group, [torch.tensor([len(data)]), data])
    return [
        cloudpickle.loads(part.numpy().tobytes()) for part in everything.split(lengths.tolist())
    ]


def broadcast(group: ProcessGroup, tensor: Tensor) -> Tensor:
    """Return rank 0's `tensor`; the others give one of its shape, which is written to."""
    wait(group.broadcast(tensor, 0))
    return tensor


def broadcast_object(group: ProcessGroup, value: Any = None) -> Any:
    """Return rank 0's `value`."""
    data = torch.frombuffer(bytearray(cloudpickle.dumps(value)), dtype=torch.uint8)
    length = broadcast(group, torch.tensor([len(data)]))
    if group.rank() > 0:
        data = torch.empty(int(length), dtype=torch.uint8)
    return cloudpickle.loads(broadcast(group, data).numpy().tobytes())


@runtime_checkable
class DataParallel(Protocol):
    """A learner that can run in several processes.

    Attributes:
        ranks: the processes, as this one knows them.
    """

    ranks: Ranks

    def play_and_improve(self) -> Metrics:
        """Do an update, in all ranks at once."""
        ...

    def own_state(self) -> dict[str, Any]:
        """Return what no other rank has.

        Streams of random numbers, and what else belongs to its rows.
        """
        ...

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over what `own_state` gave."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything that updates depend on.

        The other ranks' own parts are under "ranks".
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        ...

    def close(self) -> None:
        """End the other ranks, and release the environments."""
        ...


class Ranks:
    """The processes that run one learner together, as one of them knows them.

    Args:
        size: how many, as the config says.
        device: where they learn.
        make: makes the same learner in another process, called as make(group=...).
        group: the process group, where whoever made the learner has one.

    Attributes:
        rank, size: this process, and how many there are.
        group: the process group; None while this process is alone.

    Raises:
        ValueError: several processes for a GPU, or more or fewer of them than a launcher has
            started.
    """

    def __init__(
        self, size: int, device: str, make: Callable[..., Any], group: ProcessGroup | None = None
    ):
        if size > 1 and torch.device(device).type != "cpu":
            raise ValueError(f"Several processes are for a CPU; on {device}, use processes=1.")
        if group is not None and group.size() != size:
            raise ValueError(
                f"The process group has {group.size()} ranks and the config says processes={size}:"
                " make them equal."
            )
        self.size = size
        self.group = group
        self._make = make
        self._launched = launched() if size > 1 and group is None else None
        if self._launched is not None and self._launched.size != size:
            raise ValueError(
                f"A launcher started {self._launched.size} processes and the config says"
                f" processes={size}: make them equal."
            )
        self.rank = rank_of(group) if self._launched is None else self._launched.rank
        self.leads = self._launched is None and group is None
        self._meeting: Meeting | None = None
        self._behind = True  # whether the others have yet to take over this one's state
        self._states: dict[str, Any] = {}  # by rank, what `own_state` gave when last asked
        self._lost = False  # whether the others ended amid an update, or before they could tell

    @property
    def launched(self) -> bool:
        """Whether a launcher started all ranks."""
        return self._launched is not None

    @contextmanager
    def together(self, learner: DataParallel) -> Iterator[None]:
        """Have the other ranks do an update while this one does it inside.

        Raises:
            PlugInError: a rank failed, or an update before broke off.
        """
        if self.size == 1:
            yield
            return
        self._check_whole()
        threads = torch.get_num_threads()
        # sums by other numbers of threads round differently
        torch.set_num_threads(1)
        try:
            self._catch_up(learner)
            self._order(UPDATE)
            yield
        except BaseException as error:
            self._lost = True
            self._give_up(error)
            raise
        finally:
            torch.set_num_threads(threads)

    def meet(self, learner: DataParallel) -> None:
        """Join or start the other ranks, unless that is done.

        Raises:
            ValueError: a learner that can't be sent to them, or ranks that don't come or disagree.
        """
        if self.group is not None:
            return
        if self._launched is None:
            self._meeting = StartedRanks(self._make, self.size)
        else:
            self._meeting = LaunchedRanks(*self._launched, identity_of(learner))
        self.group = self._meeting.group

    def states_of_others(self, learner: DataParallel) -> dict[str, Any]:
        """Return, by rank from 1 on, what `own_state` gives in the other ranks."""
        self._check_whole()
        if self.group is None or (self.leads and self._behind):
            return self._states
        try:
            self._order(TELL)
            states = all_gather_objects(self.group, learner.own_state())
        except ConnectionError as error:
            self._lost = True
            self._give_up(error)
        return {str(rank): state for rank, state in enumerate(states) if rank > 0}

    def take_over(self, learner: DataParallel, state: dict[str, Any], own: dict[str, Any]) -> None:
        """Have each rank go on with its own part of `state`, which a learner has just loaded.

        Args:
            learner: of this rank. state: what rank 0's `state_dict` gave.
            own: this rank's own part before, which stays where `state` has none.
        """
        self._states = state.get("ranks", {})
        if self.rank > 0:
            learner.load_own_state(self._states.get(str(self.rank), own))
        self._behind = True
        self._lost = self._lost and self.launched

    def renew(self, learner: DataParallel) -> None:
        """Have the other ranks take over this one's state before the next update, since it was
        changed by hand.
        """
        if self.leads:
            self._states = self.states_of_others(learner)
            self._behind = True

    def close(self, learner: DataParallel) -> None:
        """End the other ranks, where this one leads.

        The next update starts them in the state that it is in by then.
        """
        if not self.leads or self._meeting is None:
            return
        try:
            self._states = self.states_of_others(learner)
            self._order(STOP)
        except (PlugInError, ConnectionError):  # a rank is dead
            self._lost = True
        finally:
            self._part()

    def _catch_up(self, learner: DataParallel) -> None:
        """Bring the other ranks to this one's state."""
        self.meet(learner)
        assert self.group is not None
        if self.leads and self._behind:
            state = learner.state_dict()
            self._order(TAKE_OVER)
            broadcast_object(self.group, state)
        self._behind = False

    def _order(self, order: int) -> None:
        if self.leads and self.group is not None:
            broadcast(self.group, torch.tensor([order]))

    def _check_whole(self) -> None:
        if self._lost:
            raise PlugInError(
                "An update broke off, and what the other processes held is lost; load the last"
                " checkpoint, or make a new learner."
            )

    def _give_up(self, error: BaseException) -> None:
        """Leave the group after `error`; where it is that a rank is gone, say which."""
        meeting = self._meeting
        try:
            if isinstance(error, ConnectionError):
                if meeting is None:
                    raise PlugInError(
                        "Another rank is gone; start again from the last checkpoint."
                    ) from error
                if self.rank > 0:
                    meeting.leave_note("")
                raise PlugInError(meeting.cause_of_loss()) from error
            if meeting is not None and self.rank > 0:
                meeting.leave_note(str(error))
        finally:
            if not isinstance(error, KeyboardInterrupt) or not self.launched:
                self._part()

    def _part(self) -> None:
        if self._meeting is not None:
            self._meeting.close()
            self._meeting = self.group = None
            self._behind = True


def own_seed(streams: int, rank: int) -> int:
    """Return what names the streams that no other rank draws from.

    Rank 0's are those of a process alone.
    """
    return streams if rank == 0 else derive_seed(streams, "process", rank)


@contextmanager
def leading(learner: Any) -> Iterator[bool]:
    """Give whether this process trains `learner`; a rank above 0 that a launcher started follows
    rank 0 instead.

    Raises:
        ValueError: ranks that don't come or disagree.
        SystemExit: a rank above 0 fails, which rank 0 tells, or lost the others.
    """
    if not isinstance(learner, DataParallel) or not learner.ranks.launched:
        yield True
        return
    ranks = learner.ranks
    ranks.meet(learner)
    if ranks.rank > 0:
        follow_launched(learner)
        yield False
        return
    ranks.leads = True
    try:
        yield True
    finally:
        ranks.close(learner)
        ranks.leads = False


def follow_launched(learner: DataParallel) -> None:
    """Follow rank 0 to its end; signals, which rank 0 gets too, are left to it at first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not the main thread
            signal.signal(number, end_soon)
    meeting = learner.ranks._meeting
    assert meeting is not None
    try:
        follow(learner)
    except Exception as error:
        meeting.leave_note(sentence_of(error))
        raise SystemExit(1) from error
    finally:
        with suppress(ValueError):
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        learner.close()
        learner.ranks._part()


def end_soon(number: int, frame: FrameType | None) -> None:
    """Give rank 0 the time to save and to end this rank; end by itself after that."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, LAST_GRACE)


def follow(learner: DataParallel) -> None:
    """Do in this rank what rank 0 orders, until it lets go.

    Raises:
        ConnectionError: a rank is gone.
    """
    group = learner.ranks.group
    assert group is not None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while (order := int(broadcast(group, torch.tensor([STOP])))) != STOP:
            if order == UPDATE:
                learner.play_and_improve()
            elif order == TAKE_OVER:
                learner.load_state_dict(broadcast_object(group))
            else:
                all_gather_objects(group, learner.own_state())
    finally:
        torch.set_num_threads(threads)


def sentence_of(error: Exception) -> str:
    """Return what rank 0 says of an error.

    Nothing where another rank was lost, which it notices itself.
    """
    if isinstance(error, ConnectionError):
        return ""
    trace = (
        ""
        if isinstance(error, PlugInError)
        else f"\n\n{''.join(traceback.format_exception(error))}"
    )
    return f"{error}{unknown_to_workers(error.__cause__)}{trace}"


def serve(connection: int, lifeline: int, patience: float, rank: int, size: int, file: str) -> None:
    """Be one of the ranks that rank 0 has started."""
    from torch.distributed import FileStore

    pipe = enter_worker(connection, lifeline, patience)
    learner: DataParallel | None = None
    try:
        registered, make = cloudpickle.loads(pipe.recv_bytes())
        register_in_worker(registered)
        make = cloudpickle.loads(make)
        pipe.send_bytes(b"")
        group = gloo_group(FileStore(file, size), rank, size)
        pipe.send_bytes(b"")
        learner = make(group=group)
        follow(learner)
    except (EOFError, ConnectionError):
        raise SystemExit(LOST) from None
    except Exception as error:
        with suppress(OSError):  # rank 0 may have failed too
            pipe.send_bytes(sentence_of(error).encode())
        raise SystemExit(1) from None
    finally:
        if learner is not None:
            learner.close()
