"""How a run learned, and with which settings."""

from html import escape

from tfadrec.report.chart import lines
from tfadrec.training import Run


def learning_section(run: Run) -> list[str]:
    """Curves over the epochs, with the one that was kept.

    Args:
      run: of `training.load_run`.
    """
    epochs = range(1, len(run.history) + 1)
    curves = {
        name: [
            (float(epoch), float(found[name]))
            for epoch, found in zip(epochs, run.history, strict=True)
            if name in found
        ]
        for name in dict.fromkeys(n for e in run.history for n in e)
    }
    losses = {n: c for n, c in curves.items() if n in ("loss", "val_log_loss")}
    monitor = f"val_{run.monitor}"
    figures = [
        lines(
            name,
            shown,
            across="epoch",
            up=name,
            mark=float(run.best_epoch),
            dots=True,
        )
        for name, shown in (
            ("loss", losses),
            (monitor, {monitor: curves.get(monitor, [])}),
        )
        if name != "loss" or losses
    ]
    return [
        "<h2>Learning</h2>",
        f"<p>{len(run.history)} epochs; the marked one, {run.best_epoch}, has "
        f"the best {escape(monitor)}, and its weights were kept.</p>",
        *figures,
    ]


def settings_section(run: Run) -> list[str]:
    """The settings as they were given.

    Args:
      run: of `training.load_run`.
    """
    return [
        "<h2>Settings</h2>",
        f"<pre>{escape(run.config.to_yaml())}</pre>",
    ]
