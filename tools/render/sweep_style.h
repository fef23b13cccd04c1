// Style sheet of the sweep page.
#pragma once

namespace pbatch {

// Series colours are Okabe and Ito's, which colour-blind readers tell apart.
inline constexpr char kSweepStyle[] = R"css(
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1f24; --soft: #59636e; --rule: #d5dae0;
  --s0: #0072b2; --s1: #c24d00; --s2: #007a59; --ref: #1b1f24; --hot: 0 114 178; --deep: .55; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14171a; --fg: #e8eaed; --soft: #a3acb5; --rule: #363c43;
    --s0: #56b4e9; --s1: #f0a33a; --s2: #35c79b; --ref: #e8eaed; --hot: 86 180 233; --deep: .5; } }
body { margin: 0; background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.headline { font-size: 1.08rem; }
.legend { color: var(--soft); margin-top: 1rem; max-width: none; }
.legend span { white-space: nowrap; margin-right: 1.2rem; }
.mark { width: 1em; height: 1em; vertical-align: -.12em; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1.5rem; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .25rem; }
figure svg { display: block; width: 100%; height: auto; }
svg text { font-size: 13px; fill: var(--fg); }
svg .tick, svg .name { fill: var(--soft); }
svg .label { font-weight: 600; paint-order: stroke; stroke: var(--bg); stroke-width: 3px; }
svg .grid { stroke: var(--rule); stroke-width: 1; } svg .axis { fill: none; stroke: var(--soft); }
svg .refline { stroke: var(--ref); stroke-width: 1.5; stroke-dasharray: 6 5; }
svg .s0 { fill: var(--s0); } svg .s1 { fill: var(--s1); } svg .s2 { fill: var(--s2); }
svg .ref { fill: var(--ref); }
svg .other { fill: var(--bg); stroke: var(--ref); stroke-width: 2; }
svg .t0 { fill: var(--s0); } svg .t1 { fill: var(--s1); } svg .t2 { fill: var(--s2); }
svg .line { fill: none; stroke-width: 1.5; opacity: .55; }
svg .line.s0 { stroke: var(--s0); } svg .line.s1 { stroke: var(--s1); }
svg .line.s2 { stroke: var(--s2); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; } tbody th { text-align: left; font-weight: 600; }
thead th:first-child { text-align: left; }
tr.other { font-style: italic; }
.heat tbody th { font-weight: 400; min-width: 7rem; max-width: 18rem; white-space: normal;
  overflow-wrap: anywhere; }
.heat td { background: rgb(var(--hot) / calc(var(--heat) * var(--deep))); }
@media (max-width: 40rem) { th, td { padding: .25rem .45rem; font-size: .9rem; }
  dl { grid-template-columns: 1fr !important; } dd { margin-bottom: .4rem !important; } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
)css";

}  // namespace pbatch
