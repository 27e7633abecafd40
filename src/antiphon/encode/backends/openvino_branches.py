"""One graph with a branch for single texts of each of some widths beside the one for every shape.

Branches of one compiled graph share its packed weights, which two compiled graphs never do: a width costs 16 MiB for
multilingual-e5-small where a graph of its own costs 60. A branch keeps its fixed shape because each has inputs of its
own, and an ``If`` gives the one that is chosen its turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13
from openvino.op import if_op

from antiphon.encode.backends.base import EngineFailure, Feeds, Floats

Arrays: TypeAlias = dict[str, NDArray[Any]]

_CHOICE = "choice"
_ANY = 0
"""The choice of the branch for every shape; that of a width is its place in the widths, from 1."""


def branched(graph: openvino.Model, widths: Sequence[int]) -> openvino.Model:
    """Return ``graph`` with a branch for one text of each of ``widths`` tokens; without widths, as it is."""
    found = graph
    for place, width in reversed(list(enumerate(widths, 1))):
        branch = graph.clone()
        branch.reshape({item.any_name: [1, width] for item in graph.inputs})
        found = _either(branch, found.clone(), place, width)
    return found


def _either(one: openvino.Model, other: openvino.Model, place: int, width: int) -> openvino.Model:
    """Return what runs ``one`` where the choice is ``place``, else ``other``, each on inputs of its own."""
    choice = _parameter(_CHOICE, [], openvino.Type.i32)
    node = if_op(opset13.equal(choice, opset13.constant(np.int32(place))).output(0))
    node.set_then_body(one)
    node.set_else_body(other)
    outer = [choice]
    for item in one.inputs:
        outer.append(_parameter(_own(item.any_name, width), item.partial_shape, item.element_type))
        node.set_input(outer[-1].output(0), item.get_node(), None)
    for item in other.inputs:
        if item.any_name == _CHOICE:
            node.set_input(choice.output(0), None, item.get_node())
        else:
            outer.append(_parameter(item.any_name, item.partial_shape, item.element_type))
            node.set_input(outer[-1].output(0), None, item.get_node())
    ends = zip(one.get_results(), other.get_results(), strict=True)
    return openvino.Model([opset13.result(node.set_output(left, right)) for left, right in ends], outer)


def _parameter(name: str, shape: Any, kind: openvino.Type) -> openvino.Node:
    found = opset13.parameter(shape, kind)
    found.output(0).get_tensor().set_names({name})
    return found


def _own(name: str, width: int) -> str:
    """Return the name of an input of the branch for ``width`` tokens."""
    return f"{name}/{width}"


class Branches:
    """Runs a compiled graph of ``branched(…, widths)``, one run at a time.

    A text alone that is padded to one of ``widths`` takes the branch for it, every other batch the one for any shape.
    ``types``: of the inputs, by name.
    """

    def __init__(
        self, compiled: openvino.CompiledModel, widths: Sequence[int], types: Mapping[str, np.dtype[Any]]
    ) -> None:
        self.compiled = compiled
        self.widths = tuple(widths)
        self._types = types
        self._request = compiled.create_infer_request()
        self._choice = np.array(_ANY, np.int32)
        self._given: Arrays = {}
        self._fixed: dict[tuple[int, ...], tuple[int, Arrays]] = {}
        for place, width in enumerate(self.widths, 1):
            arrays = {name: np.zeros((1, width), kind) for name, kind in types.items()}
            self._bind({_own(name, width): array for name, array in arrays.items()})
            self._fixed[1, width] = (place, arrays)
        if self.widths:
            self._bind({_CHOICE: self._choice})
            self._give({name: np.zeros((1, self.widths[0]), kind) for name, kind in types.items()})

    def __call__(self, feeds: Feeds, output: int) -> Floats:
        """Return output number ``output``, a view of the engine's memory; EngineFailure when the run fails."""
        place, arrays = self._fixed.get(feeds["input_ids"].shape, (_ANY, {}))
        self._choice[...] = place
        try:
            if arrays:
                for name, array in arrays.items():
                    array[...] = feeds[name]
            else:
                self._give({name: array.astype(self._types[name], copy=False) for name, array in feeds.items()})
            self._request.infer(share_outputs=True)
            return np.asarray(self._request.get_output_tensor(output).data, np.float32)
        except RuntimeError as error:
            raise EngineFailure(f"OpenVINO: {error}") from error

    def _give(self, arrays: Arrays) -> None:
        """Have the branch for any shape read ``arrays``; they are kept, because the request does not own them."""
        self._bind(arrays)
        self._given = arrays

    def _bind(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            self._request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
