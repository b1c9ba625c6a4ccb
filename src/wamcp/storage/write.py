"""Writing into the object store."""
