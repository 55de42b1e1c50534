"""Checks: functions that prove one or more requirements against a server, marked with `check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from spec.conformance.preparation import NEEDS
from spec.conformance.probe import Probe

Proof = Callable[[Probe], None]


@dataclass(frozen=True, slots=True)
class Check:
    """A function that proves requirements.

    needs     the fields of Preparation that the check needs; a check without them is skipped
    writes    whether the check sends new requests; if so, it runs only if the run may write
    disturbs  whether the check changes the server for other checks; if so, it runs last
    prove     the function. It returns if the requirement is met, otherwise raises DeviationError or UnmetNeedError
    """

    numbers: tuple[str, ...]
    prove: Proof
    needs: tuple[str, ...] = ()
    writes: bool = False
    disturbs: bool = False

    @property
    def name(self) -> str:
        return f"{self.prove.__module__.rpartition('.')[2]}.{self.prove.__name__}"


def check(*numbers: str, needs: str = "", writes: bool = False, disturbs: bool = False) -> Callable[[Proof], Check]:
    """Make a check from a function. `needs` has names of Preparation's fields, separated by blanks."""
    wanted = tuple(needs.split())
    unknown = [name for name in wanted if name not in NEEDS]
    if unknown:
        raise ValueError(f"{numbers}: Preparation has no field {unknown[0]}")

    def mark(proof: Proof) -> Check:
        return Check(numbers, proof, wanted, writes, disturbs)

    return mark


def checks_in(module: ModuleType) -> list[Check]:
    """The checks that a module defines, in the order of their definition."""
    return [value for value in vars(module).values() if isinstance(value, Check)]
