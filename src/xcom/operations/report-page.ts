/** What every report's page has: its style, and the script that sorts tables. Both are named by hash in its policy. */

/** Names of the breakdowns, in the order in which the page offers them. */
export const BREAKDOWNS = ["dags", "runs", "tasks", "codecs", "classes"] as const;

const SHOWN = BREAKDOWNS.map((name) => `.by:has(#by-${name}:checked) .panel-${name}`).join(",");

export const STYLE = `
:root{color-scheme:light dark;--page:#f4f6f9;--card:#fff;--text:#18202c;--soft:#566173;--line:#dfe4ec;--accent:#2563c9;--bad:#b3261e;--good:#17703a;--hover:#eef3fb}
@media(prefers-color-scheme:dark){:root{--page:#0e1217;--card:#161c24;--text:#e5eaf1;--soft:#9aa6b6;--line:#2a3340;--accent:#77a8ff;--bad:#ff8a80;--good:#6fd394;--hover:#1e2733}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 16px 56px;display:grid;gap:20px;grid-template-columns:minmax(0,1fr)}
h1{font-size:22px;line-height:1.3;margin:0;overflow-wrap:anywhere;font-weight:650}
h2{font-size:17px;margin:0 0 4px;font-weight:650}h3{font-size:15px;margin:6px 0 0;font-weight:650}
p{margin:0}.soft{color:var(--soft)}.bad{color:var(--bad)}.good{color:var(--good)}
code{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
section,.cards>div{background:var(--card);border:1px solid var(--line);border-radius:10px}
section{padding:18px 18px 14px;min-width:0;display:grid;gap:12px;grid-template-columns:minmax(0,1fr);align-content:start}
.cards{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));margin:0}
.cards>div{padding:12px 16px}.cards dt{color:var(--soft);font-size:13px}.cards dd{margin:0;font-size:22px;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums}.cards dd small{display:block;font-size:13px;font-weight:400;color:var(--soft)}
.pair{display:grid;gap:20px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
fieldset{border:0;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:6px}legend{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
fieldset label{display:inline-flex}fieldset input{position:absolute;opacity:0}
fieldset span{padding:5px 13px;border:1px solid var(--line);border-radius:99px;cursor:pointer}
fieldset span:hover{background:var(--hover)}
fieldset input:checked+span{background:var(--accent);border-color:var(--accent);color:var(--card);font-weight:600}
.panel{display:none;gap:12px;grid-template-columns:minmax(0,1fr)}
${SHOWN}{display:grid}
svg.map,svg.days{display:block;width:100%;height:auto}.narrow{display:none}
@media(max-width:640px){.narrow{display:block}.wide{display:none}main{padding-top:18px}section{padding:14px 12px}}
.cell rect{fill:#566173}.cell text{fill:#fff;font:600 12px system-ui,sans-serif;pointer-events:none}.cell .size{font-weight:400;fill:#fff}
.c0>g>rect{fill:#2b62b8}.c1>g>rect{fill:#0f766e}.c2>g>rect{fill:#7a3fc4}.c3>g>rect{fill:#a34a08}.c4>g>rect{fill:#b01d5b}.c5>g>rect{fill:#4b6b12}.c6>g>rect{fill:#0a6488}
.parts .cell>g>rect{stroke:#fff;stroke-opacity:.28}.parts .cell:nth-child(even)>g>rect{filter:brightness(.9)}.cell>g:hover>rect{filter:brightness(1.15)}
.days rect{fill:var(--accent)}.days .hit{fill:transparent}.days g:hover .hit{fill:var(--hover)}.days text{fill:var(--soft);font:12px system-ui,sans-serif}.days path{stroke:var(--line);fill:none}
.scroll{overflow:auto;max-height:430px;border-top:1px solid var(--line)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}caption{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
th{position:sticky;top:0;background:var(--card);text-align:left;padding:0;font-weight:600;box-shadow:inset 0 -1px var(--line);z-index:1}
th button{all:unset;box-sizing:border-box;width:100%;padding:7px 8px;cursor:pointer;color:var(--soft);font-size:13px;white-space:nowrap}
th button:hover{color:var(--text)}th[aria-sort] button{color:var(--text)}th:not(.number) button::after,th.number button::before{content:"";display:inline-block;width:1em;text-align:center}
th[aria-sort=descending]:not(.number) button::after,th.number[aria-sort=descending] button::before{content:"\\2193"}th[aria-sort=ascending]:not(.number) button::after,th.number[aria-sort=ascending] button::before{content:"\\2191"}
td{padding:6px 8px;border-top:1px solid var(--line);vertical-align:top}tbody tr:first-child td{border-top:0}tbody tr:hover td{background:var(--hover)}tfoot td{color:var(--soft)}
.day{white-space:nowrap}.number{text-align:right;white-space:nowrap}th.number button{text-align:right}
.name{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden;overflow-wrap:anywhere;min-width:11ch}
.bar{width:84px;vertical-align:middle;height:8px;margin-right:8px;background:var(--line);border-radius:4px;overflow:hidden}.bar rect{fill:var(--accent)}
.bar+span{display:inline-block;min-width:6ch}
details summary{cursor:pointer;color:var(--soft);padding:2px 0}details[open] summary{margin-bottom:8px}
@media(max-width:640px){.share,.spare{display:none}.name{-webkit-line-clamp:6}}
:focus-visible,fieldset input:focus-visible+span,th button:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
th button:focus-visible{outline-offset:-2px}
@media print{.scroll{max-height:none;overflow:visible}section{break-inside:avoid}}
`;

export const SCRIPT = `
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const heads = [...head.parentElement.children];
    const column = heads.indexOf(head);
    const body = head.closest("table").tBodies[0];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      const { value } = cell.dataset;
      return { row, key: value === undefined ? cell.textContent : Number(value) };
    });
    const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
    keyed.sort((a, b) => compare(a.key, b.key) * (order === "ascending" ? 1 : -1));
    body.append(...keyed.map(({ row }) => row));
  });
}
`;
