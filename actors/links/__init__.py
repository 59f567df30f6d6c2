"""The sockets: what an adapter spells goes out here, and what a device says comes in."""
