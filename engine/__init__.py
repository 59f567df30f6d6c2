"""The pure half: what Setpoint decides. No threads, no sockets, no files, no clock."""
