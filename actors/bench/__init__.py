"""What ``setpoint bench`` runs."""
