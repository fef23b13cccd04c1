#!/bin/sh
# consumer.sh WAY BUILD_DIR SOURCE_DIR: uses the library as its users do.
#   install         installs into BUILD_DIR/consumer/prefix
#   shared, static  builds examples/ with find_package and runs them
#   pkg-config      builds them with pkg-config and runs them
#   subdirectory    builds the library as a part of the project examples/
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
      -DCMAKE_PREFIX_PATH="$prefix" -DSTATIC=$static
    cmake --build "$out"
    run_examples
    ;;
  subdirectory)
    rm -rf "$out"
    # Not optimized: whether it builds and runs is all that is asked here.
    cmake -S "$source_dir/examples" -B "$out" -G Ninja -DPBATCH_SOURCE="$source_dir" \
      -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0
    cmake --build "$out"
    run_examples
    # What is of use to this project alone stays away from theirs.
    for target in pbatch_cli check_programs; do
      if ninja -C "$out" -t query "$target" >/dev/null 2>&1; then
        echo "the target $target is in a user's project"; exit 1
      fi
    done
    cmake --install "$out" --prefix "$out/prefix"
    if [ -e "$out/prefix" ] && [ -n "$(find "$out/prefix" -type f)" ]; then
      echo "a user's project installs pbatch's files"; exit 1
    fi
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
    c++ -std=c++20 "$source_dir/examples/every_precision.cc" -o "$out/every_precision" \
      $flags -Wl,-rpath,"$libdir"
    # shellcheck disable=SC2086
    cc -std=c11 "$source_dir/examples/run_from_c.c" -o "$out/run_from_c" \
      $flags -Wl,-rpath,"$libdir"
    run_examples
    ;;
esac
