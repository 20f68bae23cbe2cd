"""Who does the work: this process, a pool of processes, or a cluster; and how it is told while it goes on."""

from __future__ import annotations

import pickle
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from .settings import UserError

Notify = Callable[[str, int, int], None]


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; one of them is enough to say so and to end the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _silent(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Workers:
    """Runs independent pieces of work; results do not depend on how many there are. ``with`` ends its processes.

    n_workers
        Processes; 1 works in this process.
    scheduler
        Address of a running dask scheduler; needs the extra ``amiplan[cluster]``. None uses local processes.
    notify
        Called with (step, pieces done, pieces) as work proceeds.
    """

    def __init__(self, n_workers: int = 1, scheduler: str | None = None, notify: Notify = _silent) -> None:
        self.n_workers = max(1, n_workers)
        self.scheduler = scheduler
        self.notify = notify
        self.timings_s: dict[str, float] = {}
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Send the processes home, if any were started."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def step(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """One piece of work in this process, timed."""
        self.notify(name, 0, 1)
        begin = time.perf_counter()
        result = function(*arguments)
        self.timings_s[name] = round(time.perf_counter() - begin, 3)
        self.notify(name, 1, 1)
        return result

    def map(
        self, name: str, function: Callable[..., Any], pieces: Iterable[Any], *shared: Any, keep: Path | None
    ) -> list[Any]:
        """``function(piece, *shared)`` for every piece, in the order of the pieces.

        keep
            A folder in which finished pieces are stored and from which they are taken again.

        Raises OSError where the system does not let it store one.
        """
        pieces = list(pieces)
        begin = time.perf_counter()
        results = [_kept(keep, number) for number in range(len(pieces))]
        open_pieces = [number for number, one in enumerate(results) if one is None]
        self.notify(name, len(pieces) - len(open_pieces), len(pieces))
        for done, (number, result) in enumerate(self._finished(function, pieces, shared, open_pieces), start=1):
            results[number] = result
            _keep(keep, number, result)
            self.notify(name, len(pieces) - len(open_pieces) + done, len(pieces))
        self.timings_s[name] = round(time.perf_counter() - begin, 3)
        return results

    def _finished(
        self, function: Callable[..., Any], pieces: list[Any], shared: tuple[Any, ...], numbers: list[int]
    ) -> Iterable[tuple[int, Any]]:
        if self.scheduler is not None:
            yield from self._on_cluster(function, pieces, shared, numbers)
        elif self.n_workers == 1 or len(numbers) < 2:
            for number in numbers:
                yield number, function(pieces[number], *shared)
        else:
            yield from self._in_processes(function, pieces, shared, numbers)

    def _in_processes(
        self, function: Callable[..., Any], pieces: list[Any], shared: tuple[Any, ...], numbers: list[int]
    ) -> Iterable[tuple[int, Any]]:
        """Processes start with the first work that is shared out and stay for the next."""
        if self._pool is None:
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self.n_workers, context, initializer=_leave_interrupts_to_the_parent)
        futures = {number: self._pool.submit(function, pieces[number], *shared) for number in numbers}
        try:
            for number, future in futures.items():
                yield number, future.result()
        except KeyboardInterrupt:
            for child in active_children():
                child.terminate()
            self.close()
            raise
        finally:
            for future in futures.values():
                future.cancel()

    def _on_cluster(
        self, function: Callable[..., Any], pieces: list[Any], shared: tuple[Any, ...], numbers: list[int]
    ) -> Iterable[tuple[int, Any]]:
        try:
            from distributed import Client
        except ImportError:
            raise UserError("--scheduler needs the extra: pip install 'amiplan[cluster]'") from None
        try:
            client = Client(self.scheduler)
        except (OSError, ValueError) as error:
            raise UserError(f"--scheduler {self.scheduler}: {error}; give the address of a running scheduler") from None
        with client:
            futures = [client.submit(function, pieces[number], *shared, pure=False) for number in numbers]
            for number, future in zip(numbers, futures, strict=True):
                yield number, future.result()


def _kept(folder: Path | None, number: int) -> Any:
    if folder is None or not (folder / f"{number}.pickle").is_file():
        return None
    try:
        return pickle.loads((folder / f"{number}.pickle").read_bytes())
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError):
        return None


def _keep(folder: Path | None, number: int, result: Any) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{number}.unfinished"
        try:
            unfinished.write_bytes(pickle.dumps(result))
            unfinished.replace(folder / f"{number}.pickle")
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
