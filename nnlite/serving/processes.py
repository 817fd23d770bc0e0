"""Several processes that do the same work: started, started again when one dies, ended together."""

import contextlib
import multiprocessing.connection
import os
import signal
import threading
import time

_LOOK = 0.2  # seconds between two looks for a signal
_PAUSE = 1.0  # seconds before a process that died is started again


def keep_running(count, work, arguments, failed, on_death):
    """Run some processes until SIGTERM or Ctrl-C, which they get, too.

    Parameters
    ----------
    count : int
    work : function
        Importable by name. What each process does; it ends when told by SIGTERM, which it also gets
        when this process is gone, however that ended.
    arguments : tuple
    failed : int
        The exit code of a process that would fail again: then all end.
    on_death : function of (pid, exit code)
        Is told each process that died of something else.

    Returns
    -------
    bool
        Whether no process failed.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when all have ended.
    """
    context = multiprocessing.get_context("spawn")  # threads of OpenMP do not survive a fork

    def started():
        process = context.Process(target=_work_of_a_parent, args=(work, *arguments))
        process.start()
        return process

    with _noted(signal.SIGTERM, signal.SIGINT) as signals:
        processes, sound = [started() for _ in range(count)], True
        while sound and not signals:
            multiprocessing.connection.wait([p.sentinel for p in processes], _LOOK)
            for place, process in enumerate(processes):
                if process.exitcode is None or signals:
                    continue
                if process.exitcode == failed:
                    sound = False
                    break
                on_death(process.pid, process.exitcode)
                time.sleep(_PAUSE)
                processes[place] = started()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
    if signal.SIGINT in signals:
        raise KeyboardInterrupt
    return sound


def _work_of_a_parent(work, *arguments):
    """The work, with a SIGTERM when the parent process is gone."""

    def watch():
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    work(*arguments)


@contextlib.contextmanager
def _noted(*kinds):
    """A list in which the signals that come are noted; nothing else happens."""
    signals = []
    before = {kind: signal.signal(kind, lambda got, _: signals.append(got)) for kind in kinds}
    try:
        yield signals
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
