"""Names that must differ between engines; given by the caller where runs have to repeat."""

import secrets

import attrs


@attrs.frozen
class Ids:
    """``instance`` names this engine in the seals; two engines on one store differ in it."""

    instance: str = attrs.field(factory=lambda: secrets.token_hex(8))
