"""Values of which some fields are read when they are asked for: most of what a report could tell is never asked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self


class Later:
    """Mixed into a frozen dataclass with slots, before it. To everybody else its values are the dataclass's."""

    __slots__ = ()

    @classmethod
    def of(cls, **given: Any) -> Self:
        """A value of which these attributes are known."""
        made = object.__new__(cls)
        for name, value in given.items():
            object.__setattr__(made, name, value)
        return made

    def read(self, name: str) -> Any:
        """The value of a field that is not known yet. Raises AttributeError where there is no such field."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        value = self.read(name)
        object.__setattr__(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _plain(self)) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return _plain(self), _values(self)


def _plain(value: Any) -> type:
    """The dataclass that a value is of."""
    return next(c for c in type(value).__mro__ if "__dataclass_fields__" in vars(c))


def _values(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, f.name) for f in fields(value))
