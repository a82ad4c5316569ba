import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """The twins solve many small problems, on which threads would wait for each other."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
