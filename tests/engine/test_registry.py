"""The registry: adapters by name."""

import pytest

from actors.bench.device import InstantAdapter
from engine.adapters.registry import AdapterRegistry
from engine.errors import UsageError


def test_an_adapter_is_found_by_its_name() -> None:
    """A later one takes the place of an earlier one."""
    first, second = InstantAdapter(), InstantAdapter()
    registry = AdapterRegistry({"ocpp": first})
    registry.register("modbus", first)
    registry.register("ocpp", second)
    assert registry.adapter_of("ocpp") is second
    assert list(registry) == ["ocpp", "modbus"]
    assert len(registry) == 2
    assert registry["modbus"] is first


@pytest.mark.parametrize(("name", "told"), [("modbos", "did you mean 'modbus'"), ("x", "'x'")])
def test_an_adapter_that_is_not_there_is_told_with_the_nearest(name: str, told: str) -> None:
    """A typing error in a site file is seen at once."""
    with pytest.raises(UsageError, match=told):
        AdapterRegistry({"modbus": InstantAdapter()}).adapter_of(name)
