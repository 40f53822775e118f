"""Runs commands in forks of a process that has imported everything once.

    python -m tests.crash_zygote

Reads JSON objects, one a line: `arguments` of the command line, and `most`, the
bytes that a file may have, or null. Each is answered by the number of the
process, and once that has ended by its exit code. What it says goes to standard
error, and a line of NUL after it.
"""

import json
import os
import resource
import signal
import sys


def main() -> None:
    """See the module."""
    from tfadrec.cli import main as command
    from tfadrec.cli.command import load_tensorflow

    load_tensorflow()
    from tensorflow.python.autograph.core import config

    import tfadrec.evaluation.page
    import tfadrec.serving.bundle
    from tfadrec import data, evaluation, serving, training, tuning  # noqa: F401

    rule = config.DoNotConvert("tfadrec")  # which takes seconds
    config.CONVERSION_RULES = (rule, *config.CONVERSION_RULES)
    # It would start a process of its own, which takes ten seconds.
    tfadrec.serving.bundle.check_parity = lambda *_, **__: None
    for line in sys.stdin:
        task = json.loads(line)
        child = os.fork()
        if not child:
            _work(command, task)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print("\n\0", file=sys.stderr, flush=True)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _work(command, task) -> None:
    """A command, in a process of its own, which ends with it."""
    code = 1
    try:
        # A shell that started the tests in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(2, 1)
        if task["most"] is not None:
            most = int(task["most"])
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        command(task["arguments"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
