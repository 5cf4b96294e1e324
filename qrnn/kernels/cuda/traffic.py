"""Bytes of device memory that the kernels move, counted from their source."""

#: Values per element (b, t, c): the operation's pooling, what one pass reads
#: and writes (regimes ``channels`` and ``warps``), and what the first pass
#: over split time reads besides. ``gc``, the gradient of the states, is one
#: more read in both passes of backward where it arrives.
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


def bytes_per_element(operation, pooling=None, regime='warps', itemsize=4):
    """Bytes that an operation moves per element; what the ideal would is the
    same in one pass.
    """
    read, write, again = VALUES[operation][pooling]
    return itemsize * (read + write + (again if regime == 'split' else 0))
