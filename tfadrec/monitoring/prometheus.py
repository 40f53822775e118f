"""The last window, as Prometheus reads it."""

import time

from tfadrec.monitoring.measured_window import MeasuredWindow

_NAME = "tfadrec_monitor"
#: What the first line of every page begins with.
BEGINNING = f"# HELP {_NAME}_alarms "


def prometheus_page(model: str, window: MeasuredWindow) -> str:
    """The measures and their bounds in Prometheus' text format.

    Args:
      model: its name.
      window: the last one.
    """
    of = model_label(model)
    lines = [f"{BEGINNING}Measures of the last window that are an alarm."]
    _add(lines, "alarms", [(of, len(window.alarms))])
    _add(lines, "requests", [(of, window.requests)])
    _add(lines, "written_timestamp_seconds", [(of, round(time.time()))])
    labels = [
        f'{of},signal="{m.signal}",measure="{m.name}"' for m in window.measures
    ]
    for name in ("value", "low", "high"):
        values = [getattr(m, name) for m in window.measures]
        _add(lines, name, list(zip(labels, values, strict=True)))
    for name in ("missing", "unknown"):
        shares = [
            (f'{of},signal="{signal}"', share[name])
            for signal, share in window.shares.items()
        ]
        _add(lines, f"{name}_share", shares)
    return "\n".join([*lines, ""])


def model_label(name: str) -> str:
    """The label of a model, which may be called as a folder can be called."""
    text = name.encode("utf-8", "replace").decode()
    for plain, written in (("\\", r"\\"), ('"', r"\""), ("\n", r"\n")):
        text = text.replace(plain, written)
    return f'model_name="{text}"'


def _add(lines: list[str], name: str, samples: list[tuple[str, float]]) -> None:
    lines.append(f"# TYPE {_NAME}_{name} gauge")
    lines += [
        f"{_NAME}_{name}{{{labels}}} {_number(value)}"
        for labels, value in samples
    ]


def _number(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), str(value))
