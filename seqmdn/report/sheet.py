"""How the page looks: light and dark, narrow and wide, and on paper."""

__all__ = ["SHEET"]

SHEET = """
:root { color-scheme: light dark; --page: #fcfcfa; --card: #ffffff; --ink: #222222;
  --faint: #5d5d5d; --line: #d9d9d4; --accent: #0b5c96; --warn: #a8410a; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15171a; --card: #1f2226; --ink: #e8e8e6; --faint: #a9adb2;
    --line: #3a3e44; --accent: #7cc0f0; --warn: #f0a070; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .5rem; padding-top: .7rem;
  border-top: 1px solid var(--line); }
h3 { font-size: .9rem; font-weight: 600; margin: 0; color: var(--faint); }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.lead, figcaption, caption, .unit, footer { color: var(--faint); }
.verdicts { padding-left: 1.1rem; max-width: 46rem; }
.verdicts li { margin: .25rem 0; }
.warn { color: var(--warn); font-weight: 600; }
.cards { display: grid; gap: .8rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem; }
.card p { font-size: .88rem; margin: .2rem 0 0; }
.card .value { font-size: 1.25rem; font-variant-numeric: tabular-nums; color: var(--accent);
  font-weight: 600; }
.card .unit { font-size: .85rem; font-weight: 400; white-space: nowrap; }
.card { max-width: 22rem; }
.pictures { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); align-items: start; }
figure { margin: 0; }
figure.broad { grid-column: 1 / -1; }
figure img { display: block; width: 100%; height: auto; background: #ffffff;
  border: 1px solid var(--line); border-radius: .5rem; }
figcaption, caption { font-size: .85rem; padding: .3rem .1rem; text-align: left; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th:first-child { text-align: left; padding-left: 0; }
tbody td { white-space: nowrap; }
thead th { color: var(--faint); font-weight: 600; }
tbody th { font-weight: 400; }
.about th { white-space: nowrap; color: var(--faint); }
.about td { text-align: left; overflow-wrap: anywhere; white-space: normal; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
@media print {
  :root { --page: #ffffff; --card: #ffffff; --ink: #000000; --faint: #444444; --line: #bbbbbb;
    --accent: #000000; --warn: #000000; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } figure, .card, tr { break-inside: avoid; }
  .wide { overflow: visible; } }
"""
