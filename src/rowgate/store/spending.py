"""What applications have read, by day, inside a transaction: a row or two for each application that has a budget."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from rowgate.ports.spending import Spent
from rowgate.store.schema import applications, spending


class SqlSpendingWriter:
    """See `ports.spending.SpendingWriter`."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection of the open transaction."""
        self._connection = connection

    def add(self, application_number: int, day: int, more: Spent) -> None:
        """See `ports.spending.SpendingWriter`."""
        run, own = self._connection.execute, spending.c.application == application_number
        if run(sa.select(applications.c.number).where(applications.c.number == application_number)).first() is None:
            return
        # not the day before: at midnight another worker's clock may still have it, and would begin it anew
        run(sa.delete(spending).where(own, spending.c.day < day - 1))
        added = {"rows": spending.c.rows + more.rows, "bytes": spending.c.bytes + more.bytes}
        if run(sa.update(spending).where(own, spending.c.day == day).values(**added)).rowcount == 0:
            values = {"application": application_number, "day": day, "rows": more.rows, "bytes": more.bytes}
            run(sa.insert(spending).values(**values))

    def list_all(self, day: int) -> Mapping[int, Spent]:
        """See `ports.spending.SpendingWriter`."""
        columns = sa.select(spending.c.application, spending.c.rows, spending.c.bytes).where(spending.c.day == day)
        return {number: Spent(rows, sent) for number, rows, sent in self._connection.execute(columns)}
