"""How times are written that are filtered by."""

import dataclasses

from tfadrec.data.sources.table_spec import ColumnSpec, TableConfig, TableSpec


def with_known_times(config: TableConfig) -> TableConfig:
    """The settings, with filters that know how the times they read are written.

    A section may say it of the column, else another section of the same file.
    """
    tables = [
        table
        for table in (config.ads, config.users, config.events)
        if table is not None
    ]
    known: dict[tuple[str, str], ColumnSpec] = {}
    for table in [*tables, config.impressions]:
        time = table.columns.get("timestamp")
        if time is not None:
            known.setdefault((table.place, time.column), time)

    return dataclasses.replace(
        config,
        ads=_told(config.ads, known),
        users=config.users and _told(config.users, known),
        events=config.events and _told(config.events, known),
        impressions=_told(config.impressions, known),
    )


def _told(
    table: TableSpec, known: dict[tuple[str, str], ColumnSpec]
) -> TableSpec:
    """The section, whose own time counts before those of others."""
    own = table.columns.get("timestamp", ColumnSpec(""))
    times = {**known, (table.place, own.column): own}
    where = []
    for each in table.where:
        time = times.get((table.place, each.column), ColumnSpec(""))
        where.append(
            dataclasses.replace(
                each,
                time_format=time.format,
                timezone=time.timezone,
                unit=time.unit,
            )
        )
    return dataclasses.replace(table, where=tuple(where))
