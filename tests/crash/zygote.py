"""Runs commands in forks of a process that has imported everything once.

    python -m tests.crash.zygote

A command then costs itself alone, and not the ten seconds in which TensorFlow
is imported. No op is run here, so that a fork has no threads to miss. In the
forks functions of TensorFlow are run op by op, as to trace them takes seconds;
all that is written is written by the command itself.

Reads JSON objects, one a line, with keys as `Forks.run` has them. Each is
answered by the number of the process, and once that has ended by its exit code
and the seconds of a processor that it took. What it says goes to standard
error, and a line of NUL after it.
"""

import json
import os
import resource
import signal
import sys

#: Python's names of what changes a file or a folder.
_CHANGES = {
    *("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate"),
    *("os.link", "os.symlink"),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main() -> None:
    """See the module."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1"}
    os.environ |= {"TF_NUM_INTEROP_THREADS": "1"}
    from tfadrec.cli import main as command
    from tfadrec.cli.command import load_tensorflow

    load_tensorflow()
    from tensorflow.python.autograph.core import config

    import tfadrec.evaluation.page
    import tfadrec.serving.bundle
    from tfadrec import (  # noqa: F401
        data,
        evaluation,
        monitoring,
        serving,
        training,
        tuning,
    )
    from tfadrec.core.door import tf

    tf.config.run_functions_eagerly(True)
    rule = config.DoNotConvert("tfadrec")
    config.CONVERSION_RULES = (rule, *config.CONVERSION_RULES)
    # It would start a process of its own, which takes ten seconds.
    tfadrec.serving.bundle.check_parity = lambda *_, **__: None
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if not child:
            _work(command, task)
        print(child, flush=True)
        _, status, used = os.wait4(child, 0)
        print("\n\0", file=sys.stderr, flush=True)
        code = os.waitstatus_to_exitcode(status)
        print(code, used.ru_utime + used.ru_stime, flush=True)


def _work(command, task) -> None:
    """A command, in a process of its own, which ends with it."""
    code = 1
    changes = _Changes(task["home"], task["change"], task["way"])
    try:
        # A shell that started the tests in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(2, 1)
        os.environ["TFADREC_CACHE"] = f"{task['home']}/cache"
        if task["most"] is not None:
            most = int(task["most"])
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        sys.addaudithook(changes)
        command(task["arguments"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        print(f"\n{changes.seen} changes", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Changes:
    """Counts what this process changes in a folder, and ends it at one."""

    def __init__(self, home, last, way):
        self._home, self._last, self._way = home, last, way
        self.seen = 0

    def __call__(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            is_one = isinstance(flags, int) and flags & _WRITES
        else:
            path, is_one = (arguments or (None,))[0], event in _CHANGES
        # Those of a folder that is being removed are named without it.
        if is_one and isinstance(path, str | os.PathLike):
            path = os.fspath(path)
            if path.startswith(self._home) or "/" not in path:
                self.seen += 1
                if self.seen == self._last:
                    os.kill(os.getpid(), self._way)


if __name__ == "__main__":
    main()
