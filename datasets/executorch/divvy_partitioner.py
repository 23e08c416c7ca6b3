"""Applies a plan of divvy to an exported program, in ExecuTorch.

    program = torch.export.load("m.pt2")            # or the program that was saved as m.pt2
    partitioner = DivvyPartitioner("plan.json", program, helpers={"XnnpackBackend": XnnpackPartitioner()})
    edge = to_edge_transform_and_lower(program, partitioner=[partitioner])
    print(partitioner.report())

The plan is what `divvy partition m.pt2 --platform PLATFORM -o plan.json` writes: plan/1, which places
every node of the exported program by its name. A segment whose device has a delegate becomes one call
of that delegate; the others stay with ExecuTorch's portable kernels.

`helpers` are the backends' own partitioners, by backend id. One is asked which operators to keep whole,
which nodes its backend takes (what it does not take stays with the portable kernels, and the report
says so), and for its compile specs. A backend without a helper is trusted to take all that the plan
gives it.

Written for ExecuTorch 1.x. Nothing else of divvy needs it.
"""
import json

from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult
from executorch.exir.backend.utils import tag_constant_data, tag_mutated_buffer


def ancestors(node):
    """What the node was derived from, nearest first: (name, id of the graph it was in)."""
    sources = node.meta.get("from_node") or []
    while sources:
        yield sources[-1].name, sources[-1].graph_id
        sources = sources[-1].from_node


def is_call(node):
    return node.op == "call_function"


def is_getitem(node):
    return is_call(node) and getattr(node.target, "__name__", "") == "getitem"


class Plan:
    """plan/1, by the names of nodes."""

    def __init__(self, document):
        if document.get("divvy") != "plan/1":
            raise ValueError("not a plan of divvy (plan/1)")
        self.segment_of = {}   # name of a node -> index of its segment; None: needs no place
        self.handle_of = {}    # name -> index of the exported program's node
        self.names_of = {}     # that index -> the names it has: several for a graph inside a node
        self.segments = document["segments"]
        for index, segment in enumerate(self.segments):
            for unit in segment["units"]:
                for op in unit.get("ops", []):
                    self._add(op, index)
        for op in document.get("computed", []):
            self._add(op, None)
        if not self.segment_of:
            raise ValueError("the plan lists no operators: it was made from numbers alone")

    def _add(self, op, segment):
        if self.segment_of.get(op["name"]) is None:
            self.segment_of[op["name"]] = segment
        self.handle_of[op["name"]] = op["handle"]
        self.names_of.setdefault(op["handle"], set()).add(op["name"])

    def delegate(self, segment):
        return None if segment is None else self.segments[segment].get("delegate")


class DivvyPartitioner(Partitioner):
    def __init__(self, plan, program=None, helpers=None):
        """plan: a path or the parsed JSON. program: the exported program that will be lowered; without
        it the plan's names are looked for in every graph that nodes were derived from."""
        super().__init__()
        if not isinstance(plan, dict):
            with open(plan) as file:
                plan = json.load(file)
        self.plan = Plan(plan)
        self.graph_id = id(program.graph) if program is not None else None
        self.helpers = dict(helpers or {})
        self.placed = {}        # backend id -> number of nodes
        self.refused = []       # nodes that a helper did not take
        self.tags = {}

    # ---- from a node of the edge program to a name of the plan ----

    def _best_graph(self, nodes):
        """The graph whose names are the plan's, if the program was not given."""
        names = {}
        for node in nodes:
            for name, graph in ancestors(node):
                names.setdefault(graph, set()).add(name)
        known = self.plan.segment_of.keys()
        return max(names, key=lambda g: (len(names[g] & known) / len(names[g]), len(names[g])),
                   default=None)

    def _name(self, node, graph):
        chain = list(ancestors(node)) or [(node.name, graph)]
        own = next((name for name, g in chain if g == graph), None)
        if own is None and node.name in self.plan.segment_of:
            own = node.name     # the program itself, before anything was derived from it
        if own is None:
            return None
        handle = self.plan.handle_of.get(own)
        inner = self.plan.names_of.get(handle, ())
        if len(inner) > 1:      # a graph inside the node was inlined: its own names are nearer
            return next((name for name, _ in chain if name in inner), own)
        return own if own in self.plan.segment_of else None

    def _segments(self, program):
        """The segment of every node that computes something."""
        nodes = [n for n in program.graph.nodes if is_call(n)]
        graph = self.graph_id
        if graph is None or not any(g == graph for n in nodes for _, g in ancestors(n)):
            graph = self._best_graph(nodes)
        return {n: self.plan.segment_of.get(self._name(n, graph)) for n in nodes}, graph

    # ---- what ExecuTorch asks ----

    def ops_to_not_decompose(self, program):
        """What the helpers keep whole, where the plan gives it to their backends."""
        keep, rules = [], {}
        for backend, helper in self.helpers.items():
            ops, check = helper.ops_to_not_decompose(program)
            keep += ops
            rules[backend] = (set(ops), check)
        segments, graph = self._segments(program)

        def wanted(node):
            segment = segments.get(node)
            if segment is None:
                segment = self.plan.segment_of.get(self._name(node, graph))
            rule = rules.get(self.plan.delegate(segment))
            return rule is not None and node.target in rule[0] and (rule[1] is None or rule[1](node))

        return list(dict.fromkeys(keep)), wanted

    def _taken_by_helpers(self, program):
        """backend id -> (nodes that its helper would take, its delegation spec)."""
        taken = {}
        for backend, helper in self.helpers.items():
            result = helper.partition(program)
            nodes = {n for n in program.graph.nodes if is_call(n) and n.meta.pop("delegation_tag", None)}
            for node in program.graph.nodes:    # constants were tagged as well
                node.meta.pop("delegation_tag", None)
            spec = next(iter(result.partition_tags.values()), None)
            taken[backend] = (nodes, spec)
        return taken

    def partition(self, program):
        segments, _ = self._segments(program)
        if not any(s is not None for s in segments.values()):
            raise RuntimeError("the plan does not fit this program: none of its names was found; "
                               "was it made from this program's own archive?")
        taken = self._taken_by_helpers(program)
        self.tags, self.placed, self.refused = {}, {}, []
        level = {}
        for node in program.graph.nodes:
            if not is_call(node) or is_getitem(node):
                continue
            segment = segments[node]
            backend = self.plan.delegate(segment)
            nodes, spec = taken.get(backend, (None, None))
            takes = backend is not None and (nodes is None or node in nodes)
            level[node] = self._level(node, segment, segments, level, takes)
            if backend is not None and not takes:
                self.refused.append(node.name)
            if not takes:
                continue
            tag = f"divvy_{segment}_{level[node][0]}"
            node.meta["delegation_tag"] = tag
            self.tags[tag] = spec or DelegationSpec(backend, [])
            self.placed[backend] = self.placed.get(backend, 0) + 1
        for node in program.graph.nodes:    # getitem belongs to its producer
            if is_getitem(node) and "delegation_tag" in node.args[0].meta:
                node.meta["delegation_tag"] = node.args[0].meta["delegation_tag"]
        tag_constant_data(program)
        tag_mutated_buffer(program)
        return PartitionResult(tagged_exported_program=program, partition_tags=self.tags)

    @staticmethod
    def _level(node, segment, segments, level, takes):
        """(how often the segment was left on the way here, taken?). What a backend refuses parts a
        segment: behind it comes another call, so that no call waits for itself."""
        depth = 0
        for source in node.all_input_nodes:
            if is_getitem(source):
                source = source.args[0]
            if source not in level or segments.get(source) != segment:
                continue
            depth = max(depth, level[source][0] + (takes and not level[source][1]))
        return depth, takes

    def report(self):
        lines = [f"{len(self.tags)} calls of delegates"]
        lines += [f"{backend}: {count} nodes" for backend, count in sorted(self.placed.items())]
        if self.refused:
            lines.append(f"left to portable kernels, though planned otherwise: {', '.join(self.refused)}")
        return "\n".join(lines)
