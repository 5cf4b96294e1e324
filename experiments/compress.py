"""Convert a model to float16: ``python -m experiments.compress --help``."""
import os
import shutil

import numpy

from experiments.common import cli
from experiments.common import commands
from experiments.common.checkpoint import replacing
from experiments.common.files import read_arrays


def main(argv=None):
    """Write a compressed copy of a trained model in float16."""
    parser = cli.Parser('compress')
    commands.add_model(parser)
    parser.add_argument(
        '--out', '-o', metavar='FOLDER', required=True,
        help='folder of the copy, which is less than half as large; it is '
             'loaded in the precision of the training run')
    args = parser.parse_args(argv)
    arrays = read_arrays(os.path.join(args.model, 'model.npz'))
    os.makedirs(args.out, exist_ok=True)
    shutil.copy(os.path.join(args.model, 'model.json'), args.out)
    with cli.explained(f'{args.model} does not fit into float16: {{}}',
                       FloatingPointError), numpy.errstate(over='raise'), \
            replacing(os.path.join(args.out, 'model.npz')) as f:
        numpy.savez_compressed(f, **{
            name: array.astype('e') if array.dtype.kind == 'f' else array
            for name, array in arrays.items()})
    print(f'Written to {args.out}')


if __name__ == '__main__':
    cli.run(main)
