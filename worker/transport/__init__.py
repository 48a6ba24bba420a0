"""The broker: connection, names, bytes to values and back; the only rooms that import paho."""
