"""Protocols, pure: how commands are spelled and what devices say."""
