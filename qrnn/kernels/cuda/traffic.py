"""Memory traffic of the kernels, derived from the source code."""

#: Numbers of values per element (b, t, c). The keys are the operation and the
#: pooling. The first two numbers count the values that a single pass reads and
#: writes. The third number counts the values that a chunked scan reads in an
#: additional first pass. The comments name these values, in the form "read ->
#: written; read in the first pass". Without an output gate, h is written only
#: if lengths are given; without lengths, h equals c.
#: If the states have a gradient gc, both passes of backward also read gc.
VALUES = {
    # operation           pooling: read, write, first pass
    'strnn_forward': {None: (2, 1, 2)},   # f, x -> h; f, x
    'strnn_backward': {None: (3, 2, 2)},  # f, h, gh -> gf, gx; f, gh
    'pooling_forward': {
        'f': (2, 1, 2),     # f, z -> c; f, z
        'fo': (3, 2, 2),    # f, z, o -> c, h; f, z
        'if': (3, 1, 3),    # f, z, i -> c; f, z, i
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
    """Return the number of bytes that an operation moves per element.

    With the default regime, an operation reads each input and writes each
    output once, so the result is the minimum.
    """
    read, write, first_pass = VALUES[operation][pooling]
    extra = first_pass if regime == 'chunked_scan' else 0
    return itemsize * (read + write + extra)
