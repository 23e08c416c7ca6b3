/* op.h - kinds of operators, their families and their parameters.

   Semantics are those of core ATen on contiguous NCHW tensors; ops.def names each kind. Before
   lowering, an operator may be in *source form*: shapes, axes and bounds still come as further
   input tensors behind the data inputs, in the order given below; lowering reads their constant
   values into the parameters and drops the inputs. In *core form* the data inputs are all there is.

     VIEW      (data, shape)                   0 copies a dim unless allow_zero; one -1 is inferred
     EXPAND    (data, shape)                   broadcast both ways, as ONNX Expand
     REPEAT    (data, repeats)
     SLICE     (data, begins, ends[, axes[, steps]])   any of the last two may be DV_NONE
     SPLIT     (data, sizes)
     PAD       (data, pads[, value[, axes]])   pads: begins then ends
     SQUEEZE, UNSQUEEZE, MEAN, SUM, AMAX, AMIN, PROD (data, axes)
     CLAMP     (data, min, max)                either may be DV_NONE
     CUMSUM    (data, axis)
     UPSAMPLE  (data, roi, scales, sizes)      as ONNX Resize
     FULL      (shape)                         ONNX ConstantOfShape
     ARANGE    (start, limit, step)
     TRIL      (data, k)
     TOPK      (data, k)
     AFFINE_GRID (theta, size)
     MAX_UNPOOL (data, indices, output shape)
     COL2IM    (data, image shape, block shape)
     DFT       (data, length, axis)            either may be DV_NONE
     STFT      (signal, step, window, length)  the last two may be DV_NONE
     NMS       (boxes, scores, most boxes of a class, overlap, least score)
     MEL_WEIGHTS (bins, DFT length, sample rate, low, high)
     NONZERO, UNIQUE and NMS take constants only: their results are folded
     WHERE     (condition, a, b) with its flag on is the choice that an If makes: the condition has
               one element and the result is a or b whole, which may differ in shape as long as
               lowering knows the condition */
#ifndef DV_CORE_OP_H
#define DV_CORE_OP_H

#include "core/dtype.h"

enum { DV_MANY = 0x7fffffff };

typedef enum dv_op_kind {
#define OP(kind, name, family, least, most, params, shape, work) DV_OP_##kind,
#include "core/ops.def"
#undef OP
    DV_OP_COUNT
} dv_op_kind;

/* What an operator is to a cost model. X(name, spelling in files) */
#define DV_FAMILY_LIST(X)                                              \
    X(CONV, "conv")           /* dense convolution, groups = 1 */      \
    X(GROUPED, "grouped")     /* 1 < groups < channels */              \
    X(DEPTHWISE, "depthwise") /* groups = input channels > 1 */        \
    X(MATMUL, "matmul")       /* linear and batched matrix products */ \
    X(ELEMENTWISE, "elementwise")                                      \
    X(POOL, "pool")                                                    \
    X(REDUCE, "reduce")                                                \
    X(NORM, "norm")                                                    \
    X(SOFTMAX, "softmax")                                              \
    X(MOVE, "move")     /* transpose, concat, slice, pad, resample */  \
    X(GATHER, "gather") /* embedding and indexed reads */              \
    X(VIEW, "view")     /* the same bytes under another shape */       \
    X(PLUMBING, "plumbing")                                            \
    X(OTHER, "other")

typedef enum dv_family {
#define DV_FAMILY_ENUM(name, text) DV_FAMILY_##name,
    DV_FAMILY_LIST(DV_FAMILY_ENUM)
#undef DV_FAMILY_ENUM
        DV_FAMILY_COUNT
} dv_family;

typedef enum dv_auto_pad {
    DV_PAD_EXPLICIT,
    DV_PAD_SAME_UPPER, /* ceil(in / stride) outputs, odd pixel at the end */
    DV_PAD_SAME_LOWER,
    DV_PAD_VALID,
} dv_auto_pad;

enum { DV_MAX_SPATIAL = 3 };

/* input [N, Cin, spatial...], weight [Cout, Cin/groups, kernel...] (transposed: [Cin, Cout/groups,
   kernel...]), bias [Cout]. auto_pad is DV_PAD_EXPLICIT in core form; pads may be asymmetric. */
typedef struct dv_conv_params {
    uint8_t spatial; /* 1 to 3; 0 in source form: take it from the weight's rank */
    bool transposed;
    dv_auto_pad auto_pad;
    int64_t groups;
    int64_t stride[DV_MAX_SPATIAL], dilation[DV_MAX_SPATIAL];
    int64_t pad_begin[DV_MAX_SPATIAL], pad_end[DV_MAX_SPATIAL];
    int64_t output_padding[DV_MAX_SPATIAL]; /* transposed only */
    int64_t output_shape[DV_MAX_SPATIAL];   /* source form, transposed only; 0: not given */
} dv_conv_params;

/* Pooling over the trailing spatial dims. Max pads with -inf; average divides by the window's
   size inside the padding (count_include_pad) or inside the image. */
typedef struct dv_pool_params {
    uint8_t spatial;
    bool ceil_mode, count_include_pad;
    bool global;    /* source form: the window is the image */
    bool whole;     /* indices (of max pool, into max unpool) count through the whole tensor, not
                       through their image */
    bool by_column; /* they count down columns */
    dv_auto_pad auto_pad;
    int64_t kernel[DV_MAX_SPATIAL], stride[DV_MAX_SPATIAL], dilation[DV_MAX_SPATIAL];
    int64_t pad_begin[DV_MAX_SPATIAL], pad_end[DV_MAX_SPATIAL];
    int64_t image[DV_MAX_SPATIAL]; /* col2im, max unpool: the image; 0 in source form: not given */
    double p;                      /* lp pool: (sum of |x|^p)^(1/p) */
} dv_pool_params;

typedef enum dv_sample_mode {
    DV_SAMPLE_NEAREST,
    DV_SAMPLE_LINEAR,
    DV_SAMPLE_CUBIC,
} dv_sample_mode;

typedef enum dv_border { /* what is outside an image */
                         DV_BORDER_ZEROS,
                         DV_BORDER_EDGE,
                         DV_BORDER_REFLECT,
} dv_border;

/* Grid sample (image [N, C, spatial...], grid [N, out..., spatial], last x first, -1 to 1 across
   the image); affine grid (theta [N, spatial, spatial + 1]) makes such a grid for images of that
   shape. align_corners: -1 and 1 are the middles of the outer pixels, not their outer edges. */
typedef struct dv_grid_params {
    dv_sample_mode mode;
    dv_border border;
    bool align_corners;
    dv_shape shape; /* affine grid: [N, C, spatial...]; source form: unknown */
} dv_grid_params;

/* Pooling of regions of images. ROI align: (image, boxes [n, 4], image of each [n]), averages (or
   the largest) of samples by samples points a cell, as many as pixels if 0. Max ROI pool: (image,
   boxes [n, 5], the image's number first). */
typedef struct dv_region_params {
    int64_t height, width, samples;
    double scale; /* image pixels per unit of the boxes */
    bool largest, half_pixel;
} dv_region_params;

/* DFT along axis of complex [..., 2] or real [..., 1] numbers, to `length` of them (0: as many as
   there are); onesided: only the first half and one of a real signal's, or, inverse, of what gives
   a real one. STFT: (signal [N, n, 1 or 2][, window]), frames of `length` every `step`. */
typedef struct dv_spectrum_params {
    int64_t axis, length, step;
    bool inverse, onesided;
} dv_spectrum_params;

/* What only values tell: how many rows a result has. A lowered operator has so many, whatever the
   values are: what there is too much of is left out, and where there is too little the last row
   stands again (zeros if there is none). In source form 0: as many as there can be. */
typedef struct dv_rows_params {
    int64_t rows;
} dv_rows_params;

typedef struct dv_unique_params { /* equal slices along axis, or equal elements (flat) */
    int64_t axis;
    int64_t rows;      /* as in dv_rows_params */
    bool flat, sorted; /* not sorted: by first place */
} dv_unique_params;

typedef struct dv_nms_params { /* non-maximum suppression */
    int64_t most;              /* boxes of a class */
    int64_t rows;              /* as in dv_rows_params */
    double overlap, score;     /* drops what overlaps a better box by more, or scores no more */
    bool centred;              /* boxes are middle and size, not two corners */
} dv_nms_params;

/* What a detector's last layers give becomes boxes: (box encodings [1, n, 4 or more], scores [1, n,
   classes, or one more: the background, first], anchors [n, 4]) to (boxes [1, most *
   classes_per_box, 4], their classes, their scores, how many boxes were found [1]). Encodings and
   anchors are (y, x, height, width) of the middle, boxes (top, left, bottom, right). */
typedef struct dv_detect_params {
    int64_t most, classes, classes_per_box;
    bool by_class;          /* suppress within each class, not by the best class of each box */
    int64_t most_per_class; /* by_class */
    double score, overlap;  /* keeps what scores as much, and overlaps no better box by more */
    double y_scale, x_scale, h_scale, w_scale; /* encodings are multiplied by them */
} dv_detect_params;

/* (boxes [n, 4] of two corners, scores [n], overlap, least score[, sigma]) to (which boxes are kept
   [most], their scores, how many there are), zeros behind the last. */
typedef struct dv_suppress_params {
    int64_t most;
} dv_suppress_params;

typedef struct dv_mel_params { /* weights of so many mel bins over a DFT's */
    int64_t bins, length, rate;
    double low, high; /* Hertz */
    dv_dtype dtype;
} dv_mel_params;

typedef struct dv_reverse_params { /* (x, lengths): along axis, as many as the length of a batch */
    int64_t axis, batch;
} dv_reverse_params;

/* output = alpha * input . weight + beta * bias. Core form: weight is [N, K], or [K, N] if
   weight_kn; input [..., K]; bias [N]; alpha = beta = 1. Source form (ONNX Gemm) may ask for
   input_transposed (2-D input [K, M]), other alpha and beta, and a bias that broadcasts to the
   output. */
typedef struct dv_linear_params {
    bool weight_kn, input_transposed;
    double alpha, beta;
} dv_linear_params;

/* Batch norm: inputs (x, weight, bias, mean, variance), all [C]. Layer norm: over the last
   `axes` dims, inputs (x[, weight[, bias]]) of those dims. Group norm: `groups` groups of
   channels, weight and bias [C]; instance norm has groups = C (groups 0 in source form). */
typedef struct dv_norm_params {
    double eps;
    int64_t axes, groups;
} dv_norm_params;

typedef struct dv_lrn_params { /* x / (bias + alpha / size * sum of squares over size channels)^beta
                                */
    int64_t size;
    double alpha, beta, bias;
} dv_lrn_params;

typedef struct dv_flag_params {
    bool on;
} dv_flag_params;

typedef struct dv_scalar_params {
    double alpha, beta;
} dv_scalar_params;

typedef struct dv_clamp_params { /* -INFINITY and INFINITY: open */
    double min, max;
} dv_clamp_params;

/* Core form: axes sorted, in [0, rank). Source form: may be negative; count 0 means all axes, or
   none if noop_when_empty. */
typedef struct dv_reduce_params {
    uint8_t count;
    bool keep_dims, noop_when_empty;
    bool last; /* of equal extremes the last, not the first (argmax, argmin) */
    int64_t axes[DV_MAX_RANK];
} dv_reduce_params;

typedef struct dv_topk_params { /* outputs: the k extremes in order, and where they were (i64) */
    int64_t axis, k;
    bool smallest;
} dv_topk_params;

typedef enum dv_scatter_mode {
    DV_SCATTER_SET,
    DV_SCATTER_ADD,
    DV_SCATTER_MUL,
    DV_SCATTER_MAX,
    DV_SCATTER_MIN,
} dv_scatter_mode;

/* (data, indices, updates): data with updates written at the indices, in their order. SCATTER has
   an index along axis for each update, SCATTER_ND a tuple of leading indices for each slice. */
typedef struct dv_scatter_params {
    int64_t axis;
    dv_scatter_mode mode;
} dv_scatter_params;

typedef enum dv_activation {
    DV_ACTIVATION_SIGMOID,
    DV_ACTIVATION_TANH,
    DV_ACTIVATION_RELU,
} dv_activation;

/* A recurrent layer, whole: inputs (x, weight, recurrent weight[, bias[, lengths[, h[, c[, peephole
   weights]]]]]), outputs (every step's h, the last h, the last c), laid out and ordered by gate as
   ONNX has them (lstm i o f c, gru z r h); `directions` is the first dim of all weights. */
typedef struct dv_rnn_params {
    int64_t hidden;                  /* 0 in source form: take it from the weight */
    int64_t directions;              /* 2: forward and backward */
    bool reverse;                    /* the one direction is backward */
    bool batch_first;                /* x [batch, step, ...], states [batch, direction, ...] */
    bool reset_after;                /* gru: the reset gate scales the product, not the state */
    bool coupled;                    /* lstm: forget = 1 - input */
    double clip;                     /* of what goes into activations; 0: none */
    dv_activation gate, cell, state; /* f, g and h in the formulas of ONNX */
} dv_rnn_params;

/* (x, scale[, zero point]): scale of one element, or per channel along axis (the kinds _CHANNEL).
   dtype is what quantising gives, dequantising takes; in source form the zero point's is followed.
 */
typedef struct dv_quant_params {
    int64_t axis;
    dv_dtype dtype;
} dv_quant_params;

typedef struct dv_axes_params { /* squeeze with count 0: every dim of size 1 (source form) */
    uint8_t count;
    bool lenient; /* source form of squeeze: a dim that is not 1 stays (in a branch of an If that
                     asks just that) */
    int64_t axes[DV_MAX_RANK];
} dv_axes_params;

typedef struct dv_axis_params {
    int64_t axis;            /* core form: in [0, rank) */
    bool flatten_2d;         /* source form of softmax before opset 13: flatten around axis first */
    bool exclusive, reverse; /* cumsum */
    bool guarded;            /* softmax: 0 where it would be no number, as in a row of -inf alone */
} dv_axis_params;

typedef struct dv_view_params { /* view, expand: the target shape; repeat: the factors */
    dv_shape shape;
    bool allow_zero; /* source form of view: 0 means zero, not "copy" */
} dv_view_params;

typedef struct dv_permute_params { /* output dim i is input dim perm[i]; rank 0: reversed (source)
                                    */
    uint8_t rank;
    uint8_t perm[DV_MAX_RANK];
} dv_permute_params;

typedef struct dv_split_params { /* outputs along axis; count 0 in source form: equal parts */
    int64_t axis;
    uint32_t count;
    const int64_t *sizes; /* in the graph's arena */
} dv_split_params;

/* Core form: count = rank, axes[i] = i, step != 0, begin and end clamped (end is exclusive; -1 with
   a negative step runs through index 0). Source form: bounds as written, any subset of axes. */
typedef struct dv_slice_params {
    uint8_t count;
    int64_t axes[DV_MAX_RANK], begin[DV_MAX_RANK], end[DV_MAX_RANK], step[DV_MAX_RANK];
} dv_slice_params;

typedef struct dv_select_params { /* drops the axis */
    int64_t axis, index;
} dv_select_params;

typedef enum dv_pad_mode {
    DV_PAD_CONSTANT,
    DV_PAD_REFLECT,
    DV_PAD_EDGE,
    DV_PAD_WRAP, /* the other end goes on */
} dv_pad_mode;

typedef struct dv_pad_params { /* one pair a dim; negative pads crop */
    dv_pad_mode mode;
    uint8_t rank;
    int64_t begin[DV_MAX_RANK], end[DV_MAX_RANK];
    double value;
} dv_pad_params;

typedef enum dv_coordinate_mode {
    DV_COORDINATE_HALF_PIXEL,
    DV_COORDINATE_PYTORCH_HALF_PIXEL,
    DV_COORDINATE_ALIGN_CORNERS,
    DV_COORDINATE_ASYMMETRIC,
    DV_COORDINATE_SYMMETRIC, /* half pixels around the middle of the image */
    DV_COORDINATE_CROP,      /* across the region `roi`; what is outside the image is `outside` */
} dv_coordinate_mode;

typedef enum dv_nearest_mode {
    DV_NEAREST_ROUND_PREFER_FLOOR,
    DV_NEAREST_ROUND_PREFER_CEIL,
    DV_NEAREST_FLOOR,
    DV_NEAREST_CEIL,
} dv_nearest_mode;

typedef enum dv_resize_policy { /* what sizes mean */
                                DV_RESIZE_STRETCH,
                                DV_RESIZE_NOT_LARGER, /* as large as fits, all dims by one scale */
                                DV_RESIZE_NOT_SMALLER,
} dv_resize_policy;

typedef struct dv_resize_params { /* core form: scale_h and scale_w say input pixels per output
                                     pixel ratios as the source gave them; the output shape is the
                                     tensor's */
    dv_coordinate_mode coordinate;
    dv_nearest_mode nearest;
    double scale_h, scale_w; /* output / input */
    double cubic;            /* the coefficient a of cubic interpolation */
    bool exclude_outside;    /* cubic: pixels outside the image have no weight */
    bool antialias;          /* linear and cubic: shrinking averages over all pixels */
    double roi[4], outside;  /* top, left, bottom, right of the region, as shares of the image */
    dv_resize_policy policy; /* source form */
    uint8_t axis_count;      /* source form: scales, sizes and roi are for these dims; 0: all */
    int64_t axes[DV_MAX_RANK];
} dv_resize_params;

typedef struct dv_shuffle_params { /* depth to space or back; dcr: ONNX's column order */
    int64_t block;
    bool dcr;
} dv_shuffle_params;

typedef struct dv_tri_params { /* keeps on and below (upper: above) the k-th diagonal */
    int64_t diagonal;
    bool upper;
} dv_tri_params;

typedef struct dv_cast_params {
    dv_dtype dtype;
} dv_cast_params;

typedef struct dv_full_params {
    dv_shape shape;
    dv_dtype dtype;
    double value;
} dv_full_params;

typedef union dv_op_params {
    dv_conv_params conv;
    dv_pool_params pool;
    dv_linear_params linear;
    dv_norm_params norm;
    dv_lrn_params lrn;
    dv_flag_params flag;
    dv_scalar_params scalar;
    dv_clamp_params clamp;
    dv_reduce_params reduce;
    dv_topk_params topk;
    dv_rnn_params rnn;
    dv_quant_params quant;
    dv_scatter_params scatter;
    dv_axes_params axes;
    dv_axis_params axis;
    dv_view_params view;
    dv_permute_params permute;
    dv_split_params split;
    dv_slice_params slice;
    dv_select_params select;
    dv_pad_params pad;
    dv_resize_params resize;
    dv_grid_params grid;
    dv_region_params region;
    dv_spectrum_params spectrum;
    dv_reverse_params reverse;
    dv_rows_params rows;
    dv_unique_params unique;
    dv_nms_params nms;
    dv_detect_params detect;
    dv_suppress_params suppress;
    dv_mel_params mel;
    dv_shuffle_params shuffle;
    dv_tri_params tri;
    dv_cast_params cast;
    dv_full_params full;
} dv_op_params;

/* The row of ops.def. */
typedef struct dv_op_info {
    dv_op_kind kind;
    const char *name;
    dv_family family;
    uint32_t least_inputs, most_inputs; /* data inputs */
} dv_op_info;

const dv_op_info *dv_op_info_of(dv_op_kind kind);

/* The kind of that ATen name, or DV_OP_COUNT. O(kinds). */
dv_op_kind dv_op_kind_of(const char *name);

const char *dv_family_name(dv_family family);
bool dv_family_from_name(const char *name, dv_family *out);

#endif
