"""One learner on several processor cores: every process plays its share of the rows and takes its share of each minibatch.

All processes hold the same weights and, once a rollout is played, the same rollout; they add up their gradients before each step of the
optimiser, and so take the very same steps. PyTorch's own threads share out each operation instead, which pays only for large networks.
"""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, Protocol, Self

import cloudpickle
import numpy as np
import torch
from torch import Tensor

from metarl.core.errors import PlugInError
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed
from metarl.core.step import Step
from metarl.envs.processes import WorkerProcesses, enter_worker
from metarl.envs.registered_envs import register_in_worker, registered_by_script, unknown_to_workers
from metarl.learners.policy_gradient.rollout import Rollout
from metarl.networks.finite import check_update

__all__ = ["ALONE", "Captain", "CrewLearner", "Share", "added", "everyones_rollout", "gathered", "serve"]


class Share(Protocol):
    """What one process knows of the crew.

    Attributes:
        rank, size: this process, and how many there are.
    """

    rank: int
    size: int

    def everyones(self, data: bytes) -> list[bytes]:
        """What each process gave, by rank."""


class Alone:
    """A crew of one."""

    rank, size = 0, 1

    def everyones(self, data: bytes) -> list[bytes]:
        """What was given."""
        return [data]


ALONE = Alone()


class Captain:
    """The first process of a crew, which starts and leads the others.

    Args:
        build: called as build(share) in every other process; gives the object that orders are carried out by.
        size: processes, this one included.

    Raises:
        ValueError: `build` can't be pickled. PlugInError: a process failed; the whole crew is closed then.
    """

    rank = 0

    def __init__(self, build: Callable[[Share], Any], size: int):
        try:
            pickled = cloudpickle.dumps((registered_by_script(), cloudpickle.dumps(build)))
        except Exception as error:
            raise ValueError(
                f"The learner can't be sent to other processes ({error}); make its parts picklable, or use processes=1."
            ) from error
        self.size, self._workers = size, WorkerProcesses()
        try:
            for rank in range(1, size):
                self._workers.start("metarl.learners.data_parallel", {"rank": rank, "size": size})
            self._send([pickled] * (size - 1))
            self._receive()
        except BaseException:
            self.close()
            raise

    def order(self, command: str, *arguments: Any) -> None:
        """Have every other process call `command`, and don't wait for it."""
        self._send([cloudpickle.dumps((command, arguments))] * (self.size - 1))

    def answers(self) -> list[Any]:
        """What the last order gave, by rank from 1."""
        return [cloudpickle.loads(data) for data in self._receive()]

    def everyones(self, data: bytes) -> list[bytes]:
        """What each process gave, by rank."""
        everything = [data, *self._receive()]
        self._send([packed(others(everything, rank)) for rank in range(1, self.size)])
        return everything

    def close(self) -> None:
        """End the other processes."""
        self._workers.close()

    def _send(self, parts: Sequence[bytes]) -> None:
        for rank, part in enumerate(parts, 1):
            try:
                self._workers.connections[rank - 1].send_bytes(part)
            except OSError as error:
                raise self._failure(rank) from error

    def _receive(self) -> list[bytes]:
        received = []
        for rank in range(1, self.size):
            try:
                data = self._workers.connections[rank - 1].recv_bytes()
            except (EOFError, OSError) as error:
                raise self._failure(rank) from error
            if data[:1] == FAILED:
                self.close()
                raise PlugInError(f"Process {rank} of {self.size} failed: {data[1:].decode()}")
            received.append(data[1:])
        return received

    def _failure(self, rank: int) -> PlugInError:
        message = f"Process {rank} of {self.size} {self._workers.cause_of_death(rank - 1)}; start again from the last checkpoint."
        self.close()
        return PlugInError(message)


FINE, FAILED = b"\0", b"\1"


class Hand:
    """What another process of the crew knows of it."""

    def __init__(self, pipe: Any, rank: int, size: int):
        self.pipe, self.rank, self.size = pipe, rank, size

    def everyones(self, data: bytes) -> list[bytes]:
        """What each process gave, by rank."""
        self.pipe.send_bytes(FINE + data)
        rest = unpacked(self.pipe.recv_bytes(), self.size - 1)
        return [*rest[: self.rank], data, *rest[self.rank :]]


def others(everything: list[bytes], rank: int) -> list[bytes]:
    """All but the part of `rank`."""
    return [*everything[:rank], *everything[rank + 1 :]]


def packed(parts: list[bytes]) -> bytes:
    """Several parts of one message; a single one is not copied."""
    return parts[0] if len(parts) == 1 else cloudpickle.dumps(parts)


def unpacked(message: bytes, count: int) -> list[bytes]:
    """The `count` parts of a message."""
    return [message] if count == 1 else cloudpickle.loads(message)


def serve(connection: int, lifeline: int, patience: float, rank: int, size: int) -> None:
    """What another process of the crew does: carry out orders until the pipe closes."""
    pipe = enter_worker(connection, lifeline, patience)
    torch.set_num_threads(1)
    try:
        registered, build = cloudpickle.loads(pipe.recv_bytes())
        register_in_worker(registered)
        learner = cloudpickle.loads(build)(Hand(pipe, rank, size))
        pipe.send_bytes(FINE)
        while True:
            command, arguments = cloudpickle.loads(pipe.recv_bytes())
            pipe.send_bytes(FINE + cloudpickle.dumps(getattr(learner, command)(*arguments)))
    except (EOFError, ConnectionError):
        pass
    except Exception as error:
        trace = "" if isinstance(error, PlugInError) else f"\n\n{''.join(traceback.format_exception(error))}"
        with suppress(OSError):  # the first process may have failed too
            pipe.send_bytes(FAILED + f"{error}{unknown_to_workers(error.__cause__)}{trace}".encode())


class CrewLearner(ABC):
    """A learner that `config.processes` processes run together: all do an update at once, each its own share.

    Args:
        config: settings. device: where it learns.
        recruit: makes the same learner in another process, called as recruit(share=...).
        share: this process's part; the first process starts the others at its first update.

    Raises:
        ValueError: there are several processes for a GPU.
    """

    def __init__(self, config: Any, device: str, recruit: Callable[..., Self], share: Share):
        if config.processes > 1 and torch.device(device).type != "cpu":
            raise ValueError(f"Several processes are for a CPU; on {device}, use processes=1.")
        self.config, self.share, self._recruit = config, share, recruit
        self._of_others: dict[str, Any] = {}  # what `own_state` gave in the other processes, by rank
        self._lost = False  # whether they ended amid an update, or before they could tell

    def own_seed(self, streams: int) -> int:
        """What names the streams that no other process draws from."""
        return streams if self.share.rank == 0 else derive_seed(streams, "process", self.share.rank)

    @abstractmethod
    def play_and_improve(self) -> Metrics:
        """An update, in every process of the crew."""

    @abstractmethod
    def trained_tensors(self) -> Iterable[Tensor]:
        """All that an update trains, normalisers included, as it is now."""

    @abstractmethod
    def own_state(self) -> dict[str, Any]:
        """What no other process has: streams of random numbers, and what else is this one's share."""

    @abstractmethod
    def load_own_state(self, state: dict[str, Any]) -> None:
        """Take over what `own_state` gave."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on; the other processes' own parts are under "crew"."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""

    def update(self) -> Metrics:
        """Play, then improve: `play_and_improve` in all processes at once.

        Raises:
            ValueError: training diverged. PlugInError: a process failed, or an update before broke off.
        """
        metrics = self.play_and_improve() if self.config.processes == 1 else self._update_together()
        check_update(int(metrics["iteration"]), metrics, self.trained_tensors())
        return metrics

    def _update_together(self) -> Metrics:
        """The same update in all processes at once."""
        self._check_whole()
        captain, threads = self._captain, torch.get_num_threads()
        torch.set_num_threads(1)  # as in the others: sums by other numbers of threads round differently
        try:
            captain.order("play_and_improve")
            metrics = self.play_and_improve()
            captain.answers()
        except BaseException:  # the others stand amid an update, which nobody will finish
            self._lost = True
            self._dismiss()
            raise
        finally:
            torch.set_num_threads(threads)
        return metrics

    @cached_property
    def _captain(self) -> Captain:
        """The other processes, started by the first update, in the state that this learner is in."""
        captain = Captain(partial(_recruited, self._recruit), self.config.processes)
        captain.order("join", self.state_dict())
        captain.answers()
        self.share = captain
        return captain

    def join(self, state: dict[str, Any]) -> None:
        """In another process of the crew: take over the first one's state, with the parts that are this one's own."""
        own = self.own_state()
        self.load_state_dict(state)
        self.load_own_state(state["crew"].get(str(self.share.rank), own))

    def state_of_others(self) -> dict[str, Any]:
        """By rank, what `own_state` gives in the other processes."""
        self._check_whole()
        if "_captain" not in self.__dict__ or self.share.rank > 0:
            return self._of_others
        self._captain.order("own_state")
        return {str(rank): state for rank, state in enumerate(self._captain.answers(), 1)}

    def load_others(self, state: dict[str, Any]) -> None:
        """Have the other processes go on from `state` too, now or when they are started."""
        self._of_others, self._lost = state.get("crew", {}), False
        if "_captain" in self.__dict__:
            self._captain.order("join", state)
            self._captain.answers()

    def release(self) -> None:
        """End the other processes; the next update starts them in the state that this learner is in by then."""
        if "_captain" in self.__dict__:
            self.close()

    def close(self) -> None:
        """End the other processes and release the environments' workers."""
        try:
            self._of_others = self.state_of_others()
        except PlugInError:  # a process is dead
            self._lost = True
        finally:
            self._dismiss()
            if "env" in self.__dict__:
                self.__dict__.pop("env").close()

    def _check_whole(self) -> None:
        if self._lost:
            raise PlugInError(
                "An update broke off, and what the other processes held is lost; load the last checkpoint, or make a new learner."
            )

    def _dismiss(self) -> None:
        """End the other processes, in whatever state they are."""
        if "_captain" in self.__dict__:
            self.__dict__.pop("_captain").close()
            self.share = ALONE


def _recruited(recruit: Callable[..., Any], share: Share) -> Any:
    return recruit(share=share)


def added(share: Share, tensor: Tensor) -> Tensor:
    """The sum of everyone's `tensor` [n] float32, added in the same order everywhere."""
    if share.size == 1:
        return tensor
    parts = [np.frombuffer(data, np.float32) for data in share.everyones(tensor.contiguous().numpy().tobytes())]
    return torch.from_numpy(np.add.reduce(parts))


def gathered(share: Share, tensors: Sequence[Tensor], dim: int) -> list[Tensor]:
    """Everyone's `tensors`, each joined along `dim` by rank; unless that is the first, shorter ones are filled up along the first."""
    if share.size == 1:
        return list(tensors)
    everything = share.everyones(cloudpickle.dumps([tensor.numpy() for tensor in tensors], protocol=5))
    everyones = [[torch.from_numpy(array) for array in cloudpickle.loads(data)] for data in everything]
    return [torch.cat(parts if dim == 0 else filled(parts), dim) for parts in zip(*everyones, strict=True)]


def filled(parts: Sequence[Tensor]) -> list[Tensor]:
    """Parts [n, ...], the shorter ones with zeros behind them."""
    length = max(map(len, parts))
    return [torch.cat([part, part.new_zeros((length - len(part), *part.shape[1:]))]) if len(part) < length else part for part in parts]


def everyones_rollout(share: Share, rollout: Rollout, num_seeds: int) -> Rollout:
    """The rollout of all processes, each seed's columns by rank; shorter ones are filled up with steps that don't count."""
    if share.size == 1:
        return rollout
    kept = [name for name in Step._fields if name != "final_observation"]  # which only holds a place in a rollout
    tensors = [*(getattr(rollout.steps, name) for name in kept), *(part for part in rollout[1:] if part is not None)]
    whole = [part.flatten(1, 2) for part in gathered(share, [tensor.unflatten(1, (num_seeds, -1)) for tensor in tensors], 2)]
    steps = dict(zip(kept, whole, strict=False))
    return Rollout(Step(**steps, final_observation=steps["prev_reward"]), *whole[len(kept) :])
