import pytest

from engine.intake import Matching, match
from engine.rules import AssetRules
from engine.types import AssetId, AssetKind

CHARGER, BATTERY = AssetKind.EV_CHARGER, AssetKind.BATTERY


def site(*entries: tuple[str, AssetKind, str]) -> dict[AssetId, AssetRules]:
    """Return the rules of assets by name, kind and schedule key."""
    return {
        AssetId(name): AssetRules(AssetId(name), kind, "test", key, 22_000)
        for name, kind, key in entries
    }


def rules_of(matching: Matching) -> list[tuple[str, str | None]]:
    """Return rule and column of each problem."""
    return [(problem.rule, problem.column) for problem in matching.problems]


DEPOT = site(("bay_1", CHARGER, "001"), ("bay_2", CHARGER, "ev_002"), ("batt", BATTERY, "battery"))
COLUMNS = ["ev_001_kw", "load_kw", "battery_charge_kw", "battery_discharge_kw", "ev_002_kw"]


def test_columns_belong_to_the_assets_whose_schedule_key_they_name() -> None:
    """Each power finds its asset's channel; what is no power of an asset is ignored and listed."""
    assert match(COLUMNS, DEPOT, None) == Matching(
        {AssetId("bay_1"): 0, AssetId("batt"): 2, AssetId("bay_2"): 4},
        {AssetId("batt"): 3},
        ("load_kw",),
        (),
    )


@pytest.mark.parametrize("column", ["ev_ev_002_kw", "ev_002_kw"])
def test_a_vehicle_id_that_begins_with_ev_may_be_written_either_way(column: str) -> None:
    """Both spellings are taken where only one asset fits."""
    found = match([column], DEPOT, None)
    assert found.charge == {"bay_2": 0}
    assert found.problems == ()


def test_a_column_that_could_be_one_of_two_vehicles_is_refused() -> None:
    """With vehicles 7 and ev_7 the column ev_7_kw is ambiguous; ev_ev_7_kw is not."""
    both = site(("a", CHARGER, "7"), ("b", CHARGER, "ev_7"), ("c", CHARGER, "ev_7"))
    found = match(["ev_7_kw"], both, None)
    assert rules_of(found) == [("ambiguous_column", "ev_7_kw")]
    assert found.problems[0].message == "could belong to a or b or c"
    two = site(("a", CHARGER, "7"), ("b", CHARGER, "ev_7"))
    assert match(["ev_ev_7_kw"], two, None).charge == {"b": 0}


def test_a_column_that_cannot_be_written_down_is_refused() -> None:
    """Also one that would be ignored: it is listed in what is recorded."""
    found = match(["ev_001_kw", "\ud800"], DEPOT, None)
    assert rules_of(found) == [("column_name", r"'\ud800'")]


def test_an_asset_of_the_other_kind_does_not_make_a_column_ambiguous() -> None:
    """Only a charger fits a vehicle's column."""
    mixed = site(("a", BATTERY, "7"), ("b", CHARGER, "ev_7"))
    assert match(["ev_7_kw"], mixed, None).charge == {"b": 0}


def test_several_batteries_are_told_apart_by_their_ids() -> None:
    """The id stands between ``battery_`` and the channel."""
    pair = site(("north", BATTERY, "n"), ("south", BATTERY, "battery"))
    columns = ["battery_n_discharge_kw", "battery_charge_kw", "battery_n_charge_kw"]
    found = match(columns, pair, None)
    assert found.charge == {"south": 1, "north": 2}
    assert found.discharge == {"north": 0}
    assert found.problems == ()


def test_one_batterys_columns_are_not_anothers() -> None:
    """Two batteries under one key cannot be told apart, on either channel."""
    twins = site(("a", BATTERY, "battery"), ("b", BATTERY, "battery"))
    found = match(["battery_charge_kw", "battery_discharge_kw"], twins, None)
    assert rules_of(found) == [
        ("ambiguous_column", "battery_charge_kw"),
        ("ambiguous_column", "battery_discharge_kw"),
    ]


@pytest.mark.parametrize(
    "column", ["ev_9_kw", "battery_9_charge_kw", "battery_9_discharge_kw", "ev_charge_kw"]
)
def test_a_power_without_an_asset_is_refused(column: str) -> None:
    """A column that names a vehicle or battery must not be dropped in silence."""
    found = match([*COLUMNS, column], DEPOT, None)
    assert rules_of(found) == [("no_asset", column)]
    assert column not in found.ignored


@pytest.mark.parametrize("column", ["battery_001_charge_kw", "ev_battery_kw"])
def test_a_power_of_an_asset_of_the_wrong_kind_is_refused(column: str) -> None:
    """A charger has no battery's column, and a battery no vehicle's."""
    assert rules_of(match([*COLUMNS, column], DEPOT, None)) == [("wrong_kind", column)]


@pytest.mark.parametrize("column", ["ev_kw", "battery_soc_kw", "EV_001_kW", "", 7, ("ev_001_kw",)])
def test_what_names_no_vehicle_and_no_battery_is_ignored(column: str | int) -> None:
    """Other columns, whatever their labels are, are listed as text."""
    assert match([*COLUMNS, column], DEPOT, None).ignored == ("load_kw", str(column))


def test_a_schedule_without_any_power_is_refused() -> None:
    """There is nothing to do in it."""
    assert rules_of(match(["load_kw"], DEPOT, None)) == [("no_columns", None)]


def test_a_repeated_column_is_refused_once_by_name() -> None:
    """Also one that would be ignored: which of them was meant is not for us to say."""
    found = match([*COLUMNS, "ev_001_kw", "load_kw", "load_kw"], DEPOT, None)
    assert rules_of(found) == [("duplicate_column", "ev_001_kw"), ("duplicate_column", "load_kw")]
    assert found.problems[1].message == "the column is there 3 times"


def test_two_columns_for_one_power_are_refused() -> None:
    """Both spellings at once leave open which is meant."""
    found = match(["ev_002_kw", "ev_ev_002_kw"], DEPOT, None)
    assert rules_of(found) == [("same_power", "ev_ev_002_kw")]
    assert found.problems[0].message == "ev_002_kw sets the same power of bay_2"


def test_an_asset_map_takes_the_place_of_schedule_keys() -> None:
    """With a map, only what it names is known."""
    found = match(["ev_van_kw", "battery_x_charge_kw"], DEPOT, {"van": "bay_1", "x": "batt"})
    assert found.charge == {"bay_1": 0, "batt": 1}
    assert found.problems == ()
    assert rules_of(match(["ev_van_kw", "ev_001_kw"], DEPOT, {"van": "bay_1"})) == [
        ("no_asset", "ev_001_kw")
    ]


def test_an_asset_map_may_only_name_assets_of_the_site() -> None:
    """The unknown id is named, and its column has no asset."""
    found = match(["ev_van_kw", "ev_bus_kw"], DEPOT, {"van": "bay_9", "bus": "bay_2"})
    assert rules_of(found) == [("unknown_asset", None), ("no_asset", "ev_van_kw")]
    assert found.problems[0].value == "bay_9"


def test_an_entry_of_an_asset_map_without_a_column_is_refused() -> None:
    """A key that is misspelt would leave its asset without a plan."""
    found = match(["ev_van_kw"], DEPOT, {"van": "bay_1", "battery": "batt"})
    assert rules_of(found) == [("asset_map", None)]
    assert found.problems[0].value == "battery"


def test_two_keys_of_an_asset_map_may_not_share_an_asset_in_one_schedule() -> None:
    """Their columns would set the same power."""
    found = match(["ev_a_kw", "ev_b_kw"], DEPOT, {"a": "bay_1", "b": "bay_1"})
    assert rules_of(found) == [("same_power", "ev_b_kw")]
