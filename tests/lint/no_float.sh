#!/bin/sh
# no_float.sh BUILD_DIR     (OBJDUMP=...: of a cross build)
# The steps of integer networks must compute nothing in floats. Looks at the machine code: moves of
# vector registers are no arithmetic, and integers use them, too.
set -eu
objects=$(find "$1/CMakeFiles/pbatch_kernel.dir/src/kernel" -name 'integer_*.cc.o' | sort)
[ -n "$objects" ] || { echo "no integer steps under $1: build first" >&2; exit 1; }
case $(uname -m) in
  x86_64) float='v?(add|sub|mul|div|sqrt|min|max|u?comi|cvt[a-z0-9]*|round|fn?m(add|sub)[0-9]*|rcp|rsqrt|hadd|dp)(ss|sd|ps|pd)|v?cvt[a-z0-9]+|f(ld|st|add|mul|div)[a-z]*' ;;
  aarch64) float='f(add|sub|mul|div|sqrt|madd|msub|mla|mls|cmp|cvt[a-z]*|rint[a-z]|max|min)|[su]cvtf' ;;
  *) echo "no patterns for $(uname -m)"; exit 77 ;;
esac
for object in $objects; do
  found=$("${OBJDUMP:-objdump}" -d --no-show-raw-insn "$object" |
            awk -F'\t' 'NF > 1 { split($2, word, " "); print word[1] }' | grep -Ex "$float" | sort | uniq -c || true)
  if [ -n "$found" ]; then
    echo "$object computes in floats:" >&2
    echo "$found" >&2
    exit 1
  fi
done
echo "$(echo "$objects" | wc -l) objects looked at"
