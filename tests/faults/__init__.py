"""Faults of the machine under WAMCP, one file for each: nothing acknowledged is lost, nothing is stored twice."""
