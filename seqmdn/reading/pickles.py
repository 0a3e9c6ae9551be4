"""Pickles from elsewhere, taken apart by an unpickler that calls nothing but what it is given."""

import pickle
from typing import Any, ClassVar, NoReturn

__all__ = ["NameStandIn", "PlainUnpickler"]

# Python keeps its unpickler twice. That in C makes a table as long as the largest number by which a
# pickle remembers something: a file of ten bytes takes gigabytes. This one keeps a dictionary.
_Unpickler: Any = pickle._Unpickler

_WORDS = (str, bytes, int, float, type(None))


class PlainUnpickler(_Unpickler):
    """Takes a pickle apart; what its names stand for is said by ``find_class`` of a subclass.

    Refused besides: a key of a dictionary that is no text or number, as hashing tuples of tuples
    can take for ever; room for more bytes than the pickle has; sets, and buffers outside of it.

    Args:
        stream: What holds the pickle, as of ``pickle.Unpickler``.
        options: As of ``pickle.Unpickler``.

    Raises:
        pickle.UnpicklingError: On loading, at what is refused. Damaged bytes may raise anything.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the name {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("an object that is kept elsewhere")

    def _set_item(self) -> None:
        _check_keys(self.stack[-2:-1])
        _Unpickler.load_setitem(self)

    def _set_items(self) -> None:
        _check_keys(self.stack[::2])
        _Unpickler.load_setitems(self)

    def _make_dictionary(self) -> None:
        _check_keys(self.stack[::2])
        _Unpickler.load_dict(self)

    def _refuse(self) -> NoReturn:
        raise pickle.UnpicklingError("something that plain arrays and numbers do not need")

    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.DICT[0]] = _make_dictionary
    for _code in (
        pickle.BYTEARRAY8,
        pickle.NEXT_BUFFER,
        pickle.READONLY_BUFFER,
        pickle.EMPTY_SET,
        pickle.ADDITEMS,
        pickle.FROZENSET,
        pickle.EXT1,
        pickle.EXT2,
        pickle.EXT4,
        pickle.INST,
        pickle.OBJ,
        pickle.NEWOBJ,
        pickle.NEWOBJ_EX,
    ):
        dispatch[_code[0]] = _refuse


class NameStandIn:
    """Stands for a name in a pickle. A pickle cannot change it, and gets None by calling it."""

    __slots__ = ()

    def __call__(self, *_: object) -> Any:
        return None

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("a state for a name")


def _check_keys(keys: list[Any]) -> None:
    for key in keys:
        if not isinstance(key, _WORDS):
            raise pickle.UnpicklingError(f"a key of a dictionary that is a {type(key).__name__}")
