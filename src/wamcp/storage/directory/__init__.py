"""The directory driver: objects as files of one machine, durable once they were put."""
