"""Settings as people write them, read with a word for the likeliest mistake."""

from collections.abc import Iterable

from tfadrec.core.config import RunConfig, read_settings
from tfadrec.core.errors import InputError
from tfadrec.runs.sections import sections_with


def read_config(text: str | bytes) -> RunConfig:
    """As `RunConfig.from_yaml`, where settings may stand in the wrong place.

    Raises:
      InputError: likewise, or with the section that a setting belongs to.
    """
    refuse_misplaced(read_settings(text))
    return RunConfig.from_yaml(text)


def refuse_misplaced(names: Iterable[str]) -> None:
    """Refuses settings that stand beside the sections.

    Args:
      names: of what stands there.

    Raises:
      InputError: with the section that one belongs to. What belongs to none is
        passed over.
    """
    known = {*RunConfig().sections(), "model", "distil"}
    for name in names:
        if name in known or not (sections := sections_with(name)):
            continue
        raise InputError(
            "a setting must stand in its section. Received: "
            f"{name!r} beside the sections. Write "
            f"{' or '.join(f'`{s}: {{{name}: …}}`' for s in sections)}."
        )
