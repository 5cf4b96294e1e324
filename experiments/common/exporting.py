"""The command that writes a trained model as ONNX."""
import numpy

from experiments.common import arguments
from experiments.common.errors import explained
from experiments.common.files import replacing


def main(experiment, load, export, description, argv=None):
    """Writes the model of a training run as an ONNX model.

    Args:
        experiment (str): Name of the folder of the experiment.
        load: Function from the folder of a run to the model and its
            description.
        export: Function from these, the latter's ``'words'``, to an ONNX
            model.
        description (str): What the model takes and gives.
        argv (list of str): The command line.

    """
    parser = arguments.Parser(
        prog='python -m experiments.{}.export'.format(experiment),
        description='Writes the model as ONNX. ' + description)
    arguments.add_model(parser)
    parser.add_argument(
        '--out', '-o', metavar='FILE', default='model.onnx',
        help='where to write it (default: model.onnx)')
    args = parser.parse_args(argv)
    model, facts = load(args.model)
    for param in model.params():  # few runtimes compute in float16 on a CPU
        param.array = param.array.astype(
            numpy.promote_types(param.dtype, numpy.float32), copy=False)
    with explained('{}', ImportError):
        exported = export(model, facts['words'])
    with replacing(args.out) as f:
        f.write(exported.SerializeToString())
    print('Written to {}'.format(args.out))
