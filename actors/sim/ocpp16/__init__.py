"""What is of OCPP 1.6 alone in a simulated charge point."""
