"""The style of the page: light and dark by the reader's setting, on paper too."""

STYLE = """
:root { color-scheme: light dark; --page: #fcfbf8; --card: #fff; --ink: #1b1d21; --soft: #565b64; --rule: #dcd9d2;
  --grid: #ebe8e1; --understanding: #0b5aa6; --generation: #a5430a; --other: #4d5560; --mark: #8a1538; --tint: #f4f1ea }
@media (prefers-color-scheme: dark) { :root { --page: #131519; --card: #1a1d22; --ink: #e9e7e2; --soft: #a9adb5;
  --rule: #353a42; --grid: #292d34; --understanding: #82bbff; --generation: #ffb07c; --other: #c3c8d0; --mark: #ff9db5;
  --tint: #20242a } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 88rem; padding: 2.2rem 1.4rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif }
h1 { font-size: 1.9rem; letter-spacing: -.015em; margin: 0 0 .2rem; line-height: 1.2 }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem }
h3 { font-size: .95rem; margin: 0 0 .3rem; font-weight: 600 }
p { max-width: 46rem; margin: .4rem 0 } .soft, small, caption { color: var(--soft) }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .9rem 0 0 }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: .2em }
a:focus-visible, .wide:focus-visible, summary:focus-visible { outline: 2px solid var(--understanding);
  outline-offset: 2px }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace }
.wide { overflow-x: auto; border: 1px solid var(--rule); border-radius: 10px; background: var(--card) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums lining-nums; width: 100% }
caption { text-align: left; padding: .6rem .7rem .2rem; font-size: .87rem; caption-side: top }
table { font-size: .93rem }
th, td { padding: .22rem .6rem; text-align: right; white-space: nowrap; vertical-align: baseline; font-weight: 400 }
thead th { border-bottom: 1px solid var(--rule); vertical-align: bottom; font-size: .84rem; line-height: 1.35 }
thead th b { display: block; font-weight: 600 }
thead th[scope=colgroup] { text-align: center; text-transform: uppercase; letter-spacing: .08em; font-size: .72rem;
  border-bottom: 2px solid currentColor; padding-top: .8rem }
th.understanding { color: var(--understanding) } th.generation { color: var(--generation) }
th[scope=row], thead th:first-child { text-align: left; position: sticky; left: 0; background: var(--card) }
th[scope=row] { font-weight: 600; white-space: normal; min-width: 12rem; max-width: 16rem; z-index: 1 }
@media (max-width: 40rem) { th[scope=row] { min-width: 7.5rem; max-width: 9rem }
  body { padding-inline: .8rem } } tr.paper th[scope=row] { font-weight: 400 }
th[scope=rowgroup] { text-align: left; color: var(--soft); background: var(--tint); font-size: .78rem;
  letter-spacing: .04em; padding-block: .28rem; position: sticky; left: 0 }
tbody tr + tr > * { border-top: 1px solid var(--grid) }
td .interval, td .of { display: block; color: var(--soft); font-size: .76rem; line-height: 1.25 }
tr.paper td { color: var(--soft) } td.none { color: var(--soft) }
.tag { color: var(--mark); border: 1px solid currentColor; border-radius: 4px; font-size: .68rem; font-weight: 600;
  padding: 0 .3rem; margin-left: .45rem; letter-spacing: .04em; vertical-align: .08em }
td { position: relative } td sup { position: absolute; right: .12rem; font-size: .68em; line-height: 1.2 }
sup a { color: var(--mark); text-decoration: none }
.notes { font-size: .87rem; color: var(--soft); list-style: none; padding: 0; margin: .8rem 0 0 }
.notes b { color: var(--mark); display: inline-block; min-width: 1.3em }
.care { border-left: 3px solid var(--mark); padding: .1rem 0 .1rem 1rem; margin: 0 }
.care ul { padding-left: 1.1rem; margin: .4rem 0 } .care li { max-width: 60rem; overflow-wrap: anywhere }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(31rem, 100%), 1fr)); gap: 1.1rem }
figure { margin: 0; max-width: 46rem; padding: .9rem 1rem .6rem; border: 1px solid var(--rule); border-radius: 10px;
  background: var(--card) }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, "Segoe UI", Roboto, sans-serif;
  fill: var(--ink) }
svg .grid { stroke: var(--grid) } svg .baseline { stroke: var(--soft); stroke-dasharray: 3 3 }
svg .tick { fill: var(--soft); font-size: 11px } svg .axis { font-size: 12.5px }
svg text { font-variant-numeric: tabular-nums }
svg .interval { stroke-width: 2.5; stroke-linecap: round; opacity: .55 } svg .seed { stroke-width: 1.5 }
svg line.understanding, svg line.own { stroke: var(--understanding) } svg line.generation { stroke: var(--generation) }
svg line.other { stroke: var(--other) } svg line.paper { stroke: var(--soft) }
svg .dot.understanding, svg .dot.own { fill: var(--understanding) } svg .dot.generation { fill: var(--generation) }
svg .dot.other { fill: var(--other) }
svg .dot.paper { fill: var(--card); stroke: var(--soft); stroke-width: 1.6 }
svg .dot.differs { stroke-dasharray: 2.2 1.8 } svg text.paper { fill: var(--soft) }
svg .label.run, svg .label.seeds, svg .label.understanding, svg .label.generation { font-weight: 600 }
details { border-bottom: 1px solid var(--rule); padding: .5rem 0 }
summary { cursor: pointer; font-weight: 600 } summary small { font-weight: 400 } details .wide { margin: .6rem 0 }
details table { width: auto } details .text { text-align: left; white-space: normal }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .87rem; margin: .5rem 0 }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
@media print { .wide { overflow: visible } body { max-width: none; padding: 0 } figure { break-inside: avoid } }
"""
