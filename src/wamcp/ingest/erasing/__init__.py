"""Erasing people: what is theirs leaves the raw events, the rows, the files and the audit, and does not come back."""
