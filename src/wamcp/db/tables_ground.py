"""What every page of the schema is written with."""

from sqlalchemy import BigInteger, Column, Identity, MetaData, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData()
moment = TIMESTAMP(timezone=True)
now = text("now()")


def row_id() -> Column[int]:
    """The column ``id`` that Postgres counts up."""
    return Column("id", BigInteger, Identity(), primary_key=True)
