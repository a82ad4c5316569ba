"""The compiled loops; all else stands in pyproject.toml. Without a compiler NumPy does its work."""

import platform

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FLAGS = [
    "-O3",
    "-std=c11",
    "-funroll-loops",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
]
LOOPS = ("solve/kernel", "solve/sums", "solve/stars", "panel/rows", "log/groups")
ON_X86 = ["-mprefer-vector-width=512"]


class Kernel(build_ext):
    """A plain shared library: it is called through ctypes and is no module."""

    def get_export_symbols(self, ext):
        return ext.export_symbols

    def build_extension(self, ext):
        if self.compiler.compiler_type == "unix":
            ext.extra_compile_args = FLAGS + (ON_X86 if platform.machine() in {"x86_64", "AMD64"} else [])
            libm = ["mvec", "m"] if platform.libc_ver()[0] == "glibc" and platform.machine() == "x86_64" else ["m"]
            ext.libraries = libm
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": Kernel},
    ext_modules=[
        Extension(
            "tradelift.solve._kernel",
            [f"src/tradelift/{name}.c" for name in LOOPS],
            depends=["src/tradelift/solve/loops.h"],
            optional=True,
        )
    ],
)
