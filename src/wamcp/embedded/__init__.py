"""The servers that WAMCP brings along, Postgres and Valkey, and how to keep processes alive and end them."""
