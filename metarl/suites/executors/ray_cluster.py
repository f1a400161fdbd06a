"""Jobs as tasks of a Ray cluster, or of this machine's cores through Ray.

Ray decides where a job runs and says when a worker, a node or memory was lost. How often that may
happen is counted in the job's folder, not by Ray, whose own tries after a lack of memory have no
end. A task starts the same command in a process of its own that any executor starts, and ends with
it; nothing but its exit status comes back.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from metarl.suites.executors.executor import Ended, environment, words_of
from metarl.suites.executors.process import UNSEEN, died_of, run_to_end
from metarl.suites.job import Job
from metarl.suites.suite import SuiteError

__all__ = ["RayExecutor"]

OBJECTS = 80_000_000  # bytes that Ray holds in memory; results are files
LAST_WORDS = 40.0  # seconds that tasks have to end their processes


class RayExecutor:
    """A task a job.

    Args:
        address: of a cluster, such as "auto" or "10.0.0.1:6379"; None starts Ray on this machine.
        cores: of this machine, where Ray is started here.
        publishes: whether jobs copy what they give to their published places.

    Raises:
        SuiteError: Ray isn't installed, there is no cluster, or it has other versions.
    """

    def __init__(
        self,
        address: str | None = None,
        cores: int | None = None,
        *,
        publishes: bool = False,
    ):
        self.ray = _ray()
        self.publishes = publishes
        self._started = not self.ray.is_initialized()
        if self._started:
            _begin(self.ray, address, cores)
        # Tries are counted in the job's folder
        self._task = self.ray.remote(max_retries=0)(run_to_end)
        self._running: dict[Any, Job] = {}

    def room(self, job: Job) -> bool:
        """Return True: Ray holds jobs back until there is room."""
        return True

    def submit(self, job: Job) -> None:
        """Hand a job to Ray."""
        words = words_of(job, publishes=self.publishes, lifeline=True)
        task = self._task.options(num_cpus=job.threads, name=job.name)
        reference = task.remote(str(job.folder.resolve()), words, environment(job))
        self._running[reference] = job

    def poll(self, seconds: float) -> Sequence[Ended]:
        """Return the tasks that ended since the last call, after at most `seconds`."""
        if not self._running:
            return []
        ready, _ = self.ray.wait(list(self._running), num_returns=1, timeout=seconds)
        return [self._ended(each) for each in ready]

    def stop(self) -> None:
        """End all tasks; their processes save what they can first."""
        for reference in self._running:
            self.ray.cancel(reference)
        deadline = time.monotonic() + LAST_WORDS
        left = list(self._running)
        while left and time.monotonic() < deadline:
            _, left = self.ray.wait(left, num_returns=len(left), timeout=1.0)
        for reference in left:
            self.ray.cancel(reference, force=True)
        self._running.clear()
        if self._started:
            self.ray.shutdown()

    def _ended(self, reference: Any) -> Ended:
        job = self._running.pop(reference)
        errors = self.ray.exceptions
        try:
            status, host = self.ray.get(reference)
        except errors.OutOfMemoryError:
            return Ended(job, -1, "Ray ended it: its machine ran out of memory")
        except (errors.NodeDiedError, errors.ObjectLostError, errors.OwnerDiedError):
            return Ended(job, -1, "The machine that it ran on was lost")
        except errors.WorkerCrashedError:
            return Ended(job, -1, "The Ray worker that it ran in was lost")
        except errors.RayError as error:
            return Ended(job, -1, f"Ray couldn't run it: {type(error).__name__}: {error}")
        if status == UNSEEN:
            raise SuiteError(
                f"The machine {host} doesn't see {job.folder}: all machines of the cluster must see"
                " the same folder; put --runs on a disk that they share."
            )
        return Ended(job, status, died_of(status))


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise SuiteError(
            "Ray isn't installed: make .venv/.installed-ray, or pip install 'ray>=2.60'; or choose"
            " --executor local."
        ) from error
    return ray


def _begin(ray: Any, address: str | None, cores: int | None) -> None:
    """Connect to a cluster, or start Ray here.

    Raises:
        SuiteError: there is no such cluster, or it has other versions.
    """
    here: dict[str, Any] = {
        "num_cpus": cores,
        "include_dashboard": False,
        "object_store_memory": OBJECTS,
    }
    options = {"address": address} if address else here
    with _own_signals():
        try:
            ray.init(**options, log_to_driver=False, configure_logging=False)
        except (ConnectionError, ValueError) as error:
            raise SuiteError(
                f"There is no Ray cluster at {address}: start one (`ray start --head`), or leave"
                f" --ray-address out to use this machine alone ({error})."
            ) from error
        except RuntimeError as error:
            if "ersion mismatch" not in str(error):
                raise
            said = " ".join(str(error).split())
            raise SuiteError(
                f"The Ray cluster at {address} has other versions than this process: use the same"
                f" Python and the same Ray on both. Ray says: {said}"
            ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what signals do, which Ray's start changes."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)
