"""The mark of a test in tests/software."""

import pytest


def software(package, *, layer, differs=""):
    """package: whose version the matrix names; differs: what is not as under runc, in a few words."""
    return pytest.mark.software(package, layer=layer, differs=differs)
