"""What an invoice or receipt says: its number, date, total and supplier, from data beside it or from its lines."""




