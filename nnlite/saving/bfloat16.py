"""The numbers of 16 bits that NumPy lacks."""


def widened(halves):
    """The float32 whose upper halves bfloat16 numbers are.

    Parameters
    ----------
    halves : array of uint16
    """
    return (halves.astype("u4") << 16).view("f4")
