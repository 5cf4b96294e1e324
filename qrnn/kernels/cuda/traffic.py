"""Bytes of device memory that the kernels move, counted from their source."""

#: Values per element (b, t, c): the operation's pooling, what one pass reads
#: and writes, and what the first pass of a chunked scan reads besides. ``gc``,
#: the gradient of the states, is one more read in both passes of backward
#: where it arrives.
VALUES = {
    # operation           pooling: read, write, again
    'strnn_forward': {None: (2, 1, 2)},   # f, x -> h
    'strnn_backward': {None: (3, 2, 2)},  # f, h, gh -> gf, gx; f, gh
    'pooling_forward': {
        'f': (2, 1, 2),     # f, z -> c, which is h; with lengths also -> h
        'fo': (3, 2, 2),    # f, z, o -> c, h; f, z
        'if': (3, 1, 3),    # f, z, i -> c, which is h; f, z, i
        'ifo': (4, 2, 3),   # f, z, o, i -> c, h; f, z, i
    },
    'pooling_backward': {
        'f': (4, 2, 2),     # f, z, c, gh -> gf, gz; f, gh
        'fo': (5, 3, 3),    # f, z, o, c, gh -> gf, gz, go; f, o, gh
        'if': (5, 3, 2),    # f, z, i, c, gh -> gf, gz, gi; f, gh
        'ifo': (6, 4, 3),   # f, z, o, i, c, gh -> gf, gz, go, gi; f, o, gh
    },
}


def bytes_per_element(operation, pooling=None, regime='block_scan',
                      itemsize=4):
    """Return the bytes that an operation moves per element.

    The least that it could do with is what one pass moves, the default.
    """
    read, write, again = VALUES[operation][pooling]
    twice = again if regime == 'chunked_scan' else 0
    return itemsize * (read + write + twice)
