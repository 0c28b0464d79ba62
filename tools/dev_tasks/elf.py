"""The little of ELF that setup needs: listing and hiding dynamic symbols of a shared library."""

import struct
from pathlib import Path

_DYNSYM = 11
_HIDDEN = 2
_SYMBOL_BYTES = 24


def _dynamic_symbols(data: bytes | bytearray):
    """Yields (offset of the entry, name, section index, other) for each dynamic symbol."""
    if data[:4] != b"\x7fELF" or data[4] != 2 or data[5] != 1:
        raise ValueError("not a little-endian 64-bit ELF file")
    (section_offset,) = struct.unpack_from("<Q", data, 0x28)
    entry_bytes, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, section_offset + i * entry_bytes) for i in range(count)]
    symbols = next(section for section in sections if section[1] == _DYNSYM)
    strings = sections[symbols[6]][4]
    for offset in range(symbols[4], symbols[4] + symbols[5], _SYMBOL_BYTES):
        name_offset, _info, other, section = struct.unpack_from("<IBBH", data, offset)
        start = strings + name_offset
        yield offset, bytes(data[start : data.index(0, start)]).decode(), section, other


def defined_dynamic_symbols(path: Path) -> set[str]:
    return {name for _, name, section, _ in _dynamic_symbols(path.read_bytes()) if section != 0 and name}


def hide_dynamic_symbols(path: Path, names: set[str]) -> int:
    """Marks the named symbols that the library defines STV_HIDDEN: it keeps its own, others see none."""
    data = bytearray(path.read_bytes())
    hidden = 0
    for offset, name, section, other in list(_dynamic_symbols(data)):
        if section != 0 and name in names and other & 3 == 0:
            data[offset + 5] = (other & ~3) | _HIDDEN
            hidden += 1
    path.write_bytes(data)
    return hidden
