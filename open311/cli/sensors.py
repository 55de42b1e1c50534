"""`open311 sensors`: what things have sent, and the bridge from MQTT."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from open311.cli.group import CommandGroup
from open311.cli.output import say, say_table
from open311.cli.parent import end_with_parent
from open311.cli.platforms import chosen_cities, command_platform
from open311.federation.bridge import Bridge, read_config
from open311.observe import configure_logs
from open311.operations.sensors.observing import SensorState, states_of
from schemas.values import format_instant


@click.group(cls=CommandGroup)
def sensors() -> None:
    """See what things have sent, and bridge their MQTT messages to the API."""


@sensors.command("list")
@click.option("--jurisdiction", help="Only this city's sensors, by its jurisdiction_id.")
def list_command(jurisdiction: str | None) -> None:
    """Show all sensors: the newest observation of each, and the state of its rules.

    \b
    Example:
      open311 sensors list --jurisdiction city.example
    """
    with command_platform() as platform:
        cities = chosen_cities(platform, jurisdiction)
        found = [state for city in cities for state in states_of(platform, city)]
    heads = ("city", "thing", "datastream", "last result", "observed", "received", "taken", "rules")
    say_table(heads, map(_row, found))


@sensors.command()
@click.argument("config", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", "is_check", is_flag=True, help="Only read the configuration, and say whether it is sound.")
def bridge(config: Path, is_check: bool) -> None:
    """Take messages from an MQTT broker, and send them to the API as observations, until SIGTERM or Ctrl-C.

    CONFIG is a TOML file; spec/sensors.md explains it. The environment variable that CONFIG names has the api_key
    that was made for the things. A message is acknowledged to the broker only after the API has accepted or refused
    it. This command needs no database. Install open311-server[mqtt] for it.

    \b
    Example:
      open311 sensors bridge bridge.toml --check
      open311 sensors bridge bridge.toml
    """
    found = read_config(config)
    running = Bridge(found)
    if is_check:
        say(f"The file is sound: {len(found.topics)} topics of {found.host}:{found.port} go to {found.url}.")
        return
    end_with_parent()
    configure_logs("info")

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        running.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    running.run()


def _row(state: SensorState) -> list[str]:
    sensor, reading = state.sensor, state.reading
    last = ["", "", "", "0"]
    if reading is not None:
        unit = f" {sensor.unit}" if sensor.unit else ""
        instants = [format_instant(reading.observed_at), format_instant(reading.received_at)]
        last = [f"{reading.result:.10g}{unit}", *instants, str(reading.taken)]
    rules = ", ".join(f"{code}: {condition.phase}" for code, condition in state.conditions.items())
    return [state.jurisdiction_id, sensor.thing, sensor.datastream, *last, rules]
