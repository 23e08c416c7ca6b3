#!/usr/bin/env python3
"""Writes torch.export archives (.pt2) of small networks, each with reference inputs and outputs.

    make_pt2.py FOLDER           the small networks that tests/data/pt2 holds (each below 100 KB)
    make_pt2.py --large FOLDER   networks of real size, built from transformers' configurations
                                 without weights to download (some 1.5 GB)

Beside NAME.pt2 there is NAME.ref: for each input of the graph and then for each of its outputs a line
"input|output DTYPE DIM DIM ...", followed by the elements, little-endian, and a newline.

torch 2.13 wrote the committed files; pt2e wants executorch, --large transformers. Run by torch 2.7 or
2.8, whose archives have other layouts and pickled weights, the script writes torch27 and torch28.
"""
import copy
import json
import pathlib
import sys
import zipfile

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch._higher_order_ops.map import map as functional_map
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop

DTYPES = {torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16",
          torch.int64: "i64", torch.int32: "i32", torch.int16: "i16", torch.int8: "i8",
          torch.uint8: "u8", torch.bool: "bool"}


def write_reference(path, inputs, outputs):
    with open(path, "wb") as out:
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for t in tensors:
                t = t.detach().contiguous()
                dims = " ".join(str(d) for d in t.shape)
                out.write(f"{kind} {DTYPES[t.dtype]} {dims}".rstrip().encode() + b"\n")
                out.write(t.flatten().view(torch.uint8).numpy().tobytes() if t.numel() else b"")
                out.write(b"\n")


def tensors_of(tree):
    return [t for t in torch.utils._pytree.tree_leaves(tree) if isinstance(t, torch.Tensor)]


# ---- small networks -------------------------------------------------------------------------------


class Cnn(nn.Module):
    """Convolutions, batch norm, pools, a classifier; the batch is free."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
                                  nn.BatchNorm2d(8), nn.ReLU6())
        self.mid = nn.Conv2d(8, 12, 3, padding="same", groups=4)
        self.norm = nn.BatchNorm2d(12)
        self.down = nn.Conv2d(12, 8, 2, stride=2, dilation=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = F.relu(self.norm(self.mid(x)))
        x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False, padding=1) + 0.5
        x = self.down(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return F.softmax(self.head(F.dropout(x, 0.2, self.training)), dim=-1)


class Mobile(nn.Module):
    """Depthwise blocks, hard activations in place, squeeze and excitation, a residual."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Conv2d(6, 12, 1)
        self.deep = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.norm = nn.BatchNorm2d(12, affine=False)
        self.squeeze = nn.Conv2d(12, 4, 1)
        self.excite = nn.Conv2d(4, 12, 1)
        self.project = nn.Conv2d(12, 6, 1)

    def forward(self, x):
        y = F.hardswish(self.expand(x), inplace=True)
        y = F.relu_(self.norm(self.deep(y)))
        gate = F.hardsigmoid(self.excite(F.silu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = self.project(y * gate)
        y += x
        return F.leaky_relu_(y, 0.1), F.elu(y, 0.7), F.mish(y), F.softplus(y, 2.0)


class Encoder(nn.Module):
    """Embeddings, attention with a mask, layer norm, GELU: two layers of a BERT."""

    def __init__(self, width=16, heads=4, layers=2):
        super().__init__()
        self.word = nn.Embedding(50, width)
        self.place = nn.Parameter(torch.randn(12, width))
        self.heads = heads
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(layers))
        self.down = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * layers + 1))

    def forward(self, ids, mask):
        batch, length = ids.shape
        x = self.word(ids) + self.place[:length]
        seen = (mask[:, None, None, :] > 0)
        for i, qkv in enumerate(self.qkv):
            q, k, v = qkv(self.norms[2 * i](x)).view(batch, length, 3, self.heads, -1).permute(
                2, 0, 3, 1, 4).unbind(0)
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            x = x + self.out[i](a.transpose(1, 2).reshape(batch, length, -1))
            h = F.gelu(self.up[i](self.norms[2 * i + 1](x)), approximate="tanh" if i else "none")
            x = x + self.down[i](h)
        return torch.tanh(self.norms[-1](x)[:, 0]), F.log_softmax(x, -1)


class Decoder(nn.Module):
    """A Llama layer with its key-value cache: RMS norm, rotary positions, grouped heads, SiLU."""

    def __init__(self, width=16, heads=4, groups=2, room=8):
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.word = nn.Embedding(40, width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * groups * self.size, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.up = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)
        self.scale = nn.Parameter(torch.rand(width) + 0.5)
        angles = torch.outer(torch.arange(room).float(),
                             1 / 10000 ** (torch.arange(0, self.size, 2) / self.size))
        self.register_buffer("cos", angles.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sin", angles.sin().repeat(1, 2), persistent=False)
        self.register_buffer("keys", torch.zeros(1, groups, room, self.size))
        self.register_buffer("values", torch.zeros(1, groups, room, self.size))

    def norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.scale

    def turn(self, x, position):
        half = x.shape[-1] // 2
        turned = torch.cat((-x[..., half:], x[..., :half]), -1)
        return x * self.cos[position] + turned * self.sin[position]

    def forward(self, ids, position):
        x = self.word(ids)
        y = self.norm(x)
        q = self.q(y).view(1, -1, self.heads, self.size).transpose(1, 2)
        k, v = self.kv(y).view(1, -1, 2 * self.groups, self.size).transpose(1, 2).chunk(2, 1)
        q, k = self.turn(q, position), self.turn(k, position)
        self.keys[:, :, position] = k
        self.values[:, :, position] = v
        mask = torch.arange(self.keys.shape[2])[None, :] <= position[:, None]
        a = F.scaled_dot_product_attention(q, self.keys, self.values, attn_mask=mask,
                                           enable_gqa=True)
        x = x + self.out(a.transpose(1, 2).reshape(1, ids.shape[1], -1))
        y = self.norm(x)
        return F.linear(x + self.down(F.silu(self.gate(y)) * self.up(y)), self.word.weight)


class Shapes(nn.Module):
    """What moves elements: slices, selections, gathers, joins, pads, turns."""

    def forward(self, x, index):
        a = x[:, 1:, ::2]
        b = x[:, -1] + x.select(1, 1)
        c = torch.stack([b, b * 2], 1).flatten(0, 1)
        d, e = torch.split(x, [1, 3], 1)
        f = torch.cat([p.squeeze(1) for p in x.chunk(4, 1)], -1)
        g = x.permute(2, 0, 1).reshape(6, -1).unflatten(1, (2, -1)).transpose(0, 1)
        h = torch.gather(x, 2, index[:, :, None].expand(-1, -1, 2))
        i = x.index_select(2, index[0])
        j = x[:, index[1]]
        k = F.pad(x, (1, 2, 0, 1), value=0.5)
        m = F.pad(x, (2, 1), mode="reflect") + F.pad(x, (1, 2), mode="replicate")
        n = x.flip([1, 2]).roll(2, 2).roll((1, 1), (0, 1))
        o = x.unsqueeze(0).expand(3, -1, -1, -1).narrow(3, 1, 2).sum(0)
        p = x.repeat(1, 2, 1).tril(1) + x.repeat_interleave(2, 1).triu(-1)
        q = torch.cat(x.unbind(1), 1).view(2, 4, 6).movedim(0, 2).swapaxes(0, 1)
        r = x[torch.arange(2)[:, None], index]
        return a, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r


class Numbers(nn.Module):
    """Arithmetic with promotion of types, comparisons, reductions, orders."""

    def forward(self, x, y, n):
        small, mask = n.to(torch.int32), x > 0.2
        a = [x + n, x - 1, 2 - x, n * 3, n / 2, n // 2, n % 3, torch.div(x, y, rounding_mode="floor"),
             torch.add(x, y, alpha=0.5), torch.rsub(x, 2), -n, x * mask]
        b = [x.abs().sqrt(), x.abs().pow(1.5), x ** 2, 2 ** x, (x * x + 1).rsqrt(), x.exp().log1p(),
             x.erf(), x.sin() + x.cos(), x.floor() + x.ceil() + x.round() + x.trunc(), x.sign(),
             1 / (x + 3), x.clamp(-0.5), x.clamp(min=y, max=y + 1), x.sigmoid().logit()]
        c = [mask & (n > 1), ~mask, (n == 2) | (x != y), torch.where(mask, x, 0.0),
             torch.where(mask, n, small), x.masked_fill(mask, float("-inf")).softmax(-1),
             torch.maximum(x, y), torch.minimum(n, small), x.lt(y), n.ge(1.5)]
        d = [x.sum(), n.sum(1), mask.sum(-1, keepdim=True), x.mean((0, 2)), x.amax(1), x.max(2)[0],
             x.max(2)[1], x.min(), x.argmax(1), x.argmin(), n.prod(1), x.var(1), x.std(-1, False),
             mask.any(1), mask.all(-1), x.cumsum(1), n.cumsum(0), x.norm(dim=1), x.logsumexp(1)]
        values, places = x.topk(3, dim=-1)
        e = [values, places, torch.full_like(x, 2.5) + torch.ones(3, 1), torch.zeros(2, dtype=torch.int64),
             torch.arange(1, 10, 2), torch.arange(4).float() / 3, x.to(torch.float64).float(), x.double().sum(),
             torch.addcmul(x, x, y, value=0.5), torch.lerp(x, y, 0.25), x.half().float(), x.new_zeros(2, 3)]
        return a, b, c, d, e


class Images(nn.Module):
    """Resizing, transposed convolutions, one and three dimensions, norms of groups."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.line = nn.Conv1d(4, 5, 3, padding=1, dilation=1)
        self.group = nn.GroupNorm(3, 6)
        self.single = nn.InstanceNorm2d(6, affine=True)
        self.slope = nn.PReLU(6)
        self.cube = nn.Conv3d(4, 3, (1, 2, 2))

    def forward(self, x):
        y = self.slope(self.group(self.up(x)))
        a = F.interpolate(y, scale_factor=2, mode="nearest")
        b = F.interpolate(y, size=(7, 9), mode="bilinear", align_corners=False)
        c = F.interpolate(y, scale_factor=1.5, mode="bilinear", align_corners=True)
        d = F.interpolate(y, size=(20, 10), mode="bicubic")
        e = F.pixel_shuffle(F.pad(y, (0, 0, 0, 0, 0, 2)), 2)
        f = F.pixel_unshuffle(x, 2)
        g = F.max_pool1d(self.line(x.flatten(2)), 3, 2)
        h = F.adaptive_avg_pool2d(y, (3, 5)) + F.adaptive_max_pool2d(y, (3, 5))[:, :, :1]
        i = self.single(y).mean(1)
        j = self.cube(x.unsqueeze(2).expand(-1, -1, 3, -1, -1))
        k = F.avg_pool2d(x, 3, 2, padding=1, divisor_override=4)
        m = F.max_pool2d(x, 2, ceil_mode=True) if x.shape[-1] % 2 else F.channel_shuffle(x, 2)
        return a, b, c, d, e, f, g, h, i, j, k, m


class Writes(nn.Module):
    """Writes in place, through views too; a counter that lives on."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(2))
        self.register_buffer("log", torch.zeros(4, 3))

    def forward(self, x):
        y = x * 2
        z = y[1:3]
        rows = y.view(2, 2, 3)
        z.add_(1)
        z[:, 0] = 5
        w = rows + 0
        rows.mul_(0.5)
        y[0].copy_(x[3])
        self.count.add_(1)
        self.log[1:3] = x[:2]
        return y, z * 1, w, rows + 0, self.count * 1, self.log.sum(0)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(10, 3)
        self.rnn = nn.RNN(3, 2, bias=False)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        z, last = self.gru(y.transpose(0, 1))
        w, _ = self.rnn(z)
        return y, h, c, z, last, w


class Modes(nn.Module):
    """A region without gradients, which torch.export writes as a graph inside a node."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, x):
        with torch.no_grad():
            angle = (x * 2).sin()
        with torch.autocast("cpu", enabled=False):
            y = self.line(x).exp() + angle
        return y, torch.einsum("ij,kj->ik", x, y)


class Regions(nn.Module):
    """Branches and loops: taken or unrolled where what they depend on is constant."""

    def __init__(self):
        super().__init__()
        self.register_buffer("flag", torch.tensor(True))
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        x = torch.cond(self.flag, lambda x: self.layer(x), lambda x: x.cos(), (x,))
        y = torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x + 1, (x,))
        count, x = while_loop(lambda i, x: i < 5, lambda i, x: (i + 1, x * 1.5 + y),
                              (torch.tensor(0), x))
        return y, x, count


class Rows(nn.Module):
    """A body for every row, with and without something carried along."""

    def forward(self, x, y):
        rows = functional_map(lambda a, b: a @ b, x.view(3, 2, 4), y)
        last, sums = scan(lambda c, a: (c + a, c * a), torch.zeros(8), x)
        return rows, last, sums


class Special(nn.Module):
    """Elementwise functions of several steps, aliases, products of vectors, distances."""

    def forward(self, x, y):
        z = torch.tensor([[-1.0, 0.0, 1.0, 0.0], [0.0, 1.0, -2.0, 3.0], [0.5, -0.5, 2.0, -2.0]])
        one = (torch.exp2(x) + torch.erfc(x) + torch.frac(x) + torch.rad2deg(x) + torch.deg2rad(x)
               + torch.logaddexp(x, y) + torch.xlogy(x.clamp(min=0), y.abs() + 0.1) + torch.hypot(x, y))
        two = (torch.atan2(z, x) + torch.atan2(x, z) + F.threshold(x, 0.2, -1.0) + F.hardshrink(x, 0.3)
               + F.softshrink(x, 0.3) + F.celu(x, 0.7) + F.selu(x) + torch.nan_to_num(x / z, nan=2.0))
        three = torch.subtract(x, y, alpha=2).negative().absolute() + torch.multiply(x, y).positive()
        rows = torch.stack([torch.mv(x, x[0]), torch.addmv(x[:, 0], x, y[1], beta=0.5, alpha=2.0)])
        near = torch.cat([torch.cdist(x, y), torch.inner(x, y), torch.outer(x[0], y[0])[:3, :3]], 1)
        like = torch.stack([F.cosine_similarity(x, y), F.pairwise_distance(x, y)])
        spread, middle = torch.std_mean(x, 1)
        grid = torch.meshgrid(x[0], y[:, 0], indexing="xy")
        three = three * torch.linspace(0.1, 1, 4) / torch.sqrt(torch.tensor(16)) + grid[1]
        return (one, two, three, rows, near, like, spread, middle, torch.dot(x[0], y[0]),
                torch.isfinite(x / z), torch.greater(x, y), torch.count_nonzero(z, 1))


class Windows(nn.Module):
    """Reads and writes at places that the call decides, and orders."""

    def forward(self, x, image, ids):
        order, places = torch.sort(x, dim=1, descending=True)
        held = x.clone()
        held[held > 0.5] = 0.5
        held[::2, 1:4] = 7.0
        turned = x.clone()
        turned.t().mul_(2.0)
        rows = torch.tensor([0, 2])
        return (order, places, torch.argsort(x, 0), torch.diagonal(image, 1, 2, 3), x.unfold(1, 3, 2),
                F.unfold(image, (3, 2), padding=1, stride=2), torch.take(x, ids), F.one_hot(ids, 6),
                torch.take_along_dim(x, ids[:, :2], 1), torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])),
                torch.searchsorted(torch.tensor([-1.0, 0.0, 1.0]), x, right=True), held, turned,
                x.index_add(0, rows, torch.ones(2, 5), alpha=2), x.index_fill(0, rows, 3.0),
                x.index_copy(1, rows, torch.zeros(3, 2)), torch.roll(x, 4), torch.tile(x, (2,)),
                x.scatter_reduce(1, ids, torch.ones(3, 4), "amax"), torch.cumprod(x, 1), x.mT, x.T,
                *torch.tensor_split(x, 3, 1), torch.hstack([x, x]), torch.vstack([x, x]))


class Resized(nn.Module):
    """Images by factors that do not give whole sizes, in one to three dims, and by grids."""

    def forward(self, line, image, block, grid):
        return (F.interpolate(line, scale_factor=1.7), F.interpolate(line, size=15, mode="linear"),
                F.interpolate(line, size=15, mode="linear", align_corners=True),
                F.interpolate(image, scale_factor=1.7),
                F.interpolate(image, scale_factor=1.7, mode="bilinear"),
                F.interpolate(image, scale_factor=(1.3, 2.2), mode="bicubic"),
                F.interpolate(block, scale_factor=1.5), F.interpolate(block, size=(6, 7, 8), mode="trilinear"),
                F.grid_sample(image, grid, align_corners=False),
                F.grid_sample(image, grid, mode="nearest", padding_mode="border", align_corners=True),
                F.affine_grid(grid[:, :2, :3, 0].clone(), (1, 1, 4, 5), align_corners=False))


class Cells(nn.Module):
    """Recurrent cells, step by step, and weight norm as it was spelt before parametrizations."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(4, 5), nn.GRUCell(5, 3), nn.RNNCell(3, 3, nonlinearity="relu")
        with torch.no_grad():
            self.last = nn.utils.weight_norm(nn.Linear(3, 2))
            self.last.weight_g.mul_(1.5)

    def forward(self, x):
        h, c, g, r = (torch.zeros(2, n) for n in (5, 5, 3, 3))
        for t in range(x.shape[0]):
            h, c = self.lstm(x[t], (h, c))
            g = self.gru(h, g)
            r = self.rnn(g, r)
        return h, c, g, self.last(r)


class Chosen(nn.Module):
    """Lengths that values decide; the outputs are the same however long these are taken to be."""

    def forward(self, x, weight):
        y = x.clone()
        y[x > 0] = x[x > 0].exp()
        places = (x * weight).relu().nonzero()
        z = torch.zeros_like(x).index_put((places[:, 0], places[:, 1]), weight[places[:, 0], places[:, 1]])
        rows, = torch.where(x[:, 0] > weight[:, 0])
        kept = x[x[:, 1] < weight[:, 1]].amax(0), x[rows][:, weight[0] > -0.5].amin()
        values, group = torch.unique(x.round(), return_inverse=True)
        return (y, z, *kept, torch.masked_select(weight, x < 0).amax(), values[group],
                torch.unique(x.round(), dim=1).amax())


class Branch(nn.Module):
    """A branch that depends on a free dimension."""

    def forward(self, x):
        return torch.cond(x.shape[0] > 3, lambda x: x * 2, lambda x: x - 1, (x,))


def quantised(module, inputs):
    """The network with int8 weights and activations, as PT2E with XNNPACK's quantizer makes it."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer, get_symmetric_quantization_config)
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(module, inputs).module(), quantizer)
    for i in range(4):
        prepared(*(x + 0.1 * i for x in inputs))
    return convert_pt2e(prepared)


class Spectra(nn.Module):
    """Complex numbers: transforms of signals and images, frames and back, rotary positions."""

    def __init__(self):
        super().__init__()
        self.window = nn.Buffer(torch.hann_window(12))
        self.filter = nn.Parameter(torch.randn(3, 4, 3, 3, dtype=torch.cfloat))
        self.places = nn.Buffer(torch.polar(torch.ones(5, 2), torch.arange(10.0).reshape(5, 2)))

    def forward(self, signal, image, heads):
        frames = torch.stft(signal, 16, 4, 12, self.window, return_complex=True)
        back = torch.istft(frames / (1 + frames.abs()), 16, 4, 12, self.window, length=signal.shape[1])
        half = torch.fft.rfft2(image, norm="ortho")
        kept = torch.zeros(1, 4, 6, 4, dtype=torch.cfloat)
        kept[:, :, :3, :3] = torch.einsum("bihw,iohw->bohw", half[:, :, :3, :3], self.filter)
        rows = torch.fft.irfft2(kept, s=image.shape[-2:], norm="ortho")
        pairs = torch.view_as_complex(heads.reshape(*heads.shape[:-1], 2, 2))
        turned = torch.view_as_real(pairs * self.places[:, None]).flatten(2)
        whole = torch.fft.fftshift(torch.fft.fft(signal, n=20))
        product = whole[:, :6].reshape(2, 3, 2) @ whole[:, 6:10].reshape(2, 2, 2).conj()
        sides = torch.stack((product.real, product.imag, product.sum(0).abs().expand(2, 3, 2)))
        return back, rows, turned, sides, torch.fft.irfft(1j * whole[:, :7]), torch.fft.rfftfreq(9, 0.5)


class Losses(nn.Module):
    """What a network is trained with, and bags, scatters, diagonals and norms around it."""

    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(7, 3, mode="mean", padding_idx=1)
        self.largest = nn.EmbeddingBag(7, 3, mode="max")
        self.pair = nn.Bilinear(3, 3, 2)

    def forward(self, x, y, words):
        classes = words[:, 0] % 4
        share = torch.softmax(y, 1)
        losses = torch.stack((F.cross_entropy(x, classes, ignore_index=2), F.cross_entropy(x, share),
                              F.nll_loss(F.log_softmax(x, 1), classes, share[0], reduction="sum"),
                              F.mse_loss(x, y), F.l1_loss(x, y), F.huber_loss(x, y, delta=0.3),
                              F.smooth_l1_loss(x, y, beta=0.5), F.kl_div(F.log_softmax(x, 1), share),
                              F.binary_cross_entropy(share, torch.sigmoid(x)),
                              F.binary_cross_entropy_with_logits(x, share, pos_weight=share[1])))
        bag, largest = self.bag(words), self.largest(words.flatten(), torch.tensor([0, 2, 2, 5]))
        places = words[:, :4] % 4
        mean = x.scatter_reduce(1, places, y, "mean"), x.scatter_reduce(1, places, y, "amax", include_self=False)
        upper = torch.triu_indices(3, 4, 1)
        made = torch.eye(3, 4) * x + torch.diag_embed(x[0])[:3] + x[upper[0], upper[1]].sum()
        strided = x.as_strided((3, 3, 2), (1, 4, 1)) + F.pad(x, (1, 1), mode="circular")[:, None, :2]
        return (losses, bag, largest, *mean, made, strided, self.pair(bag, bag),
                torch.linalg.norm(x, float("inf"), 1), torch.einsum("...i,...i", x, y),
                x.repeat_interleave(classes, 0, output_size=4)[:, :0].sum() + torch.histc(x, 5, -1, 1))


class Unbatched(nn.Module):
    """Images without a batch, and ways to change their size."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv1d(9, 4, 3, padding=1), nn.Conv2d(3, 4, 3, stride=2)
        self.back = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x):
        large, places = F.max_pool2d(x, 2, return_indices=True)
        y = self.back(self.two(x))
        small = F.interpolate(x[None], size=(5, 4), mode="bilinear", antialias=True)
        cubic = F.interpolate(x[None], size=(5, 4), mode="bicubic", antialias=True)
        exact = F.interpolate(x[None], size=(5, 13), mode="nearest-exact")
        windows = F.unfold(x[None], (3, 1), stride=(2, 1))
        folded = F.fold(F.unfold(x[None], (2, 3), padding=1, stride=2), (9, 8), (2, 3), padding=1, stride=2)
        return (self.one(x[0]), F.avg_pool1d(x[0], 2), F.adaptive_avg_pool2d(x, 1), large, places, y, small,
                cubic, exact, windows, folded)


def small():
    batch = torch.export.Dim("batch", min=1, max=64)
    length = torch.export.Dim("length", min=2, max=12)
    image = (torch.randn(2, 3, 17, 20),)
    words = (torch.randint(0, 50, (2, 7)), torch.tensor([[1] * 7, [1] * 4 + [0] * 3]))
    token = (torch.randint(0, 40, (1, 3)), torch.tensor([0, 1, 2]))
    shapes = (torch.randn(2, 4, 6), torch.randint(0, 4, (2, 4)))
    numbers = (torch.randn(2, 3, 4), torch.randn(3, 1), torch.randint(1, 5, (2, 3, 4)))
    tiny = (torch.randn(1, 4, 6, 6),)
    yield "cnn", Cnn(), image, {"dynamic_shapes": ({0: batch},)}, None
    yield "cnn_core", Cnn(), image, {}, {}
    yield "mobile", Mobile(), (torch.randn(1, 6, 8, 8),), {}, None
    yield "encoder", Encoder(), words, {"dynamic_shapes": ({1: length}, {1: length})}, None
    yield "encoder_core", Encoder(), words, {}, {}
    yield "decoder", Decoder(), token, {}, None
    yield "decoder_core", Decoder(), token, {}, {}
    yield "shapes", Shapes(), shapes, {}, None
    yield "shapes_core", Shapes(), shapes, {}, {}
    yield "numbers", Numbers(), numbers, {}, None
    yield "numbers_core", Numbers(), numbers, {}, {}
    yield "images", Images(), tiny, {}, None
    yield "images_core", Images(), tiny, {}, {}
    yield "writes", Writes(), (torch.randn(4, 3),), {}, None
    yield "writes_core", Writes(), (torch.randn(4, 3),), {}, {}
    yield "recurrent", Recurrent(), (torch.randn(2, 3, 4),), {}, None
    yield "regions", Regions(), (torch.randn(3, 4),), {}, None
    yield "special", Special(), (torch.randn(3, 4), torch.randn(3, 4)), {}, None
    yield "windows", Windows(), (torch.randn(3, 5), torch.randn(1, 2, 6, 5), torch.randint(0, 5, (3, 4))), {}, None
    yield "resized", Resized(), (torch.randn(1, 2, 10), torch.randn(1, 2, 6, 5), torch.randn(1, 2, 3, 4, 5),
                                 torch.rand(1, 4, 5, 2) * 2 - 1), {}, None
    yield "cells", Cells(), (torch.randn(3, 2, 4),), {}, None
    yield "rows", Rows(), (torch.randn(3, 8), torch.randn(4, 2)), {}, None
    yield "branch", Branch(), (torch.randn(3, 4),), {"dynamic_shapes": ({0: batch},)}, None
    for core in (("", None), ("_core", {})):
        yield "spectra" + core[0], Spectra(), (torch.randn(2, 40), torch.randn(1, 3, 6, 6),
                                               torch.randn(5, 3, 4)), {}, core[1]
        yield "losses" + core[0], Losses(), (torch.randn(3, 4), torch.randn(3, 4),
                                             torch.randint(0, 7, (3, 4))), {}, core[1]
        yield "unbatched" + core[0], Unbatched(), (torch.randn(3, 9, 8),), {}, core[1]
    yield "chosen", Chosen(), (torch.randn(4, 5), torch.randn(4, 5)), {}, None
    yield "modes", Modes(), (torch.randn(3, 4),), {}, None


def shorten(path):
    """Rewrites the archive without stack traces; all else is kept. torch stores every record as it
    is; a large program is packed here, which torch.export.load and divvy read as well."""
    with zipfile.ZipFile(path) as archive:
        entries = [(i.filename, archive.read(i)) for i in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            if "/models/" in name or name == "serialized_exported_program.json":
                data = without_traces(data)
            packed = zipfile.ZIP_DEFLATED if len(data) > 30000 else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), data, packed)


def without_traces(data):
    program = json.loads(data)

    def walk(graph):
        for node in graph["nodes"]:
            node["metadata"] = {}
            for value in node["inputs"]:
                inner = value["arg"].get("as_graph")
                if inner:
                    walk(inner["graph"])
    walk(program["graph_module"]["graph"])
    program["graph_module"]["module_call_graph"] = program["graph_module"]["module_call_graph"][:1]
    return json.dumps(program, separators=(",", ":")).encode()


def save(folder, name, module, inputs, options, decompositions, shrink=True):
    module = module.eval() if hasattr(module, "eval") else module
    with torch.no_grad():
        expected = tensors_of(copy.deepcopy(module)(*copy.deepcopy(inputs)))
    program = torch.export.export(module, inputs, **options)
    if decompositions is not None:
        program = program.run_decompositions(decompositions or None)
    path = folder / f"{name}.pt2"
    torch.export.save(program, path)
    if shrink:
        shorten(path)
    write_reference(folder / f"{name}.ref", tensors_of(inputs), expected)
    print(f"{name}: {path.stat().st_size} bytes, {len(program.graph.nodes)} nodes")


def make_older(folder):
    torch.manual_seed(7)
    name, wanted = {(2, 7): ("torch27", "encoder"), (2, 8): ("torch28", "cnn")}[release()]
    module, inputs, options = next(row[1:4] for row in small() if row[0] == wanted)
    save(folder, name, module, inputs, options, None)


def release():
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def make_models(folder):
    """Two models in one archive."""
    from torch.export.pt2_archive._package import package_pt2
    parts = {"encode": (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.randn(1, 4)),
             "decode": (nn.Sequential(nn.Linear(3, 5), nn.Tanh()), torch.randn(1, 3))}
    package_pt2(str(folder / "models.pt2"), exported_programs={
        name: torch.export.export(module, (x,)) for name, (module, x) in parts.items()})
    shorten(folder / "models.pt2")


def make_small(folder):
    make_models(folder)
    torch.manual_seed(7)
    for name, module, inputs, options, decompositions in small():
        for statistic in module.modules():
            if isinstance(statistic, nn.modules.batchnorm._BatchNorm):
                nn.init.uniform_(statistic.running_mean, -0.5, 0.5)
                nn.init.uniform_(statistic.running_var, 0.5, 2.0)
        save(folder, name, module, inputs, options, decompositions)
    try:
        module, inputs = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                                       nn.Flatten(), nn.Linear(8, 4)).eval(), (torch.randn(1, 3, 9, 9),)
        converted = quantised(module, inputs)
        expected = tensors_of(converted(*inputs))
        torch.export.save(torch.export.export(converted, inputs), folder / "pt2e.pt2")
        shorten(folder / "pt2e.pt2")
        write_reference(folder / "pt2e.ref", inputs, expected)
    except ImportError as missing:
        print(f"pt2e: skipped, {missing}")


# ---- networks of real size ------------------------------------------------------------------------


def large():
    import transformers as t
    image = (torch.randn(1, 3, 224, 224),)
    words = (torch.randint(0, 1000, (1, 64)),)
    mel = (torch.randn(1, 80, 3000),)
    yield "resnet50", t.ResNetForImageClassification(t.ResNetConfig()), image
    yield "mobilenet_v2", t.MobileNetV2ForImageClassification(t.MobileNetV2Config()), image
    yield "mobilevit_s", t.MobileViTForImageClassification(t.MobileViTConfig()), (torch.randn(1, 3, 256, 256),)
    yield "vit_b_16", t.ViTForImageClassification(t.ViTConfig()), image
    yield "convnext_tiny", t.ConvNextForImageClassification(t.ConvNextConfig()), image
    yield "swin_t", t.SwinForImageClassification(t.SwinConfig()), image
    yield "segformer", t.SegformerForSemanticSegmentation(t.SegformerConfig()), (torch.randn(1, 3, 256, 256),)
    yield "bert_base", t.BertModel(t.BertConfig()), words
    yield "distilbert", t.DistilBertModel(t.DistilBertConfig()), words
    yield "gpt2", t.GPT2LMHeadModel(t.GPT2Config(n_layer=6)), words
    yield "llama", t.LlamaForCausalLM(t.LlamaConfig(hidden_size=512, intermediate_size=1376, vocab_size=8000,
                                                    num_hidden_layers=4, num_attention_heads=8,
                                                    num_key_value_heads=4)), words
    yield "whisper_encoder", t.WhisperModel(t.WhisperConfig(d_model=384, encoder_layers=4, decoder_layers=4,
                                                           encoder_attention_heads=6,
                                                           decoder_attention_heads=6)).encoder, mel
    yield "clip_vision", t.CLIPVisionModel(t.CLIPVisionConfig()), image
    yield "t5_encoder", t.T5EncoderModel(t.T5Config()), words


class Plain(nn.Module):
    """Transformers' modules give dictionaries and caches; a graph has tensors."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        extra = {"use_cache": False} if hasattr(self.module.config, "use_cache") else {}
        result = self.module(*inputs, **extra)
        return tuple(v for v in result.values() if isinstance(v, torch.Tensor))


def settle(module, inputs):
    """Gives batch norms the statistics of their inputs: with fresh weights and the statistics of a
    fresh network, what a deep one computes fades to nothing."""
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
            norm.reset_running_stats()
    with torch.no_grad():
        module.train()(*inputs)
    module.eval()


def make_large(folder, only):
    torch.manual_seed(7)
    for name, module, inputs in large():
        if only and name not in only:
            continue
        try:
            settle(Plain(module), inputs)
            save(folder, name, Plain(module), inputs, {}, None, shrink=False)
            save(folder, name + "_core", Plain(module), inputs, {}, {}, shrink=False)
        except Exception as failure:  # a version of transformers that does not export it
            print(f"{name}: not exported: {str(failure)[:300]}")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--large"]
    if not arguments:
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    if "--large" in sys.argv:
        make_large(folder, arguments[1:])
    elif release() < (2, 9):
        make_older(folder)
    else:
        make_small(folder)


if __name__ == "__main__":
    main()
