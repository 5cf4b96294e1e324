import collections

import numpy


#: Versions of the operator set and of the file format. Runtimes released since
#: 2022 support both versions.
_OPSET = 17
_IR_VERSION = 8


class Graph:
    """Builder of an ONNX graph.

    Values are represented by their names. :meth:`input`, :meth:`constant` and
    :meth:`add` return the name of a new value, and the inputs of :meth:`add`
    are names. Names are unique in a graph.

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
                'exporting ONNX models requires the package onnx; install it '
                'with "pip install onnx"') from None
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
            name (str): Name of the input.
            dtype (numpy.dtype or type): Dtype of the input.
            shape (tuple): Shape of the input. Axes of variable size have names
                instead of sizes.
            default (numpy.ndarray): Value of the input if a caller of the
                model omits it. If None, the input is required.

        Returns:
            str: The name.

        Raises:
            ValueError: If a value of the graph already has this name.

        """
        self._reserve(name)
        self._inputs.append(self._info(name, dtype, shape))
        if default is not None:
            self._constants.append(self._to_tensor(
                default.astype(dtype), name))
        return name

    def output(self, name, value, dtype, shape):
        """Declare a value as an output of the graph.

        Args:
            name (str): Name of the output.
            value (str): Name of the value.
            dtype (numpy.dtype or type): Dtype of the output.
            shape (tuple): Shape of the output; see :meth:`input`.

        Raises:
            ValueError: If a value of the graph already has this name.

        """
        self._reserve(name)
        self._nodes.append(self._helper.make_node('Identity', [value], [name]))
        self._outputs.append(self._info(name, dtype, shape))

    def constant(self, array, dtype=None):
        """Add a constant from an array or a number, and return its name."""
        name = self.new_name('constant')
        self._constants.append(self._to_tensor(
            numpy.array(array, dtype, order='C'), name))
        return name

    def integers(self, *numbers):
        """Add a constant vector of integers, and return its name."""
        return self.constant(numpy.array(numbers, numpy.int64))

    def add(self, operator, *inputs, n_outputs=1, **attributes):
        """Add an operator.

        Args:
            operator (str): Type of the operator, such as ``'MatMul'``.
            inputs (str): Names of the inputs.
            n_outputs (int): Number of outputs.
            attributes: Attributes of the operator.

        Returns:
            str or list of str: Name of the output, or a list of names if there
            are several outputs.

        """
        outputs = [self.new_name(operator.lower()) for _ in range(n_outputs)]
        self._nodes.append(self._helper.make_node(
            operator, list(inputs), outputs, **attributes))
        return outputs[0] if n_outputs == 1 else outputs

    def new_name(self, prefix):
        """Return an unused name that consists of a prefix and a number."""
        while (name := f'{prefix}_{self._numbers[prefix]}') in self._names:
            self._numbers[prefix] += 1
        self._reserve(name)
        return name

    def body(self, name, dtype, inputs, outputs, nodes):
        """Return the body of an operator that contains a graph, such as Scan.

        The values in the body get new names, so the given names may already be
        used elsewhere in the graph.

        Args:
            name (str): Name of the body.
            dtype (numpy.dtype or type): Dtype of all inputs and outputs.
            inputs (list of tuple): Name and shape of each input.
            outputs (list of tuple): Name and shape of each output.
            nodes (list of tuple): A triple for each operator: its type, a list
                of the names of its inputs, and the name of its output.

        Returns:
            onnx.GraphProto: The body.

        """
        used = {value for _, sources, result in nodes
                for value in (*sources, result)}
        names = {value: self.new_name(f'{name}_{value}')
                 for value in sorted(used)}
        return self._helper.make_graph(
            [self._helper.make_node(
                operator, [names[source] for source in sources],
                [names[result]])
             for operator, sources, result in nodes],
            self.new_name(name),
            *([self._info(names[value], dtype, shape)
               for value, shape in values] for values in (inputs, outputs)))

    def model(self, metadata=None):
        """Build the model, check it with ONNX's checker, and return it.

        Args:
            metadata (dict): Metadata to store in the model; the keys and the
                values are strings.

        Returns:
            onnx.ModelProto: The model.

        Raises:
            onnx.checker.ValidationError: If the graph is invalid.

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
                f'the graph has a value named {name!r} already; choose '
                'another name')
        self._names.add(name)
