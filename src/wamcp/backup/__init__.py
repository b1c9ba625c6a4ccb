"""Backup and restore: the database as pg_dump writes it, and the objects beside it, in one directory."""
