"""What is of OCPP 2.0.1 alone in a simulated charge point, which is called a charging station."""
