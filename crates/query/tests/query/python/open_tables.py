"""Counts the rows of each partner in the tables below a folder, with other engines: open_tables.py FOLDER.

What belongs to a table is read from its Delta log by deltalake; DuckDB reads the Parquet files that the log names.
"""

import sys

import duckdb
from deltalake import DeltaTable

(folder,) = sys.argv[1:]
sql = "SELECT tenant, count(*), epoch_ms(min({time})), epoch_ms(max({time})) FROM {table} GROUP BY 1 ORDER BY 1"

for name, time in [("events", "time"), ("rejects", "time"), ("alert_changes", "triggered_at")]:
    table = DeltaTable(f"{folder}/{name}")
    rows = table.to_pyarrow_table()
    files = table.file_uris()
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    of_log = duck.execute(sql.format(time=time, table="rows")).fetchall()
    of_files = duck.execute(sql.format(time=time, table=f"read_parquet({files}, hive_partitioning = true)")).fetchall()
    for engine, found in [("deltalake", of_log), ("duckdb", of_files)]:
        for row in found:
            print(engine, name, *row)
