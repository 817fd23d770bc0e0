"""64-bit fingerprints of bytes, the same on every machine: FarmHash64, and SipHash with a key."""

_MASK = 0xFFFFFFFFFFFFFFFF
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def farmhash64(text):
    """FarmHash64 in the form that is fixed for ever, `Fingerprint64`, as an int in [0, 2^64).

    G. Pike: "FarmHash, a family of hash functions", https://github.com/google/farmhash.

    Parameters
    ----------
    text : bytes
    """
    n = len(text)
    if n <= 16:
        return _up_to_16(text, n)
    return _up_to_32(text, n) if n <= 32 else _up_to_64(text, n) if n <= 64 else _long(text, n)


def _word(text, at, size=8):
    return int.from_bytes(text[at : at + size], "little")


def _rotated(x, by):
    x &= _MASK
    return (x >> by | x << 64 - by) & _MASK


def _mixed(x):
    x &= _MASK
    return x ^ x >> 47


def _pair(u, v, factor):
    a = _mixed((u ^ v) * factor)
    return _mixed(((v & _MASK) ^ a) * factor) * factor & _MASK


def _up_to_16(text, n):
    factor = _K2 + 2 * n
    if n >= 8:
        a, b = _word(text, 0) + _K2 & _MASK, _word(text, n - 8)
        c, d = _rotated(b, 37) * factor + a, (_rotated(a, 25) + b) * factor
        return _pair(c & _MASK, d & _MASK, factor)
    if n >= 4:
        return _pair(n + (_word(text, 0, 4) << 3), _word(text, n - 4, 4), factor)
    if n:
        y, z = text[0] + (text[n >> 1] << 8), n + (text[n - 1] << 2)
        return _mixed(y * _K2 & _MASK ^ z * _K0 & _MASK) * _K2 & _MASK
    return _K2


def _ends(text, n, first):
    """What hashes of 17 to 64 bytes begin with: the words at both ends."""
    factor = _K2 + 2 * n
    a, b = _word(text, 0) * first & _MASK, _word(text, 8)
    c, d = _word(text, n - 8) * factor & _MASK, _word(text, n - 16) * _K2 & _MASK
    y = _rotated(a + b, 43) + _rotated(c, 30) + d & _MASK
    return factor, a, y, _pair(y, a + _rotated(b + _K2, 18) + c & _MASK, factor)


def _up_to_32(text, n):
    return _ends(text, n, _K1)[-1]


def _up_to_64(text, n):
    factor, a, y, z = _ends(text, n, _K2)
    e, f = _word(text, 16) * factor & _MASK, _word(text, 24)
    g, h = (y + _word(text, n - 32)) * factor, (z + _word(text, n - 24)) * factor & _MASK
    left = _rotated(e + f, 43) + _rotated(g, 30) + h
    return _pair(left & _MASK, e + _rotated(f + a, 18) + (g & _MASK) & _MASK, factor)


def _of_four_words(text, at, a, b):
    w, x, y, z = (_word(text, at + 8 * i) for i in range(4))
    a += w
    b = _rotated(b + a + z, 21)
    total = a + x + y
    return total + z & _MASK, b + _rotated(total, 44) + a & _MASK


def _long(text, n):
    seed = 81
    x, y = seed * _K2 + _word(text, 0), seed * _K1 + 113 & _MASK
    z = _mixed(y * _K2 + 113) * _K2 & _MASK
    v = w = 0, 0

    def block(at, x, y, z, v, w, factor, nine):
        x = _rotated(x + y + v[0] + _word(text, at + 8), 37) * factor & _MASK
        y = _rotated(y + v[1] + _word(text, at + 48), 42) * factor
        x ^= w[1] * nine & _MASK
        y = y + v[0] * nine + _word(text, at + 40) & _MASK
        z = _rotated(z + w[0], 33) * factor & _MASK
        v = _of_four_words(text, at, v[1] * factor & _MASK, x + w[0])
        w = _of_four_words(text, at + 32, z + w[1], y + _word(text, at + 16))
        return z, y, x, v, w

    for at in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = block(at, x, y, z, v, w, _K1, 1)
    factor = _K1 + ((z & 0xFF) << 1)
    w = w[0] + (n - 1 & 63), w[1]
    v = v[0] + w[0], v[1]
    w = w[0] + v[0], w[1]
    x, y, z, v, w = block(n - 64, x, y, z, v, w, factor, 9)
    left = _pair(v[0], w[0], factor) + _mixed(y) * _K0 + z
    return _pair(left & _MASK, _pair(v[1], w[1], factor) + x & _MASK, factor)


def both(one, other):
    """A fingerprint of two, as an int in [0, 2^64): as TensorFlow joins them, by the mixing of
    A. Appleby's MurmurHash2.

    Parameters
    ----------
    one, other : int
        Taken modulo 2^64.
    """
    factor = 0xC6A4A7935BD1E995
    result = (one ^ factor ^ _mixed(other * factor) * factor) * factor
    return _mixed(_mixed(result) * factor)


def siphash64(text, key):
    """SipHash-2-4, as an int in [0, 2^64).

    J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", INDOCRYPT 2012.

    Parameters
    ----------
    text : bytes
    key : pair of int
        Taken modulo 2^64.
    """
    k0, k1 = (int(k) & _MASK for k in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D]
    v += [k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    n = len(text)
    padded = text + bytes(7 - n % 8) + bytes([n & 0xFF])
    for at in range(0, len(padded), 8):
        word = _word(padded, at)
        v[3] ^= word
        _sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_rounds(v, count):
    a, b, c, d = v
    for _ in range(count):
        a, c = a + b & _MASK, c + d & _MASK
        b, d = _left(b, 13) ^ a, _left(d, 16) ^ c
        a = _left(a, 32)
        a, c = a + d & _MASK, c + b & _MASK
        d, b = _left(d, 21) ^ a, _left(b, 17) ^ c
        c = _left(c, 32)
    v[:] = a, b, c, d


def _left(x, by):
    return _rotated(x, 64 - by)
