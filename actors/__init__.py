"""The half that does: every thread, socket, file and timer of Setpoint is in here."""
