#!/usr/bin/env python3
"""Writes ExecuTorch programs (.pte) of small and of real networks, each under several placements.

    python3 -m venv venv && venv/bin/pip install torch executorch transformers
    venv/bin/python tests/models/make_pte.py OUT [--large] [NAME...]

Every program gets beside it NAME.json: the instructions as ExecuTorch's own reader lists them, and
the inputs and outputs of a run of its runtime. The small ones under tests/data/pte/ were made this
way (torch 2.13, executorch 1.5.1); --large adds networks of real size, which nobody commits.
"""
import argparse
import json
import pathlib
import sys

import torch
from torch import nn
from torch.export import export

import executorch.kernels.quantized  # noqa: F401  (out-variants of the quantised operators)
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner


# ---- networks ----


class ConvNet(nn.Module):
    """A strided convolution, a depthwise and a pointwise one with a residual, a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.point = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        y = self.point(nn.functional.relu6(self.deep(x)))
        x = nn.functional.max_pool2d(x + y, 2)
        return torch.softmax(self.head(x.mean((2, 3))), -1)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(8, 16)
        self.down = nn.Linear(16, 4)

    def forward(self, x):
        return self.down(nn.functional.gelu(self.up(x))) * 0.5 + 1


class Rows(nn.Module):
    """As many rows as are given, up to six: ranges, parts and fills of a computed size."""
    dims = ({0: torch.export.Dim("rows", min=3, max=6)},)

    def forward(self, x):
        rows = x.shape[0]
        places = torch.arange(rows, dtype=torch.float32)[:, None]
        return x[: rows - 1] * places[1:] + torch.full((rows - 1, 1), 0.5), x.reshape(2 * rows, 2)


class Attention(nn.Module):
    """One pre-norm transformer block of two heads."""

    def __init__(self, width=16, heads=2):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(self.before(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(b, n, c))
        return x + self.down(nn.functional.silu(self.up(self.between(x))))


class Views(nn.Module):
    """Reads a tensor both as it is and under another shape: the compiler elides the views."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 4, 3), nn.Linear(16, 4)

    def forward(self, x):
        y = torch.relu(self.a(x))
        return self.b(y.view(1, 4, 16)) + y.mean((2, 3)).view(1, 1, 4), y.flatten(1).sum(1)


class Cache(nn.Module):
    """Keeps the last rows between runs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.zeros(4, 6))
        self.project = nn.Linear(6, 6)

    def forward(self, x, position):
        self.rows.index_put_((position,), self.project(x))
        return self.rows.sum(0, keepdim=True)


class Inside(nn.Module):
    """Two methods: what encode gives, decode takes."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 3), nn.Linear(3, 6)

    def forward(self, x):
        return self.decode(self.encode(x))

    def encode(self, x):
        return torch.relu(self.encoder(x))

    def decode(self, x):
        return torch.sigmoid(self.decoder(x))


class Method(nn.Module):
    def __init__(self, owner, name):
        super().__init__()
        self.owner, self.name = owner, name

    def forward(self, *args):
        return getattr(self.owner, self.name)(*args)


class Shapes(nn.Module):
    """Data movement: what kernels take as lists of numbers, lists of tensors and strings."""

    def forward(self, x, y):
        a, b = torch.split(x, [3, 5], dim=1)
        c = torch.cat([b, y.permute(1, 0)[:, :2]], dim=1)
        d = nn.functional.pad(c, (1, 2), value=0.5).clamp(-1, 1)
        e = torch.stack([d[:, 1:5], nn.functional.gelu(a.repeat(1, 2)[:, :4], approximate="tanh")])
        f = torch.where(e > 0, e, torch.exp(e)).pow(2)
        return f.select(0, 1), f.amax((0, 2)), torch.topk(c, 2, dim=1)[0], c.argmax(1)


class Kinds(nn.Module):
    """As many kinds of XNNPACK node as its partitioner takes."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.wide = nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2)
        self.slope = nn.PReLU(8)
        self.deep = nn.Conv2d(8, 16, 3, padding=1, groups=8)

    def forward(self, x, m):
        x = self.slope(self.wide(nn.functional.leaky_relu(self.up(x), 0.1)))
        y = nn.functional.avg_pool2d(nn.functional.elu(self.deep(x)), 2)
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=True)
        y = nn.functional.interpolate(y, size=(5, 5), mode="bilinear", align_corners=False)
        z = torch.cat([y[:, 2:6], nn.functional.hardswish(y[:, 6:10]), torch.sigmoid(y[:, 10:])], 1)
        z = nn.functional.pad(z, (1, 0, 0, 2), value=0.25)
        n = torch.cat([m.abs(), m.neg(), m.ceil(), m.floor(), m.square()], 0)
        n = torch.maximum(torch.minimum(n, n.sin()), n.cos()) - n.exp() / (n.abs() + 1).sqrt()
        n = n + (n.abs() + 1).rsqrt() * (n.abs() + 2).log() + torch.tanh(n) + nn.functional.gelu(n)
        q = n.reshape(5, 2, 6)
        return z, torch.softmax(torch.bmm(q, q.permute(0, 2, 1)), -1), nn.functional.relu6(n).clamp(-1, 1)


class MobileNetV2(nn.Module):
    """The network of arXiv:1801.04381, table 2."""

    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

    class Block(nn.Module):
        def __init__(self, c, t, out, stride):
            super().__init__()
            parts = [] if t == 1 else [MobileNetV2.conv(c, t * c, 1, 1, 1)]
            parts += [MobileNetV2.conv(t * c, t * c, 3, stride, t * c), nn.Conv2d(t * c, out, 1, bias=False), nn.BatchNorm2d(out)]
            self.body, self.residual = nn.Sequential(*parts), stride == 1 and c == out

        def forward(self, x):
            return x + self.body(x) if self.residual else self.body(x)

    @staticmethod
    def conv(c, out, size, stride, groups):
        return nn.Sequential(nn.Conv2d(c, out, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(out), nn.ReLU6())

    def __init__(self, classes=1000):
        super().__init__()
        layers, c = [self.conv(3, 32, 3, 2, 1)], 32
        for t, out, n, stride in self.rows:
            for i in range(n):
                layers.append(self.Block(c, t, out, stride if i == 0 else 1))
                c = out
        layers.append(self.conv(c, 1280, 1, 1, 1))
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(1280, classes)

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))


def bert():
    from transformers import BertConfig, BertModel

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = BertModel(BertConfig(), add_pooling_layer=False)

        def forward(self, ids):
            return self.net(ids).last_hidden_state

    return Net(), (torch.randint(0, 30000, (1, 128)),)


def vit():
    from transformers import ViTConfig, ViTModel

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = ViTModel(ViTConfig(), add_pooling_layer=False)

        def forward(self, x):
            return self.net(x).last_hidden_state

    return Net(), (torch.randn(1, 3, 224, 224),)


# ---- placements ----


def placement(name):
    """Partitioners, in their order, by the last word of a program's name."""
    from executorch.backends.xnnpack.partition.config.gemm_configs import ConvolutionConfig, LinearConfig

    if name == "portable":
        return []
    if name == "xnn":
        return [XnnpackPartitioner()]
    if name == "perop":
        return [XnnpackPartitioner(per_op_mode=True)]
    if name == "convs":
        return [XnnpackPartitioner(configs=[ConvolutionConfig])]
    if name == "linears":
        return [XnnpackPartitioner(configs=[LinearConfig])]
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    if name == "vulkan":
        return [VulkanPartitioner()]
    if name == "vulkanxnn":
        return [VulkanPartitioner({"skip_memory_planning": False}), XnnpackPartitioner()]
    if name == "xnnvulkan":
        return [XnnpackPartitioner(configs=[ConvolutionConfig]), VulkanPartitioner()]
    raise KeyError(name)


def quantised(model, args, dynamic):
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic))
    prepared = prepare_pt2e(export(model, args).module(), quantizer)
    for _ in range(4):
        prepared(*[torch.randn_like(a) for a in args])
    prepared(*args)
    return convert_pt2e(prepared)


# ---- programs ----


def tensors(values):
    """As JSON: type, shape, elements."""
    return [{"dtype": str(v.dtype).replace("torch.", ""), "shape": list(v.shape), "data": v.flatten().tolist()} for v in values]


def listing(program, method):
    """The instructions of a method, as exir's own deserialiser has them."""
    from executorch.exir.schema import DelegateCall, KernelCall

    plan = next(p for p in program.execution_plan if p.name == method)
    rows = []
    for instruction in plan.chains[0].instructions:
        args = instruction.instr_args
        if isinstance(args, KernelCall):
            op = plan.operators[args.op_index]
            rows.append({"kernel": f"{op.name}.{op.overload}" if op.overload else op.name, "args": args.args})
        elif isinstance(args, DelegateCall):
            rows.append({"delegate": plan.delegates[args.delegate_index].id, "args": args.args})
        else:
            rows.append({"other": type(args).__name__})
    return rows


def write(folder, name, methods, partitioners, config=None, constant_methods=None, data=True):
    """methods: name -> (module, args)."""
    programs = {m: export(module, args, dynamic_shapes=getattr(module, "dims", None))
                for m, (module, args) in methods.items()}
    lowered = to_edge_transform_and_lower(
        programs,
        partitioner={m: list(partitioners) for m in methods} if partitioners else None,
        constant_methods=constant_methods,
        compile_config=EdgeCompileConfig(_check_ir_validity=False),
    )
    built = lowered.to_executorch(config or ExecutorchBackendConfig())
    path = folder / f"{name}.pte"
    path.write_bytes(built.buffer)
    if built._tensor_data:
        built.write_tensor_data_to_file(str(folder))
    note = {"model": name, "methods": {}}
    for m, (module, args) in methods.items():
        note["methods"][m] = {"calls": listing(built.executorch_program, m)}
        if data:
            note["methods"][m]["inputs"] = tensors(args)
            note["methods"][m]["outputs"] = outputs_of(path, m, args) or outputs_of_torch(module, args)
    (folder / f"{name}.json").write_text(json.dumps(note))
    print(f"{name}: {path.stat().st_size} bytes, {[len(v['calls']) for v in note['methods'].values()]} calls", flush=True)


def outputs_of(path, method, args):
    """What ExecuTorch's runtime gives; None where it lacks the backend."""
    from executorch.runtime import Runtime

    try:
        loaded = Runtime.get().load_program(str(path)).load_method(method)
        return tensors([o.clone() for o in loaded.execute(list(args))])
    except Exception as error:  # no backend of this machine runs it
        print(f"  not run: {str(error).splitlines()[0][:90]}", file=sys.stderr)
        return None


def outputs_of_torch(module, args):
    given = module(*args)
    return tensors(given if isinstance(given, tuple) else (given,))


def small(folder, wanted):
    image, row = (torch.randn(1, 3, 8, 8),), (torch.randn(2, 8),)
    nets = {
        "conv": (ConvNet().eval(), image),
        "mlp": (Mlp().eval(), row),
        "attention": (Attention().eval(), (torch.randn(1, 3, 16),)),
        "views": (Views().eval(), (torch.randn(1, 2, 6, 6),)),
        "shapes": (Shapes().eval(), (torch.randn(4, 8), torch.randn(3, 4))),
        "kinds": (Kinds().eval(), (torch.randn(1, 4, 4, 4), torch.randn(2, 6))),
        "rows": (Rows().eval(), (torch.randn(6, 4),)),
    }
    ways = {
        "conv": ["portable", "xnn", "perop", "convs", "linears", "vulkan", "vulkanxnn", "xnnvulkan"],
        "mlp": ["portable", "xnn", "vulkan"],
        "attention": ["portable", "xnn", "perop", "vulkan"],
        "views": ["portable", "xnn", "convs", "linears"],
        "shapes": ["portable", "xnn"],
        "kinds": ["portable", "xnn", "perop", "vulkan"],
        "rows": ["portable"],
    }
    jobs = {f"{net}_{way}": (lambda n=net, w=way: write(folder, f"{n}_{w}", {"forward": nets[n]}, placement(w)))
            for net, some in ways.items() for way in some}
    jobs["cache_portable"] = lambda: write(folder, "cache_portable", {"forward": (Cache().eval(), (torch.randn(1, 6), torch.tensor([2])))}, [])
    jobs["cache_xnn"] = lambda: write(folder, "cache_xnn", {"forward": (Cache().eval(), (torch.randn(1, 6), torch.tensor([2])))}, placement("xnn"))
    owner = Inside().eval()
    both = {"encode": (Method(owner, "encode"), (torch.randn(1, 6),)), "decode": (Method(owner, "decode"), (torch.randn(1, 3),))}
    jobs["methods_xnn"] = lambda: write(folder, "methods_xnn", both, placement("xnn"), constant_methods={"get_width": 6})
    jobs["mlp_external"] = lambda: write(folder, "mlp_external", {"forward": nets["mlp"]}, placement("portable"), ExecutorchBackendConfig(external_constants=True))
    jobs["mlp_inline"] = lambda: write(folder, "mlp_inline", {"forward": nets["mlp"]}, placement("xnn"), ExecutorchBackendConfig(extract_delegate_segments=False))
    jobs["conv_int8"] = lambda: write(folder, "conv_int8", {"forward": (quantised(*nets["conv"], False), image)}, placement("xnn"))
    jobs["conv_int8portable"] = lambda: write(folder, "conv_int8portable", {"forward": (quantised(*nets["conv"], False), image)}, [])
    jobs["mlp_int8dynamic"] = lambda: write(folder, "mlp_int8dynamic", {"forward": (quantised(*nets["mlp"], True), row)}, placement("xnn"))
    return jobs


def large(folder, wanted):
    def one(net, way):
        torch.manual_seed(1)
        module, args = {"mobilenet_v2": lambda: (MobileNetV2(), (torch.randn(1, 3, 224, 224),)), "bert": bert, "vit": vit}[net]()
        write(folder, f"{net}_{way}", {"forward": (module.eval(), args)}, placement(way), data=False)

    return {f"{n}_{w}": (lambda n=n, w=w: one(n, w))
            for n in ("mobilenet_v2", "bert", "vit") for w in ("portable", "xnn", "perop", "vulkan", "vulkanxnn")}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--large", action="store_true")
    arguments.add_argument("names", nargs="*")
    given = arguments.parse_intermixed_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    jobs = small(given.out, given.names)
    if given.large:
        jobs |= large(given.out, given.names)
    failed = 0
    for name, job in jobs.items():
        if given.names and name not in given.names:
            continue
        try:
            torch.manual_seed(2)
            job()
        except Exception as error:
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
