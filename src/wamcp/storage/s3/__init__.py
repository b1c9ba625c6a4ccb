"""The S3 driver: objects in one bucket of a server that speaks S3, for more than one machine."""
