# SPDX-License-Identifier: ISC
"""A few processes that each own a sandbox and are given tasks until there are none left."""

import multiprocessing
import os
import signal
import traceback
from multiprocessing.connection import wait


def _serve(pipe, make):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = None
    try:
        worker = make()
        while True:
            task = pipe.recv()
            if task is None:
                break
            pipe.send((None, getattr(worker, task[0])(*task[1:])))
    except EOFError:
        pass
    except BaseException:  # the parent shows it and fails
        pipe.send((traceback.format_exc(), None))
    finally:
        if worker:
            worker.close()


class Actors:
    """`make()` is called in each of `jobs` processes and returns an object with close()."""

    def __init__(self, make, jobs):
        context = multiprocessing.get_context("fork")
        self.pipes, self.processes = [], []
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            p = context.Process(target=_serve, args=(theirs, make), daemon=True)
            p.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(p)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pipe in self.pipes:
            try:
                pipe.send(None)
            except OSError:
                pass
        for p in self.processes:
            p.join(30)
            if p.is_alive():
                os.kill(p.pid, signal.SIGKILL)

    def ask(self, i, *task):
        self.pipes[i].send(task)
        return self.answer(i)

    def answer(self, i):
        try:
            trouble, value = self.pipes[i].recv()
        except EOFError:
            trouble = "a test process ended without a word"
        if trouble:
            raise RuntimeError(trouble)
        return value

    def each(self, tasks):
        """tasks[i] is a list for process i alone; yields (task, value) as they come."""
        queues = [list(reversed(t)) for t in tasks]
        yield from self._drive(lambda i: queues[i].pop() if queues[i] else None)

    def spread(self, tasks):
        """`tasks` is an iterator for whoever is free; it may end early when it learns to."""
        tasks = iter(tasks)
        yield from self._drive(lambda i: next(tasks, None))

    def _drive(self, pick):
        running = {}

        def give(i):
            task = pick(i)
            if task is not None:
                self.pipes[i].send(task)
                running[i] = task

        for i in range(len(self.pipes)):
            give(i)
        while running:
            for pipe in wait([self.pipes[i] for i in running]):
                i = self.pipes.index(pipe)
                task = running.pop(i)
                value = self.answer(i)
                give(i)
                yield i, task, value
