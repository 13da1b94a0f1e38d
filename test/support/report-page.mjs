/** What the test of a report's page runs inside it. Each function is sent as text, so it uses nothing else. */

/**
 * Describes the page.
 *
 * @returns {{ hacked: boolean, elements: string[], text: string, width: number, background: string, shown: string[],
 *   links: string[] }} `elements` are those that a report does not have, `shown` the breakdowns that are visible
 */
export function look() {
  const alien =
    "img, iframe, object, embed, form, a, link:not([rel=icon]), main script, main style, [onerror], [onclick]";
  const panels = [...document.querySelectorAll(".panel")].filter((panel) => panel.checkVisibility());
  return {
    hacked: window.hacked !== undefined,
    elements: [...document.querySelectorAll(alien)].map(({ outerHTML }) => outerHTML.slice(0, 100)),
    text: document.body.innerText,
    width: document.documentElement.scrollWidth,
    background: getComputedStyle(document.body).backgroundColor,
    shown: panels.map(({ className }) => className),
    links: [...document.querySelectorAll("[src], [href]")].map(({ outerHTML }) => outerHTML.slice(0, 100)),
  };
}

/**
 * Moves the focus to the first heading of the Dags' table with this text.
 *
 * @param {string} title
 */
export function focusHeading(title) {
  const buttons = [...document.querySelectorAll(".panel-dags th button")];
  buttons.find(({ textContent }) => textContent === title).focus();
}

/**
 * @returns {{ sort: string | null, names: string[] }} the order of the column that has the focus, and the first column
 */
export function tableOfFocus() {
  const table = document.activeElement.closest("table");
  return {
    sort: document.activeElement.parentElement.getAttribute("aria-sort"),
    names: [...table.tBodies[0].rows].map((row) => row.cells[0].textContent),
  };
}

/**
 * @returns {string[]} the captions of tables with paths that have a visible column beyond the right edge of their box
 */
export function numbersOutside() {
  const tables = [...document.querySelectorAll("table")].filter((table) => table.checkVisibility());
  const wide = tables.filter((table) => table.parentElement.scrollWidth > table.parentElement.clientWidth);
  return wide.map((table) => table.caption.textContent).filter((caption) => caption.includes("objects"));
}

/** Moves the focus to the choice of the breakdown. */
export function focusChoice() {
  document.querySelector("#by-dags").focus();
}

/** @returns {string[]} what the Tab key has reached: the tag and the text of the element */
export function focused() {
  const { tagName, textContent, type = "" } = document.activeElement;
  return [tagName, type, textContent.slice(0, 40)];
}

/** @returns {boolean} whether a script that is added to the page runs */
export function runScript() {
  const script = document.createElement("script");
  script.textContent = "window.hacked = 1";
  document.body.append(script);
  return window.hacked !== undefined;
}
