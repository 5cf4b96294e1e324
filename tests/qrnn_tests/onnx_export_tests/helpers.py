import json
import subprocess
import sys

import chainer
import numpy
import onnxruntime


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options,
        providers=['CPUExecutionProvider'])


def run(session, **inputs):
    """Run a model, and return a dict that maps names to outputs."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def next_state(outputs):
    """Return the state inputs for the next call."""
    return {name.removeprefix('next_'): array
            for name, array in outputs.items() if name.startswith('next_')}


def assert_close(actual, expected, atol=1e-5):
    expected = getattr(expected, 'array', expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert numpy.abs(actual - expected).max(initial=0) < atol


def shapes_of_h(model, path, cases):
    """Return the shape of the output h for each case, or None for an error.

    A case is a dict that maps the names of inputs to their shapes. All values
    are 0. Inputs with one axis are lengths, so their dtype is int64; the other
    inputs are float32. The model runs in another process, because onnxruntime
    may crash.
    """
    path.write_bytes(model.SerializeToString())
    process = subprocess.run(
        [sys.executable, '-c', _SHAPES_OF_H, path, json.dumps(cases)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.returncode == 0
    return json.loads(process.stdout)


_SHAPES_OF_H = '''
import json, sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(
    sys.argv[1], providers=['CPUExecutionProvider'])
names = [each.name for each in session.get_outputs()]
shapes = []
for case in json.loads(sys.argv[2]):
    try:
        outputs = session.run(names, {
            name: numpy.zeros(shape, 'f' if len(shape) > 1 else 'int64')
            for name, shape in case.items()})
        shapes.append(outputs[names.index('h')].shape)
    except Exception:
        shapes.append(None)
print(json.dumps(shapes))
'''


class Halve(chainer.LinkHook):
    """Link hook that halves the parameter with a given name."""

    name = 'Halve'

    def __init__(self, param):
        self.param = param

    def forward_preprocess(self, args):
        if hasattr(args.link, self.param):
            self.original = getattr(args.link, self.param)
            setattr(args.link, self.param, self.original * .5)

    def forward_postprocess(self, args):
        if hasattr(args.link, self.param):
            setattr(args.link, self.param, self.original)
