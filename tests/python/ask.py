"""Asks over Arrow Flight SQL and prints the rows, one a line: ask.py URI TOKEN SQL."""

import sys

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions

uri, token, sql = sys.argv[1:]
bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
with flight_sql.connect(uri, db_kwargs=bearer, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        for row in cursor.fetchall():
            print(*row)
