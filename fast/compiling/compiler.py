"""Numba's compiler, with a cache that no edit outdates.

Numba keys a cached kernel by the file of the kernel alone, not by the files of the functions that
it calls: after an edit of such a file the old machine code would run on. So the name of the cache
folder carries the hash of all of them.
"""

import gc
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import config, njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.extending import intrinsic

from delayprop.fast.compiling.announcing import imported
from delayprop.fast.compiling.caching import PACKAGE, writable_folder
from delayprop.fast.compiling.keeping import keep

# Any kernel may call their functions.
KERNELS = tuple(PACKAGE / room for room in ("compiling", "layout", "physics", "cpu"))
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}  # divide as NumPy does


@cache
def cache_folder(of: Path) -> Path | None:
    """Folder for kernels compiled from exactly the sources in `KERNELS` and in the folder `of`.

    None where no folder can be written: kernels are then compiled at each start.
    """
    folders = sorted({*KERNELS, of})
    sources = b"".join(path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py")))
    place = writable_folder()
    return place and place / f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"


def outermost(function: Callable) -> Callable:
    """The outermost function of a kernel, which Python calls; compiled on first use, with the
    functions that it calls."""
    folder = cache_folder(Path(function.__code__.co_filename).parent)
    kernel = njit(pipeline_class=_Outermost, **_OPTIONS)(function)
    if kernel is function:  # Numba returns it as it is where nothing is compiled
        return function
    imported.append(kernel)
    if folder is not None:
        keep(kernel, folder)
    return kernel


class _Outermost(Compiler):
    """Numba's compiler, with the garbage collector off: it would take an eighth of the time, since
    most objects live on (benchmarks/LOG.md)."""

    def compile_extra(self, func: Any) -> Any:
        collects = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if collects:
                gc.enable()


class _Instructions(JITCodeLibrary):
    """The instructions of an inner function, but no machine code. Here LLVM optimises the function
    alone; the outermost one inlines calls, and optimises all, once."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _Inner(Compiler):
    """Numba's compiler for an inner function: the outermost one links its instructions in.

    Numba would make machine code of it as well, and a caller from Python: twice the time. And a
    function would inherit from its first caller that it is always inlined.
    """

    def define_pipelines(self) -> Any:
        state = self.state
        state.flags.no_compile = state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = True
        state["library"] = _Instructions(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()

    def compile_extra(self, func: Any) -> Any:
        inner = super().compile_extra(func)
        # A key is a built-in function, and unique. Python that calls it gets this KeyError.
        key = f"{{{func.__name__} is called by kernels alone}}".format
        self.state.targetctx.insert_user_function(key, inner.fndesc, [self.state["library"]])
        return inner._replace(entry_point=key)


class _Apart(_Inner):
    """Such a compiler, with the promise that arguments of a function do not alias."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def _inner(function: Callable, compiler: type = _Inner, **options: Any) -> Callable:
    if getattr(config, "ENABLE_CUDASIM", False):  # Python runs the kernels of a simulated GPU
        return outermost(function)
    return njit(pipeline_class=compiler, **{"forceinline": False, **_OPTIONS, **options})(function)


def allocating(function: Callable) -> Callable:
    """A function of a kernel that may allocate arrays, and return them."""
    return _inner(function)


def compiled(function: Callable) -> Callable:
    """A function of a kernel. It cannot allocate: without Numba's runtime that does not compile.

    Nor may it return an array to an `allocating` function: it counts no references, so its caller
    would count one too few. The compiler may fuse a product and a sum, here and in all variants
    below.
    """
    return _inner(function, _nrt=False, fastmath={"contract"})


def vectorised(function: Callable) -> Callable:
    """Like `compiled`, and assumes that arguments do not alias, so that lane loops vectorise."""
    return _inner(function, _Apart, _nrt=False, fastmath={"contract"})


def summing(function: Callable) -> Callable:
    """Like `vectorised`, and sums may be reordered; the order is fixed for one machine."""
    return _inner(function, _Apart, _nrt=False, fastmath={"contract", "reassoc"})


def inlined(function: Callable) -> Callable:
    """A small function of a kernel, inlined into its callers."""
    return _inner(function, _nrt=False, fastmath={"contract"}, forceinline=True)


def on_host(function: Callable) -> Callable:
    """A function of a kernel, which calls no other one, for Python to call."""
    return getattr(function, "py_func", function)


def built(instructions: Callable, meaning: Callable) -> Any:
    """A function in LLVM's instructions; its Python `meaning` runs where nothing is compiled."""
    return meaning if getattr(config, "DISABLE_JIT", False) else intrinsic(instructions)


def _asm(typing: Any, lane: Any) -> Any:
    """No instruction at all, of which the compiler must expect any result."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        (given,) = arguments
        narrow = builder.trunc(given, number) if given.type.width > 32 else given
        found = builder.asm(ir.FunctionType(number, [number]), "", "=r,0", [narrow], True)
        return builder.sext(found, given.type) if given.type.width > 32 else found

    return lane(lane), build


# The lane itself. In a loop, numbers at it are read at each turn. The compiler would keep them all
# between turns, and run out of the registers of a GPU.
read_anew = built(_asm, lambda lane: lane)
