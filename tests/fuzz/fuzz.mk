# fuzz.mk - the fuzz targets with clang's libFuzzer and sanitizers, from the root of the source tree:
#
#   make -f tests/fuzz/fuzz.mk -j2            all targets, as $(OUT)/TARGET
#
# builddir is where ./configure was run: embedded.c is made there.

builddir ?= build
OUT ?= $(builddir)/fuzz
CLANG ?= $(shell command -v clang || command -v clang-14)
LIBRARIES = libcjson igraph libzip

FLAGS = -std=c11 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer -I. -Isrc \
    $(shell pkg-config --cflags $(LIBRARIES)) \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined
LIBS = -lglpk -lmetis $(shell pkg-config --libs $(LIBRARIES)) -lm

TARGETS := $(shell sed -n 's/^FUZZ_TARGET(\(.*\))$$/\1/p' tests/fuzz/targets.def)
# What the targets call: of what runs networks the reference kernels alone, nothing that draws
SOURCES := $(filter-out costmodel/calibrate% costmodel/machine% costmodel/probe%, \
    $(wildcard src/core/*.c src/load/*.c src/lower/*.c costmodel/*.c solver/*.c) \
    $(wildcard runtime/portable/*.c) runtime/backend.c runtime/layout.c runtime/memplan.c \
    $(wildcard tests/fuzz/fuzz_*.c) tests/fuzz/model.c tests/fuzz/memory.c)
OBJECTS := $(SOURCES:%.c=$(OUT)/objects/%.o) $(OUT)/objects/embedded.o

all: $(TARGETS:%=$(OUT)/%)

$(OUT)/objects/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(OUT)/objects/embedded.o: $(builddir)/embedded.c
	@mkdir -p $(@D)
	$(CLANG) $(FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(builddir)/embedded.c:
	$(MAKE) -C $(builddir) embedded.c

$(TARGETS:%=$(OUT)/%): $(OUT)/%: tests/fuzz/entry.c $(OBJECTS)
	rm -f $@.a && ar qcs $@.a $(OBJECTS)
	$(CLANG) $(FLAGS) -fsanitize=fuzzer -DDV_FUZZ_TARGET=dv_fuzz_$(@F) -o $@ $< $@.a $(LIBS)
	rm -f $@.a

.PHONY: all
-include $(shell find $(OUT)/objects -name '*.d' 2>/dev/null)
