# make test | demo | lint | wheel | ort-wheel | install PREFIX=/usr/local | clean
# Everything else is CMake: see CMakePresets.json and CONTRIBUTING.md.

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
# More options for the configure step, e.g. CONFIGURE=-DPBATCH_WERROR=ON
CONFIGURE ?=
BUILD := build/release
DEMO := build/demo
FASHION_MNIST ?= /usr/share/datasets/fashion-mnist

.PHONY: all build configure test demo lint wheel ort-wheel install clean

all: build

configure:
	@scripts/install-deps build
	@cmake --preset release $(CONFIGURE)

build: configure
	@cmake --build $(BUILD) --parallel $(JOBS)

test:
	@scripts/install-deps test
	@ort/fetch-headers $(BUILD)/ort/headers || [ $$? -eq 77 ]
	@$(MAKE) --no-print-directory build
	@ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

demo:
	@scripts/install-deps demo
	@cmake --preset release $(CONFIGURE)
	@cmake --build $(BUILD) --parallel $(JOBS) --target pbatch_cli
	@mkdir -p $(DEMO)
	@$(BUILD)/cli/pbatch quantize models/fashion_mnist.onnx -o $(DEMO)/fashion_mnist.pbatch.onnx
	@$(BUILD)/cli/pbatch sweep $(DEMO)/fashion_mnist.pbatch.onnx --bits 1:8 --abits 8,16 \
	  --data $(FASHION_MNIST)/t10k-images-idx3-ubyte.gz \
	  --labels $(FASHION_MNIST)/t10k-labels-idx1-ubyte.gz \
	  --float models/fashion_mnist.onnx -o $(DEMO)/report.html
	@echo "The report: $(DEMO)/report.html"

lint:
	@scripts/install-deps test
	@$(MAKE) --no-print-directory configure
	@cmake --build $(BUILD) --parallel $(JOBS) --target pbatch_shared
	@ctest --test-dir $(BUILD) --output-on-failure -R '^lint\.'

# PYTHON: which one it is for; python/find-python says what is taken without it.
wheel:
	@scripts/install-deps wheel
	@cmake --preset release $(CONFIGURE)
	@cmake --build $(BUILD) --parallel $(JOBS) --target pbatch_shared pbatch_static pbatch_cli
	@python/make-wheel $(BUILD) dist

# The plug-in for ONNX Runtime.
ort-wheel:
	@scripts/install-deps wheel
	@ort/fetch-headers $(BUILD)/ort/headers
	@cmake --preset release $(CONFIGURE)
	@cmake --build $(BUILD) --parallel $(JOBS) --target pbatch_onnxruntime
	@ort/make-wheel $(BUILD) dist

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	@cmake -E rm -rf build
