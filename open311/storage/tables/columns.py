"""What all tables share: the metadata with its naming convention, and functions that make columns."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(referred_table_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class TransactionId(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, xid8. `hot.changes` explains why a sequence is not used instead."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def text_column(name: str, default: str | None = "") -> Column[str]:
    """A text column that is never NULL. An empty text means no value, so that queries need no test for NULL."""
    return Column(name, Text, nullable=False, server_default=default)


def instant_column(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


def digits_of(phone: ColumnElement[str]) -> ColumnElement[str]:
    """The digits of a phone number, without zeros in front, as `domain.people.phone_digits` has them."""
    digits = func.regexp_replace(phone, text("'[^0-9]+'"), text("''"), text("'g'"))
    return func.ltrim(digits, text("'0'"))
