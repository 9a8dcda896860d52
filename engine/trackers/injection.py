"""Constructor arguments by type: our views, services that were registered, classes that can be made."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, get_type_hints

import punq

T = TypeVar("T")
_NO_OPTION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


class InjectionError(Exception):
    """An object cannot be made; the text names class and parameter in one line."""


class _Parameter(NamedTuple):
    name: str
    wanted: Any  # its annotation, None without one
    required: bool


class Injector:
    """Makes objects. ``provided``: what is there already, by type; what it makes beside, it makes once."""

    def __init__(self, provided: Mapping[type, object]) -> None:
        self._container = punq.Container()
        for kind, it in provided.items():
            self._container.register(kind, instance=it)
        self._asked: set[str] = set()

    def ask(self, module: object) -> None:
        """Let a module register its services, once, if it has a function ``register(container)``.

        Raises whatever that raises.
        """
        name = str(getattr(module, "__name__", ""))
        register = getattr(module, "register", None)
        # One of another module's was imported for something else.
        if name in self._asked or not callable(register) or getattr(register, "__module__", None) != name:
            return
        self._asked.add(name)
        register(self._container)

    def make(self, cls: type[T], options: Mapping[str, Any]) -> T:
        """Make an object, some arguments given. Raises ``InjectionError``, or what the class raises."""
        parameters = list(_parameters(cls))
        _refuse_unknown(cls, options, parameters)
        found = {it.name: self._found(cls, it, ()) for it in parameters if self._is_ours(it, options)}
        return cls(**found, **options)

    def _is_ours(self, it: _Parameter, options: Mapping[str, Any]) -> bool:
        return it.name not in options and (it.required or self._is_registered(it.wanted))

    def _found(self, cls: type, it: _Parameter, above: tuple[type, ...]) -> object:
        """Return what a parameter gets."""
        if it.wanted is None:
            raise InjectionError(f"{_name(cls)}: its parameter {it.name} has no type, and no option gives it")
        where = f"{_name(cls)}: its parameter {it.name} ({_name(it.wanted)})"
        if not self._is_registered(it.wanted):
            self._register(it.wanted, where, (*above, cls))
        try:
            return self._container.resolve(it.wanted)
        except punq.MissingDependencyError as error:
            raise InjectionError(f"{where} cannot be made: {error}") from error
        except Exception as error:
            raise InjectionError(f"{where} cannot be made: {type(error).__name__}: {error}") from error

    def _register(self, wanted: Any, where: str, above: tuple[type, ...]) -> None:
        """Register a class that nobody did, if all of its own parameters can be had."""
        if not isinstance(wanted, type) or wanted.__module__ == "builtins" or inspect.isabstract(wanted):
            raise InjectionError(f"{where} is neither given as an option nor registered")
        if wanted in above:
            raise InjectionError(f"{where} needs itself")
        needed = [it for it in _parameters(wanted) if it.required]
        for it in needed:
            self._found(wanted, it, above)
        self._container.register(wanted, scope=punq.Scope.singleton)

    def _is_registered(self, wanted: Any) -> bool:
        try:
            return bool(self._container.registrations.build_context(wanted).all_registrations(wanted))
        except TypeError:  # an annotation that cannot be looked up
            return False


def _parameters(cls: Any) -> Iterator[_Parameter]:
    """Yield what a class' constructor takes by name. Raises ``InjectionError``."""
    if cls.__init__ is object.__init__:
        return
    try:
        signature = inspect.signature(cls)
        hints = get_type_hints(cls.__init__)
    except (NameError, TypeError, ValueError, AttributeError) as error:
        raise InjectionError(f"{_name(cls)}: its constructor cannot be read: {error}") from error
    for name, it in signature.parameters.items():
        if it.kind is inspect.Parameter.VAR_KEYWORD:
            yield _Parameter("**", None, required=False)
        elif it.kind not in _NO_OPTION:
            yield _Parameter(name, hints.get(name), required=it.default is inspect.Parameter.empty)


def _refuse_unknown(cls: type, options: Mapping[str, Any], parameters: list[_Parameter]) -> None:
    names = [it.name for it in parameters]
    unknown = [it for it in options if it not in names]
    if unknown and "**" not in names:
        taken = f"it takes {', '.join(names)}" if names else "it takes none"
        raise InjectionError(f"{_name(cls)} has no option {', '.join(map(repr, unknown))}: {taken}")


def _name(wanted: Any) -> str:
    return wanted.__qualname__ if isinstance(wanted, type) else str(wanted)
