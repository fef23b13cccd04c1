#!/bin/sh
# consumer.sh WAY BUILD_DIR SOURCE_DIR: uses the library as its users do.
#   install         installs into BUILD_DIR/consumer/prefix
#   shared, static  builds examples/ with find_package and runs them
#   pkg-config      builds them with pkg-config and runs them
set -eu
way=$1
build=$2
source_dir=$3
prefix=$build/consumer/prefix
out=$build/consumer/$way
model=$source_dir/models/fashion_mnist.onnx

run_examples() {
  "$out/every_precision" "$model"
  "$out/run_from_c" "$model" "$out/quantized.onnx"
  # Failures come back as values, also across the border to C.
  if "$out/run_from_c" "$out/no_such_file.onnx" "$out/never.onnx" 2>"$out/error.txt"; then
    echo "a missing file was no error"; exit 1
  fi
  cat "$out/error.txt"
  grep -q '^not_found: .*no_such_file.onnx' "$out/error.txt"
  [ ! -e "$out/never.onnx" ]
}

case $way in
  install)
    rm -rf "$prefix"
    cmake --install "$build" --prefix "$prefix"
    ;;
  shared | static)
    rm -rf "$out"
    static=OFF
    [ "$way" = static ] && static=ON
    cmake -S "$source_dir/examples" -B "$out" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="$prefix" -DSTATIC=$static -DCMAKE_CXX_FLAGS="${SANITIZE:-}" \
      -DCMAKE_C_FLAGS="${SANITIZE:-}"
    cmake --build "$out"
    run_examples
    ;;
  pkg-config)
    rm -rf "$out"
    mkdir -p "$out"
    pc=$(find "$prefix" -name pbatch.pc)
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs pbatch)
    libdir=$(pkg-config --variable=libdir pbatch)
    # The flags are words.
    # shellcheck disable=SC2086
    c++ -std=c++20 ${SANITIZE:-} "$source_dir/examples/every_precision.cc" -o "$out/every_precision" \
      $flags -Wl,-rpath,"$libdir"
    # shellcheck disable=SC2086
    cc -std=c11 ${SANITIZE:-} "$source_dir/examples/run_from_c.c" -o "$out/run_from_c" \
      $flags -Wl,-rpath,"$libdir"
    run_examples
    ;;
esac
