"""Asks as an analyst's notebook does: adbc.py URI TOKEN."""

import sys

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error

uri, token = sys.argv[1:]
bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}


def refusal(connection, sql):
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
            cursor.fetchall()
        except Error as error:
            return str(error)
    return "nothing"


with flight_sql.connect(uri, db_kwargs=bearer, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM events")
        events = cursor.fetch_arrow_table()
        print("events", events.num_rows)
        print("tenants", *set(events["tenant"].to_pylist()))
        cursor.execute("SELECT count(*) FROM events WHERE status = $1 AND action = $2", (401, "login"))
        print("bound", cursor.fetchone()[0])
    objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    tables = objects[0]["catalog_db_schemas"][0]["db_schema_tables"]
    print("tables", *sorted(table["table_name"] for table in tables))
    schema = connection.adbc_get_table_schema("events", db_schema_filter="public")
    print("column time", schema.field("time").type)
    print("vendor", connection.adbc_get_info()["vendor_name"])
    for sql in ["SELECT * FROM evnts", "DROP TABLE events"]:
        print("refused", refusal(connection, sql))

with flight_sql.connect(uri, db_kwargs={"username": "anybody", "password": token}, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 AS x")
        print("password", cursor.fetchone()[0])

try:
    wrong = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer wf_wrong"}
    with flight_sql.connect(uri, db_kwargs=wrong, autocommit=True) as connection:
        print("wrong", refusal(connection, "SELECT 1"))
except Error as error:
    print("wrong", "UNAUTHENTICATED" if "nauthenticated" in str(error) else error)
