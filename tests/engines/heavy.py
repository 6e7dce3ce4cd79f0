"""Which engines need a server, or a library, that is run by a command of its own."""

import pytest

HEAVY = {
    "mariadb": [pytest.mark.engines],  # by `make test-engines`
    "parquet": [pytest.mark.engines],
    "iceberg": [pytest.mark.engines],
    "clickhouse": [pytest.mark.engines, pytest.mark.clickhouse],  # by `make test-clickhouse`
    "mysql": [pytest.mark.engines, pytest.mark.mysql],  # by `make test-mysql`
    "trino": [pytest.mark.engines, pytest.mark.trino],  # by `make test-trino`
}
