#!/usr/bin/env python3
"""Applies a plan to an archive in ExecuTorch and checks what comes out.

    check_partitioner.py MODEL.pt2 PLAN.json

Prints "calls N, nodes N, left N" and the largest difference between the lowered program, run by
ExecuTorch, and the exported one; fails if a planned node is lost, or if a call holds nodes of two
segments. Exits with 77 where ExecuTorch is not installed.
"""
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
try:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower
except ImportError as missing:
    print(f"ExecuTorch is not installed: {missing}")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "datasets" / "executorch"))
from divvy_partitioner import DivvyPartitioner  # noqa: E402


def flat(tree):
    return [t for t in torch.utils._pytree.tree_leaves(tree) if isinstance(t, torch.Tensor)]


def main():
    model, plan = sys.argv[1], json.load(open(sys.argv[2]))
    program = torch.export.load(model)
    args, kwargs = program.example_inputs
    partitioner = DivvyPartitioner(plan, program, helpers={"XnnpackBackend": XnnpackPartitioner()})
    # of a program of its own: running one may write to its buffers
    expected = flat(torch.export.load(model).module()(*args, **kwargs))
    blind = DivvyPartitioner(plan, helpers={"XnnpackBackend": XnnpackPartitioner()})
    for named in (partitioner, blind):      # with the program, and finding its graph by the names
        edge = to_edge_transform_and_lower(torch.export.load(model) if named is blind else program,
                                           partitioner=[named])
        info = get_delegation_info(edge.exported_program().graph_module)
        if info.num_delegated_subgraphs != len(named.tags):
            sys.exit(f"{len(named.tags)} calls were planned, {info.num_delegated_subgraphs} came out")
    if partitioner.tags.keys() != blind.tags.keys() or partitioner.placed != blind.placed:
        sys.exit(f"names alone give another placement: {blind.placed}, not {partitioner.placed}")
    buffer = edge.to_executorch().buffer
    print(f"calls {len(partitioner.tags)}, nodes {sum(partitioner.placed.values())}, "
          f"left {len(partitioner.refused)}")
    print(partitioner.report())
    try:
        from executorch.runtime import Runtime
    except ImportError:
        return
    made = flat(Runtime.get().load_program(buffer).load_method("forward").execute(flat((args, kwargs))))
    apart = max(float((a.float() - b.float()).abs().max()) for a, b in zip(expected, made))
    print(f"difference {apart:.3g}")
    if not apart < 1e-3:
        sys.exit("the lowered program computes something else")


if __name__ == "__main__":
    with torch.no_grad():
        main()
