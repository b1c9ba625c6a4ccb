"""What an invoice or receipt says: its number, date, total and supplier, from data beside it or from its lines."""

from wamcp.documents.invoice.fields import read_fields

__all__ = ["read_fields"]
