"""``python -m actors.cli``: the same as ``setpoint``."""

from actors.cli import main

if __name__ == "__main__":
    main()
