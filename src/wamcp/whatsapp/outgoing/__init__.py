"""What may be sent: Meta's JSON for each type of message, checked against Meta's limits before Meta sees it."""
