import collections

import numpy


#: Version of the operators and of the file format, old enough for runtimes
#: from 2022 on.
_OPSET = 17
_IR_VERSION = 8


class Graph:
    """An ONNX graph, built operator by operator.

    Values are named by strings, which :meth:`input`, :meth:`constant` and
    :meth:`add` return and :meth:`add` takes. A name is unique in its graph.

    Args:
        name (str): Name of the graph.

    Raises:
        ImportError: If the package onnx is not installed.

    .. admonition:: Example

        >>> import numpy as np
        >>> from qrnn.onnx_export import Graph
        >>> graph = Graph('double')             # doctest: +SKIP
        >>> x = graph.input('x', np.float32, ('batch', 3))
        ...                                     # doctest: +SKIP
        >>> y = graph.add('Add', x, x)          # doctest: +SKIP
        >>> graph.output('y', y, np.float32, ('batch', 3))
        ...                                     # doctest: +SKIP
        >>> len(graph.model().graph.node)       # doctest: +SKIP
        2

    """

    def __init__(self, name):
        try:
            import onnx
            from onnx import checker
            from onnx import helper
            from onnx import numpy_helper
        except ImportError:
            raise ImportError(
                'ONNX models are made with the package onnx: pip install '
                'onnx') from None
        self._onnx = onnx
        self._check = checker.check_model
        self._helper = helper
        self._to_tensor = numpy_helper.from_array
        self._name = name
        self._nodes = []
        self._inputs = []
        self._outputs = []
        self._constants = []
        self._names = set()
        self._numbers = collections.Counter()

    def input(self, name, dtype, shape, default=None):
        """Add an input and return its name.

        Args:
            name (str): Its name.
            dtype (numpy.dtype or type): Its dtype.
            shape (tuple): Its shape, with names for axes that may vary.
            default (numpy.ndarray): Its value where it is not given.

        Raises:
            ValueError: If the graph has a value of this name already.

        """
        self._reserve(name)
        self._inputs.append(self._info(name, dtype, shape))
        if default is not None:
            self._constants.append(self._to_tensor(
                default.astype(dtype), name))
        return name

    def output(self, name, value, dtype, shape):
        """Make a value an output. Arguments are those of :meth:`input`."""
        self._reserve(name)
        self._nodes.append(self._helper.make_node('Identity', [value], [name]))
        self._outputs.append(self._info(name, dtype, shape))

    def constant(self, array, dtype=None):
        """Add a constant, an array or numbers, and return its name."""
        name = self.new_name('constant')
        self._constants.append(self._to_tensor(
            numpy.array(array, dtype, order='C'), name))
        return name

    def integers(self, *numbers):
        """Add a vector of integers, for shapes and axes."""
        return self.constant(numpy.array(numbers, numpy.int64))

    def add(self, operator, *inputs, n_outputs=1, **attributes):
        """Add an operator.

        Args:
            operator (str): Its name.
            inputs (str): Names of its inputs.
            n_outputs (int): Number of its outputs.
            attributes: Its attributes.

        Returns:
            str or list of str: The output, or outputs.

        """
        outputs = [self.new_name(operator.lower()) for _ in range(n_outputs)]
        self._nodes.append(self._helper.make_node(
            operator, list(inputs), outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def new_name(self, prefix):
        """Return a prefix and a number that no value of the graph has."""
        while (name := f'{prefix}_{self._numbers[prefix]}') in self._names:
            self._numbers[prefix] += 1
        self._reserve(name)
        return name

    def body(self, name, dtype, inputs, outputs, nodes):
        """Return a graph for an operator that runs one, such as Scan.

        The names of its values may be in use outside the body.

        Args:
            name (str): Its name.
            dtype (numpy.dtype or type): Dtype of all inputs and outputs.
            inputs (list of tuple): Pairs of names and shapes.
            outputs (list of tuple): Likewise.
            nodes (list of tuple): Triples of an operator, its inputs and its
                output.

        """
        used = {each for _, takes, gives in nodes for each in (*takes, gives)}
        names = {each: self.new_name(f'{name}_{each}')
                 for each in sorted(used)}
        return self._helper.make_graph(
            [self._helper.make_node(
                operator, [names[each] for each in takes], [names[gives]])
             for operator, takes, gives in nodes],
            self.new_name(name),
            *([self._info(names[each], dtype, shape)
               for each, shape in values] for values in (inputs, outputs)))

    def model(self, metadata=None):
        """Return the finished model, if ONNX's checker accepts it.

        Args:
            metadata (dict): Strings by name, to go with the model.

        Returns:
            onnx.ModelProto: The model.

        Raises:
            onnx.checker.ValidationError: If the graph is not valid.

        """
        helper = self._helper
        model = helper.make_model(
            helper.make_graph(self._nodes, self._name, self._inputs,
                              self._outputs, self._constants),
            opset_imports=[helper.make_opsetid('', _OPSET)],
            ir_version=_IR_VERSION, producer_name='qrnn')
        helper.set_model_props(model, metadata or {})
        self._check(model, full_check=True)
        return model

    def _info(self, name, dtype, shape):
        kind = self._helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype))
        return self._helper.make_tensor_value_info(name, kind, shape)

    def _reserve(self, name):
        if name in self._names:
            raise ValueError(
                f'the graph has a value named {name!r} already: choose '
                'another name')
        self._names.add(name)
