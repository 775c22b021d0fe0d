"""Mailhealth's domain: bytes in, events and numbers out. Importing it touches no network and no user interface."""

__version__ = "0.1.0"
