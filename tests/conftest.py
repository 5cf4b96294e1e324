# The library's tests run without the checkout too, and so without this file.
# Importing it also sets up hypothesis.
from qrnn_tests.conftest import pytest_collection_modifyitems  # noqa: F401
