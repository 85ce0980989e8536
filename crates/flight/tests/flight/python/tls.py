"""Asks over TLS, with the certificate's authority and without: tls.py URI TOKEN CERTIFICATE."""

import sys

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_manager import Error

uri, token, certificate = sys.argv[1:]
bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
trusting = bearer | {DatabaseOptions.TLS_ROOT_CERTS.value: open(certificate).read()}


def ask(options):
    with flight_sql.connect(uri, db_kwargs=options, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 AS x")
            return cursor.fetchone()[0]


print("trusted", ask(trusting))
try:
    print("untrusted", ask(bearer))
except Error:
    print("untrusted refused")
